package model_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model"
)

// keras2 is the form of Sequential.to_json() in Keras 2.
const keras2 = `{"class_name": "Sequential", "config": {"name": "sequential", "layers": [
  {"class_name": "InputLayer", "config": {"batch_input_shape": [null, 2], "dtype": "float32", "sparse": false, "ragged": false, "name": "dense_input"}},
  {"class_name": "Dense", "config": {"name": "dense", "trainable": true, "batch_input_shape": [null, 2], "dtype": "float32", "units": 8, "activation": "relu", "use_bias": true,
    "kernel_initializer": {"class_name": "HeNormal", "config": {"seed": null}}, "bias_initializer": {"class_name": "Zeros", "config": {}},
    "kernel_regularizer": {"class_name": "L2", "config": {"l2": 0.01}}, "bias_regularizer": null, "activity_regularizer": null, "kernel_constraint": null, "bias_constraint": null}},
  {"class_name": "Dropout", "config": {"name": "dropout", "trainable": true, "dtype": "float32", "rate": 0.25, "noise_shape": null, "seed": null}},
  {"class_name": "Dense", "config": {"name": "dense_1", "trainable": true, "dtype": "float32", "units": 3, "activation": "softmax", "use_bias": true,
    "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": null}}, "bias_initializer": {"class_name": "Zeros", "config": {}},
    "kernel_regularizer": null, "bias_regularizer": null, "activity_regularizer": null, "kernel_constraint": null, "bias_constraint": null}}
]}, "keras_version": "2.11.0", "backend": "tensorflow"}`

// keras3 is the form of Sequential.to_json() in Keras 3, of the same network.
const keras3 = `{"module": "keras", "class_name": "Sequential", "config": {"name": "sequential", "trainable": true,
 "dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": null}, "layers": [
  {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [null, 2], "dtype": "float32", "sparse": false, "ragged": false, "name": "input_layer"}, "registered_name": null},
  {"module": "keras.layers", "class_name": "Dense", "config": {"name": "dense", "trainable": true,
    "dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": null},
    "units": 8, "activation": "relu", "use_bias": true,
    "kernel_initializer": {"module": "keras.initializers", "class_name": "HeNormal", "config": {"seed": null}, "registered_name": null},
    "bias_initializer": {"module": "keras.initializers", "class_name": "Zeros", "config": {}, "registered_name": null},
    "kernel_regularizer": {"module": "keras.regularizers", "class_name": "L2", "config": {"l2": 0.01}, "registered_name": null},
    "bias_regularizer": null, "kernel_constraint": null, "bias_constraint": null},
    "registered_name": null, "build_config": {"input_shape": [null, 2]}},
  {"module": "keras.layers", "class_name": "Dropout", "config": {"name": "dropout", "trainable": true,
    "dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": null},
    "rate": 0.25, "seed": null, "noise_shape": null}, "registered_name": null, "build_config": {"input_shape": [null, 8]}},
  {"module": "keras.layers", "class_name": "Dense", "config": {"name": "dense_1", "trainable": true,
    "dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": null},
    "units": 3, "activation": "softmax", "use_bias": true,
    "kernel_initializer": {"module": "keras.initializers", "class_name": "GlorotUniform", "config": {"seed": null}, "registered_name": null},
    "bias_initializer": {"module": "keras.initializers", "class_name": "Zeros", "config": {}, "registered_name": null},
    "kernel_regularizer": null, "bias_regularizer": null, "kernel_constraint": null, "bias_constraint": null},
    "registered_name": null, "build_config": {"input_shape": [null, 8]}}],
  "build_input_shape": [null, 2]}, "registered_name": null, "build_config": {"input_shape": [null, 2]},
  "compile_config": {"optimizer": "adam", "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}}`

const kerasHead = `name: k
features: [{name: length, type: number}, {name: width, type: number}]
label: {name: species, type: category, classes: [setosa, versicolor, virginica]}
`

// kerasBlock indents a JSON text as a block scalar; its first line is line 5 of the spec.
func kerasBlock(json string) string {
	return kerasHead + "network: |\n    " + strings.ReplaceAll(json, "\n", "\n    ") + "\n"
}

func TestKerasForms(t *testing.T) {
	want := string(mustJSON(t, mustParse(t, kerasHead+`network:
  - Dense: {units: 8, activation: relu, kernel_initializer: he_normal, kernel_regularizer: {L2: {l2: 0.01}}}
  - Dropout: {rate: 0.25}
  - Dense: {units: 3, activation: softmax, kernel_initializer: glorot_uniform}
`)))
	network := func(s string) string {
		// The initializers are spelled in several ways that mean the same.
		s = s[strings.Index(s, `"network"`):]
		return strings.NewReplacer(`"bias_initializer":"zeros",`, "", `"bias_initializer":"Zeros",`, "",
			"HeNormal", "he_normal", "GlorotUniform", "glorot_uniform").Replace(s)
	}
	for name, spec := range map[string]string{
		"Keras 2 mapping":       kerasHead + "network: " + strings.ReplaceAll(keras2, "\n", " ") + "\n",
		"Keras 2 block":         kerasBlock(keras2),
		"Keras 3 block":         kerasBlock(keras3),
		"Keras 3 folded":        kerasHead + "network: >\n  " + strings.ReplaceAll(keras3, "\n", "\n  ") + "\n",
		"Keras 3 quoted":        kerasHead + "network: '" + strings.ReplaceAll(keras3, "\n", " ") + "'\n",
		"Keras 3 within a JSON": `{"name": "k", "features": [{"name": "length", "type": "number"}, {"name": "width", "type": "number"}], "label": {"name": "species", "type": "category", "classes": ["setosa", "versicolor", "virginica"]}, "network": ` + keras3 + "}",
	} {
		t.Run(name, func(t *testing.T) {
			s := mustParse(t, spec)
			if got := string(mustJSON(t, s)); network(got) != network(want) {
				t.Errorf("network\n got %s\nwant %s", network(got), network(want))
			}
			m, report := fit(t, s, flowers(t, &s.Schema, 60, 1), model.FitOptions{})
			if want := 2*8 + 8 + 8*3 + 3; report.Params != want {
				t.Errorf("Params = %d, want %d: the output layer is there already", report.Params, want)
			}
			decode(t, encode(t, m))
		})
	}
}

func TestKerasRefusals(t *testing.T) {
	tests := []struct {
		name      string
		old, text string
		line      int
		want      []string
	}{
		{"convolution", `"class_name": "Dropout"`, `"class_name": "Conv2D"`, 10, []string{"Conv2D"}},
		{"functional", `"class_name": "Sequential"`, `"class_name": "Functional"`, 5, []string{"Functional", "Sequential"}},
		{"nested model", `"class_name": "Dropout"`, `"class_name": "Sequential"`, 10, []string{"Sequential"}},
		{"activation", `"activation": "relu"`, `"activation": "swish_2"`, 7, []string{"swish_2"}},
		{"image input", `"batch_input_shape": [null, 2], "dtype": "float32", "sparse"`, `"batch_input_shape": [null, 28, 28], "dtype": "float32", "sparse"`, 7, []string{"Dense", "[null, 28, 28]", "Flatten"}},
		{"no input", `"batch_input_shape": [null, 2], "dtype": "float32", "sparse"`, `"batch_input_shape": [null], "dtype": "float32", "sparse"`, 6, []string{"[null, width]", "[null]"}},
		{"unknown width", `"batch_input_shape": [null, 2], "dtype": "float32", "sparse"`, `"batch_input_shape": [null, null], "dtype": "float32", "sparse"`, 6, []string{"[null, null]"}},
		{"flattened in another order", `{"class_name": "Dropout", "config": {"name": "dropout"`, `{"class_name": "Flatten", "config": {"data_format": "channels_first", "name": "flatten"`, 10, []string{"Flatten.data_format", "channels_first"}},
		{"unknown argument of Flatten", `{"class_name": "Dropout", "config": {"name": "dropout"`, `{"class_name": "Flatten", "config": {"name": "flatten"`, 10, []string{"Flatten.noise_shape"}},
		{"half precision", `"name": "dropout", "trainable": true, "dtype": "float32"`, `"name": "dropout", "trainable": true, "dtype": "mixed_float16"`, 10, []string{"Dropout.dtype", "mixed_float16"}},
		{"frozen layer", `"name": "dropout", "trainable": true`, `"name": "dropout", "trainable": false`, 10, []string{"Dropout.trainable"}},
		{"constraint", `"bias_constraint": null}},` + "\n" + `  {"class_name": "Dropout"`, `"bias_constraint": {"class_name": "NonNeg", "config": {}}}},` + "\n" + `  {"class_name": "Dropout"`, 9, []string{"bias_constraint"}},
		{"cut off", `"backend": "tensorflow"}`, `"backend": `, 14, []string{"JSON"}},
		{"no layers", `"layers"`, `"tiers"`, 5, []string{"config.layers"}},
		{"another output width", `"units": 3`, `"units": 4`, 5, []string{"softmax over 4", "3 classes"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(keras2, tt.old) {
				t.Fatalf("the model has no %q", tt.old)
			}
			_, err := model.ParseSpec([]byte(kerasBlock(strings.Replace(keras2, tt.old, tt.text, 1))))
			e, ok := errors.AsType[*model.SpecError](err)
			if !ok {
				t.Fatalf("error = %v, want a SpecError", err)
			}
			if e.Line != tt.line && tt.name != "another output width" {
				t.Errorf("line = %d, want %d (%v)", e.Line, tt.line, err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

// TestKerasFlatten reads models of images: rows are flat already, so that a Flatten
// of the input adds nothing.
func TestKerasFlatten(t *testing.T) {
	const (
		head  = "name: k\nfeatures: [{name: pixels, type: vector, size: 784}]\nlabel: {name: digit, type: category}\nnetwork: "
		dense = `{"class_name": "Dense", "config": {"name": "dense", "units": 8, "activation": "relu"}}`
	)
	want := string(mustJSON(t, mustParse(t, head+"[{Dense: {units: 8, activation: relu}}]")))
	for name, layers := range map[string]string{
		"Keras 3": `{"class_name": "InputLayer", "config": {"batch_shape": [null, 28, 28], "dtype": "float32", "name": "i"}},
			{"class_name": "Flatten", "config": {"name": "flatten", "trainable": true, "dtype": {"class_name": "DTypePolicy", "config": {"name": "float32"}}, "data_format": "channels_last"}}, ` + dense,
		"Keras 2": `{"class_name": "Flatten", "config": {"name": "flatten", "trainable": true, "batch_input_shape": [null, 28, 28, 1], "dtype": "float32", "data_format": "channels_last"}}, ` + dense,
		"of rows": dense + `, {"class_name": "Flatten", "config": {"name": "flatten"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			text := `{"class_name": "Sequential", "config": {"layers": [` + strings.ReplaceAll(strings.ReplaceAll(layers, "\n", " "), "\t", "") + `]}}`
			if got := string(mustJSON(t, mustParse(t, head+text))); got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
		})
	}
}

// TestKerasIsNoSpec gives a document where a spec is due.
func TestKerasIsNoSpec(t *testing.T) {
	for name, text := range map[string]string{"Keras 2": keras2, "Keras 3": keras3} {
		_, err := model.ParseSpec([]byte(text))
		if err == nil || !strings.Contains(err.Error(), "Keras") || !strings.Contains(err.Error(), "network:") {
			t.Errorf("%s: error = %v, want one that tells of Keras and network:", name, err)
		}
	}
}
