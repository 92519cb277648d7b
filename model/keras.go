package model

import (
	"slices"

	"github.com/modelbus/modelbus/model/nn"
)

// parseKeras reads a Keras model, as to_json() of Keras 2 or 3 writes it, from
// a mapping or a JSON text: a Sequential of the layers that package nn has. An
// InputLayer is dropped, since the features say what comes in, and so is a Flatten:
// images come as rows of numbers already. The optimizer
// and loss it was compiled with are ignored; weights are not part of the form.
func parseKeras(n *node) ([]nn.Layer, *SpecError) {
	if text, ok := n.value.(string); ok {
		document, err := parseJSON([]byte(text))
		if err != nil {
			return nil, shiftError(n, err.specError())
		}
		layers, failure := parseKerasModel(document)
		if failure != nil {
			return nil, shiftError(n, failure)
		}
		return layers, nil
	}
	return parseKerasModel(n)
}

// shiftError moves an error of the text in scalar n to its place in the document.
func shiftError(n *node, err *SpecError) *SpecError {
	if n.block.line == 0 {
		return n.errorf("%s (line %d of the text)", err.Msg, err.Line)
	}
	at := position{n.block.line + err.Line - 1, n.block.column + err.Column - 1}
	return at.errorf("%s", err.Msg)
}

const networkForms = "network must be a list of layers or a Keras to_json() document"

func parseKerasModel(n *node) ([]nn.Layer, *SpecError) {
	if n.fields == nil {
		return nil, n.errorf("%s, got %s", networkForms, n)
	}
	class := n.get("class_name")
	if class == nil {
		return nil, n.errorf("%s (a mapping with \"class_name\"), got %s", networkForms, n)
	}
	if class.value != "Sequential" {
		return nil, class.errorf("a Keras model of class %s is not supported, only Sequential is", class)
	}
	list := n.get("config")
	if list != nil && list.list == nil { // before Keras 2.2 the list itself was the config
		list = list.get("layers")
	}
	if list == nil || list.list == nil {
		return nil, n.errorf("the Keras model has no list config.layers")
	}
	r := kerasReader{layers: make([]nn.Layer, 0, len(list.list))}
	for i, item := range list.list {
		if err := r.layer(item, i == 0); err != nil {
			return nil, err
		}
	}
	return r.layers, nil
}

// A kerasReader reads the layers of a Keras model.
type kerasReader struct {
	layers []nn.Layer

	// shape is that of an input of several dimensions, until a Flatten makes
	// rows of it, as they come in anyway.
	shape *node
}

// layer reads one layer, which is none if it is an InputLayer or a Flatten.
func (r *kerasReader) layer(n *node, first bool) *SpecError {
	class, config := n.get("class_name"), n.get("config")
	if class == nil || config == nil || config.fields == nil {
		return n.errorf("a Keras layer is a mapping of class_name and config, got %s", n)
	}
	name, ok := class.value.(string)
	if !ok {
		return class.errorf("class_name must be a text, got %s", class)
	}
	if err := r.input(config); err != nil {
		return err
	}
	switch {
	case name == "InputLayer" && !first:
		return n.errorf("an InputLayer may only come first")
	case name == "InputLayer":
		return nil
	case name == "Flatten":
		r.shape = nil
	case r.shape != nil:
		return class.errorf("%s gets an input of the shape %s, but only rows of numbers are supported: "+
			"put a Flatten before it", name, shapeForm(r.shape))
	}
	if err := checkKerasConfig(name, config); err != nil {
		return err
	}
	args, ok := kerasValue(config).(map[string]any)
	if !ok {
		return config.errorf("config must be a mapping, got %s", config)
	}
	layer, err := nn.ParseLayer(nn.Config{Name: name, Args: args})
	if err != nil {
		return locateKeras(class, config, err)
	}
	if name != "Flatten" {
		r.layers = append(r.layers, layer)
	}
	return nil
}

// locateKeras gives an error of package nn its place in a layer of a Keras model.
func locateKeras(class, config *node, err error) *SpecError {
	located := locateConfig(class, config, err)
	if located.Line == 0 {
		located.Line, located.Column = class.line, class.column
	}
	return located
}

// input reads the shape that a layer says its input has.
func (r *kerasReader) input(config *node) *SpecError {
	for _, key := range []string{"batch_shape", "batch_input_shape"} {
		shape := config.get(key)
		if shape.isNull() {
			continue
		}
		if len(shape.list) < 2 {
			return shape.errorf("the input must have the shape [null, width], or more dimensions before a Flatten, got %s", shapeForm(shape))
		}
		for _, dim := range shape.list[1:] {
			if d, ok := dim.value.(int64); !ok || d < 1 {
				return dim.errorf("the shape of the input must have known dimensions after the first, got %s", shapeForm(shape))
			}
		}
		if len(shape.list) > 2 {
			r.shape = shape
		}
	}
	return nil
}

// shapeForm writes a shape as Keras does.
func shapeForm(n *node) string {
	if n.list == nil {
		return n.String()
	}
	return shorten(flowForm(n))
}

// checkKerasConfig refuses settings that package nn would pass over although
// they change what the layer does.
func checkKerasConfig(name string, config *node) *SpecError {
	if t := config.get("trainable"); t != nil && t.value == false {
		return t.errorf("%s.trainable: frozen layers are not supported, got false", name)
	}
	for _, key := range []string{"kernel_constraint", "bias_constraint", "activity_regularizer", "quantization_config"} {
		if v := config.get(key); !v.isNull() {
			return v.errorf("%s.%s is not supported, got %s", name, key, v)
		}
	}
	dtype := config.get("dtype")
	if dtype.isNull() {
		return nil
	}
	if policy := dtype.get("config"); policy != nil && !policy.get("name").isNull() {
		dtype = policy.get("name")
	}
	if dtype.value != "float32" {
		return dtype.errorf("%s.dtype: only float32 is supported, got %s", name, dtype)
	}
	return nil
}

// kerasValue returns n as plain values, without what Keras 3 adds to each
// object to find its class again.
func kerasValue(n *node) any {
	if n.fields == nil && n.list == nil {
		return n.any()
	}
	if n.list != nil {
		out := make([]any, len(n.list))
		for i, item := range n.list {
			out[i] = kerasValue(item)
		}
		return out
	}
	out := make(map[string]any, len(n.fields))
	object := n.get("class_name") != nil
	for _, f := range n.fields {
		if object && slices.Contains([]string{"module", "registered_name", "build_config", "shared_object_id"}, f.key) {
			continue
		}
		out[f.key] = kerasValue(f.value)
	}
	return out
}
