package model

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/nn"
)

// ParseSpec parses a spec in YAML or JSON. It is strict: an unknown key, a
// doubled key or a value of the wrong type is a *SpecError with its line and,
// for a mistyped word, the nearest right one. Defaults are left as zero values.
func ParseSpec(text []byte) (*Spec, error) {
	root, err := parseDocument(text)
	if err != nil {
		return nil, err
	}
	s, err := parseSpec(root)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// sections returns the keys of a spec in canonical order.
func sections() []string {
	return []string{"name", "description", "features", "label", "network", "optimizer", "loss", "training", "serving", "retrain", "capture"}
}

func parseSpec(root *node) (*Spec, *SpecError) {
	if root.fields == nil {
		return nil, root.errorf("a spec is a mapping of keys to values, got %s", root)
	}
	if root.get("class_name") != nil && root.get("config") != nil {
		return nil, root.errorf("this is a Keras to_json() document, which says nothing of features and label: " +
			"write a spec with name, features and label (`modelbus init` does) and put the document under network:")
	}
	for _, f := range root.fields {
		if slices.Contains(sections(), f.key) {
			continue
		}
		return nil, f.errorf("%s", unknownWord("key", f.key, sections()))
	}
	for _, key := range []string{"name", "features", "label"} {
		if root.get(key).isNull() {
			return nil, root.errorf("a spec needs the key %q", key)
		}
	}
	s := &Spec{}
	if err := parseSections(root, s); err != nil {
		return nil, err
	}
	if f := firstFault(s.faults()); f != nil {
		return nil, f.locate(root)
	}
	if err := checkExplicitZeros(root); err != nil {
		return nil, err
	}
	return s, nil
}

func parseSections(root *node, s *Spec) *SpecError {
	for _, part := range []struct {
		key string
		dst any
	}{
		{"name", &s.Name},
		{"description", &s.Description},
		{"features", &s.Schema.Features},
		{"label", &s.Schema.Label},
		{"serving", &s.Serving},
		{"retrain", &s.Retrain},
		{"capture", &s.Capture},
	} {
		if err := decodeInto(root.get(part.key), reflect.ValueOf(part.dst).Elem(), part.key); err != nil {
			return err
		}
	}
	adoptFills(root, s.Schema.Features)
	if err := parseTraining(root.get("training"), &s.Training); err != nil {
		return err
	}
	var err *SpecError
	if s.Network, err = parseNetwork(root.get("network")); err != nil {
		return err
	}
	if err := parseObject(&s.Optimizer, root.get("optimizer"), "optimizer", nn.ParseOptimizer); err != nil {
		return err
	}
	return parseObject(&s.Loss, root.get("loss"), "loss", nn.ParseLoss)
}

// adoptFills takes the fill of a category as it is written, so that "fill: 0"
// means the category "0".
func adoptFills(root *node, features []feature.Feature) {
	items := root.get("features").list
	for i := range features {
		if i >= len(items) || features[i].Type != feature.Category {
			continue
		}
		if fill := items[i].get("fill"); !fill.isNull() {
			features[i].Fill = fill.text
		}
	}
}

func parseTraining(n *node, t *Training) *SpecError {
	if n != nil {
		// "class_weight: balanced" is how scikit-learn's users write it.
		if w := n.get("class_weight"); w != nil && w.value == balanced {
			w.fields = []field{{position: w.position, key: balanced, value: &node{position: w.position, value: int64(1), text: "1"}}}
		}
	}
	return decodeInto(n, reflect.ValueOf(t).Elem(), "training")
}

// parseNetwork reads a list of layers, or a Keras model as a mapping or as a
// JSON text.
func parseNetwork(n *node) ([]nn.Layer, *SpecError) {
	if n.isNull() {
		return nil, nil
	}
	if n.list == nil {
		return parseKeras(n)
	}
	layers := make([]nn.Layer, 0, len(n.list))
	for _, item := range n.list {
		if item.isNull() {
			return nil, item.errorf("an entry of network is empty, write a layer such as Dense: {units: 16, activation: relu}")
		}
		var layer nn.Layer
		if err := parseObject(&layer, item, "layer", nn.ParseLayer); err != nil {
			return nil, err
		}
		layers = append(layers, layer)
	}
	return layers, nil
}

// parseObject sets dst from "Name" or "Name: {arguments}" by parse. Null leaves
// it as it is.
func parseObject[T any](dst *T, n *node, kind string, parse func(nn.Config) (T, error)) *SpecError {
	if n.isNull() {
		return nil
	}
	c, args, err := objectConfig(n, kind)
	if err != nil {
		return err
	}
	object, parseErr := parse(c)
	if parseErr != nil {
		return locateConfig(n, args, parseErr)
	}
	*dst = object
	return nil
}

// objectConfig reads the neutral form of an object; args is the node of its
// arguments, nil if there are none.
func objectConfig(n *node, kind string) (c nn.Config, args *node, err *SpecError) {
	if name, ok := n.value.(string); ok {
		return nn.Config{Name: name}, nil, nil
	}
	if len(n.fields) != 1 {
		return c, nil, n.errorf("a %s is written as Name or Name: {argument: value}, got %s", kind, n)
	}
	name, args := n.fields[0].key, n.fields[0].value
	if args.isNull() {
		return nn.Config{Name: name}, nil, nil
	}
	values, ok := args.any().(map[string]any)
	if !ok {
		return c, nil, args.errorf("the arguments of %s must be a mapping such as {argument: value}, got %s", name, args)
	}
	return nn.Config{Name: name, Args: values}, args, nil
}

// locateConfig gives an error of package nn its place: the argument it names,
// as deep as the message tells, else the object.
func locateConfig(object, args *node, err error) *SpecError {
	config, ok := errors.AsType[*nn.ConfigError](err)
	if !ok {
		return object.errorf("%v", err)
	}
	at, key := object.position, config.Key
	if len(object.fields) == 1 {
		at = object.fields[0].position
	}
	for key != "" && args != nil {
		i := slices.IndexFunc(args.fields, func(f field) bool { return f.key == key })
		if i < 0 {
			break
		}
		f := args.fields[i]
		at = f.position
		if !strings.Contains(config.Msg, "unknown argument") && !f.value.isNull() {
			at = f.value.position
		}
		args, key = innerArgument(f.value, config.Msg)
	}
	return at.errorf("%v", config)
}

// innerArgument returns the arguments of the object that n describes and the
// one of them that msg is about, if any.
func innerArgument(n *node, msg string) (args *node, key string) {
	args = n.get("config")
	if args == nil && len(n.fields) == 1 {
		args = n.fields[0].value
	}
	if args == nil {
		return nil, ""
	}
	for _, f := range args.fields {
		if strings.Contains(msg, "."+f.key+": ") {
			return args, f.key
		}
	}
	return nil, ""
}
