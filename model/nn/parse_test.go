package nn_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model/nn"
)

// decode returns the config {name: arguments} of a JSON dictionary.
func decode(t *testing.T, text string) nn.Config {
	t.Helper()
	var m map[string]map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	for name, args := range m {
		return nn.Config{Name: name, Args: args}
	}
	return nn.Config{}
}

func TestParseLayer(t *testing.T) {
	tests := []struct {
		name, text string
		want       nn.Layer
	}{
		{"short Dense", `{"Dense": {"units": 16, "activation": "relu"}}`, nn.Dense{Units: 16, Activation: "relu"}},
		{
			"Keras 3 Dense", `{"Dense": {"name": "dense", "trainable": true,
			"dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": null},
			"units": 3, "activation": "linear", "use_bias": true,
			"kernel_initializer": {"module": "keras.initializers", "class_name": "GlorotUniform", "config": {"seed": null}, "registered_name": null},
			"bias_initializer": {"module": "keras.initializers", "class_name": "Zeros", "config": {}, "registered_name": null},
			"kernel_regularizer": {"module": "keras.regularizers", "class_name": "L2", "config": {"l2": 0.5}, "registered_name": null},
			"bias_regularizer": null, "kernel_constraint": null, "bias_constraint": null, "quantization_config": null}}`,
			nn.Dense{
				Units: 3, Activation: "linear", KernelInitializer: nn.Initializer{Name: "glorot_uniform"},
				BiasInitializer: nn.Initializer{Name: "zeros"}, KernelRegularizer: nn.Regularizer{L2: 0.5},
			},
		},
		{
			"Keras 2 Dense", `{"Dense": {"name": "dense", "trainable": true, "batch_input_shape": [null, 4], "dtype": "float32",
			"units": 3, "activation": "softmax", "use_bias": false, "kernel_initializer": {"class_name": "HeNormal", "config": {"seed": 3}},
			"kernel_regularizer": {"class_name": "L1L2", "config": {"l1": 0.25, "l2": 0.5}}, "activity_regularizer": null}}`,
			nn.Dense{
				Units: 3, Activation: "softmax", NoBias: true, KernelInitializer: nn.Initializer{Name: "he_normal"},
				KernelRegularizer: nn.Regularizer{L1: 0.25, L2: 0.5},
			},
		},
		{
			"nested in our form", `{"Dense": {"units": 1, "kernel_regularizer": {"L1": {"l1": 0.5}}, "bias_regularizer": "l2",
			"kernel_initializer": {"RandomNormal": {"mean": 1, "stddev": 2}}, "bias_initializer": {"constant": {"value": 3}}}}`,
			nn.Dense{
				Units: 1, KernelRegularizer: nn.Regularizer{L1: 0.5}, BiasRegularizer: nn.Regularizer{L2: 0.01},
				KernelInitializer: nn.Initializer{Name: "random_normal", Mean: 1, Stddev: 2},
				BiasInitializer:   nn.Initializer{Name: "constant", Value: 3},
			},
		},
		{"Dropout of nothing", `{"Dropout": {"rate": 0}}`, nn.Dropout{}},
		{
			"initializers with one end", `{"Dense": {"units": 1, "kernel_initializer": {"RandomUniform": {"maxval": 1}}, "bias_initializer": {"RandomUniform": {"minval": 0, "maxval": 1}}}}`,
			nn.Dense{
				Units: 1, KernelInitializer: nn.Initializer{Name: "random_uniform", Min: -0.05, Max: 1},
				BiasInitializer: nn.Initializer{Name: "random_uniform", Max: 1},
			},
		},
		{"Dropout", `{"Dropout": {"rate": 0.25, "seed": 7, "noise_shape": null}}`, nn.Dropout{Rate: 0.25}},
		{
			"BatchNormalization", `{"BatchNormalization": {"axis": -1, "momentum": 0.9, "epsilon": 0.01, "center": false, "scale": true,
			"moving_mean_initializer": "zeros", "moving_variance_initializer": {"class_name": "Ones", "config": {}}, "synchronized": false}}`,
			nn.BatchNormalization{Momentum: 0.9, Epsilon: 0.01, NoCenter: true},
		},
		{"Keras 2 axis", `{"BatchNormalization": {"axis": [1]}}`, nn.BatchNormalization{}},
		{"LayerNormalization", `{"LayerNormalization": {"axis": -1, "epsilon": 0.5, "scale": false, "rms_scaling": false}}`, nn.LayerNormalization{Epsilon: 0.5, NoScale: true}},
		{"Embedding", `{"Embedding": {"input_dim": 10, "output_dim": 4, "mask_zero": false, "input_length": 3}}`, nn.Embedding{InputDim: 10, OutputDim: 4}},
		{
			"Embedding of columns", `{"Embedding": {"columns": [{"column": 2, "input_dim": 10, "output_dim": 4}], "embeddings_initializer": "uniform"}}`,
			nn.Embedding{Columns: []nn.EmbeddingColumn{{Column: 2, InputDim: 10, OutputDim: 4}}, Initializer: nn.Initializer{Name: "random_uniform"}},
		},
		{"Activation", `{"Activation": {"activation": "gelu"}}`, nn.Activation{Activation: "gelu"}},
		{"ReLU", `{"ReLU": {"max_value": null, "negative_slope": 0.0, "threshold": 0.0}}`, nn.ReLU{}},
		{"LeakyReLU", `{"LeakyReLU": {"negative_slope": 0.1}}`, nn.LeakyReLU{NegativeSlope: 0.1}},
		{"Keras 2 LeakyReLU", `{"LeakyReLU": {"alpha": 0.1}}`, nn.LeakyReLU{NegativeSlope: 0.1}},
		{"ELU", `{"ELU": {"alpha": 2}}`, nn.ELU{Alpha: 2}},
		{"Softmax", `{"Softmax": {"axis": -1}}`, nn.Softmax{}},
		{"Flatten", `{"Flatten": {"data_format": "channels_last"}}`, nn.Flatten{}},
		{"InputLayer", `{"InputLayer": {"batch_shape": [null, 28, 28], "sparse": false, "ragged": false}}`, nn.InputLayer{Width: 784}},
		{"Keras 2 InputLayer", `{"InputLayer": {"batch_input_shape": [null, 4], "dtype": "float32", "sparse": false, "name": "input"}}`, nn.InputLayer{Width: 4}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := nn.ParseLayer(decode(t, tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Fatalf("ParseLayer = %+v, want %+v", got, tt.want)
			}
			again, err := nn.ParseLayer(got.Config())
			if err != nil {
				t.Fatalf("its own config: %v", err)
			}
			if !reflect.DeepEqual(again, got) {
				t.Errorf("its own config = %+v, want %+v", again, got)
			}
		})
	}
}

func TestParseLayerRefuses(t *testing.T) {
	tests := []struct {
		name, text string
		key        string // of the error
		hint       string // a word that must help
	}{
		{"unknown layer", `{"Conv2D": {}}`, "", "Conv2D"},
		{"misspelt layer", `{"Dens": {"units": 1}}`, "", `"Dense"`},
		{"layer in snake case", `{"batch_normalization": {}}`, "", `"BatchNormalization"`},
		{"misspelt argument", `{"Dense": {"unit": 3}}`, "unit", `"units"`},
		{"no units", `{"Dense": {}}`, "units", "0"},
		{"no units but null", `{"Dense": {"units": null}}`, "units", "0"},
		{"units of text", `{"Dense": {"units": "3"}}`, "units", `"3"`},
		{"units of 2.5", `{"Dense": {"units": 2.5}}`, "units", "2.5"},
		{"negative units", `{"Dense": {"units": -1}}`, "units", "-1"},
		{"enormous units", `{"Dense": {"units": 1e300}}`, "units", "1e+300"},
		{"misspelt activation", `{"Dense": {"units": 1, "activation": "rleu"}}`, "activation", `"relu"`},
		{"activation of a dictionary", `{"Dense": {"units": 1, "activation": {"class_name": "function"}}}`, "activation", "string"},
		{"constraint", `{"Dense": {"units": 1, "kernel_constraint": {"class_name": "MaxNorm", "config": {}}}}`, "kernel_constraint", "not supported"},
		{"frozen", `{"Dense": {"units": 1, "trainable": false}}`, "trainable", "false"},
		{"use_bias of a number", `{"Dense": {"units": 1, "use_bias": 1}}`, "use_bias", "true or false"},
		{"misspelt initializer", `{"Dense": {"units": 1, "kernel_initializer": "he_norml"}}`, "kernel_initializer", "he_normal"},
		{"deviation of 0", `{"Dense": {"units": 1, "kernel_initializer": {"RandomNormal": {"stddev": 0}}}}`, "kernel_initializer", "(0, ∞)"},
		{"empty range", `{"Dense": {"units": 1, "kernel_initializer": {"RandomUniform": {"minval": 1, "maxval": 1}}}}`, "kernel_initializer", "minval"},
		{"misspelt regularizer argument", `{"Dense": {"units": 1, "kernel_regularizer": {"L2": {"l1": 1}}}}`, "kernel_regularizer", "l2"},
		{"negative penalty", `{"Dense": {"units": 1, "kernel_regularizer": {"L2": {"l2": -1}}}}`, "kernel_regularizer", "-1"},
		{"no rate", `{"Dropout": {}}`, "rate", "missing"},
		{"rate of 1", `{"Dropout": {"rate": 1}}`, "rate", "[0, 1)"},
		{"momentum of 0", `{"BatchNormalization": {"momentum": 0}}`, "momentum", "(0, 1)"},
		{"another axis", `{"BatchNormalization": {"axis": 2}}`, "axis", "-1"},
		{"moving mean of ones", `{"BatchNormalization": {"moving_mean_initializer": "ones"}}`, "moving_mean_initializer", "zeros"},
		{"rms", `{"LayerNormalization": {"rms_scaling": true}}`, "rms_scaling", "not supported"},
		{"columns of numbers", `{"Embedding": {"columns": [1]}}`, "columns", "column"},
		{"doubled column", `{"Embedding": {"columns": [{"column": 1, "input_dim": 2, "output_dim": 2}, {"column": 1, "input_dim": 2, "output_dim": 2}]}}`, "columns", "1"},
		{"misspelt in column", `{"Embedding": {"columns": [{"column": 1, "input_dims": 2, "output_dim": 2}]}}`, "columns[0]", `"input_dim"`},
		{"both forms", `{"Embedding": {"input_dim": 1, "output_dim": 1, "columns": [{"column": 0, "input_dim": 2, "output_dim": 2}]}}`, "columns", "both"},
		{"masks", `{"Embedding": {"input_dim": 1, "output_dim": 1, "mask_zero": true}}`, "mask_zero", "not supported"},
		{"a table beyond float32 indices", `{"Embedding": {"input_dim": 100000000, "output_dim": 1}}`, "input_dim", "16777216"},
		{"no activation", `{"Activation": {}}`, "activation", "missing"},
		{"capped ReLU", `{"ReLU": {"max_value": 6}}`, "max_value", "not supported"},
		{"shape of -1", `{"InputLayer": {"batch_shape": [null, -1]}}`, "batch_shape", "-1"},
		{"channels first", `{"Flatten": {"data_format": "channels_first"}}`, "data_format", "channels_last"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			layer, err := nn.ParseLayer(decode(t, tt.text))
			refused, ok := errors.AsType[*nn.ConfigError](err)
			if !ok {
				t.Fatalf("ParseLayer = %+v, %v, want a ConfigError", layer, err)
			}
			if refused.Key != tt.key || !strings.Contains(refused.Error(), tt.hint) {
				t.Errorf("error %q about %q, want one about %q that says %s", refused, refused.Key, tt.key, tt.hint)
			}
		})
	}
}

func TestParseLoss(t *testing.T) {
	tests := []struct {
		name, text string
		want       nn.Loss
	}{
		{"function", `{"mean_squared_error": null}`, nn.MeanSquaredError{}},
		{"class", `{"MeanSquaredError": {"name": "mean_squared_error", "reduction": "sum_over_batch_size"}}`, nn.MeanSquaredError{}},
		{"short", `{"mse": {}}`, nn.MeanSquaredError{}},
		{"short capitals", `{"MAE": {}}`, nn.MeanAbsoluteError{}},
		{"mean_absolute_error", `{"mean_absolute_error": {}}`, nn.MeanAbsoluteError{}},
		{"huber", `{"Huber": {"delta": 2}}`, nn.Huber{Delta: 2}},
		{"binary", `{"BinaryCrossentropy": {"from_logits": true, "label_smoothing": 0.1, "axis": -1}}`, nn.BinaryCrossentropy{LabelSmoothing: 0.1}},
		{"categorical", `{"categorical_crossentropy": {"label_smoothing": 0}}`, nn.CategoricalCrossentropy{}},
		{"sparse", `{"SparseCategoricalCrossentropy": {"ignore_class": null, "from_logits": false}}`, nn.SparseCategoricalCrossentropy{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := nn.ParseLoss(decode(t, tt.text))
			if err != nil || got != tt.want {
				t.Fatalf("ParseLoss = %+v, %v, want %+v", got, err, tt.want)
			}
			if again, err := nn.ParseLoss(got.Config()); err != nil || again != got {
				t.Errorf("its own config = %+v, %v, want %+v", again, err, got)
			}
		})
	}
}

func TestParseLossRefuses(t *testing.T) {
	tests := []struct{ name, text, key, hint string }{
		{"unknown", `{"hinge": {}}`, "", "mean_squared_error"},
		{"misspelt", `{"mean_square_error": {}}`, "", `"mean_squared_error"`},
		{"sum", `{"mse": {"reduction": "sum"}}`, "reduction", "sum_over_batch_size"},
		{"delta of 0", `{"huber": {"delta": 0}}`, "delta", "(0, ∞)"},
		{"smoothing of 2", `{"binary_crossentropy": {"label_smoothing": 2}}`, "label_smoothing", "[0, 1]"},
		{"ignored class", `{"sparse_categorical_crossentropy": {"ignore_class": 0}}`, "ignore_class", "not supported"},
		{"argument of another", `{"mse": {"delta": 1}}`, "delta", "unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			loss, err := nn.ParseLoss(decode(t, tt.text))
			refused, ok := errors.AsType[*nn.ConfigError](err)
			if !ok {
				t.Fatalf("ParseLoss = %+v, %v, want a ConfigError", loss, err)
			}
			if refused.Key != tt.key || !strings.Contains(refused.Error(), tt.hint) {
				t.Errorf("error %q about %q, want one about %q that says %s", refused, refused.Key, tt.key, tt.hint)
			}
		})
	}
}

// FuzzParseLayer shows that no config panics, and that a layer that was parsed
// is its own config, can be built, or says why not, and predicts.
func FuzzParseLayer(f *testing.F) {
	f.Add("Dense", `{"units": 3, "activation": "gelu", "kernel_initializer": {"class_name": "HeNormal", "config": {"seed": 1}}}`)
	f.Add("Embedding", `{"columns": [{"column": 1, "input_dim": 3, "output_dim": 2}]}`)
	f.Add("BatchNormalization", `{"axis": [1], "momentum": 0.5, "beta_regularizer": {"L2": {"l2": 1}}}`)
	f.Add("InputLayer", `{"batch_shape": [null, 3]}`)
	f.Add("Dropout", `{"rate": 0.5}`)
	f.Fuzz(func(t *testing.T, name, text string) {
		var args map[string]any
		if json.Unmarshal([]byte(text), &args) != nil {
			return
		}
		layer, err := nn.ParseLayer(nn.Config{Name: name, Args: args})
		if err != nil {
			return
		}
		again, err := nn.ParseLayer(layer.Config())
		if err != nil || !reflect.DeepEqual(again, layer) {
			t.Fatalf("config of %+v gives %+v, %v", layer, again, err)
		}
		if d, ok := layer.(nn.Dense); ok && d.Units > 1000 {
			return
		}
		if e, ok := layer.(nn.Embedding); ok && (e.InputDim > 1000 || e.OutputDim > 1000 || len(e.Columns) > 0) {
			return
		}
		if n, err := nn.New(3, []nn.Layer{layer}, 1); err == nil {
			predict(n, []float32{1, 2, 3})
		}
	})
}

// FuzzParseLoss shows that no config panics, and that a loss is its own config.
func FuzzParseLoss(f *testing.F) {
	f.Add("huber", `{"delta": 2}`)
	f.Add("BinaryCrossentropy", `{"label_smoothing": 0.5, "reduction": "auto"}`)
	f.Fuzz(func(t *testing.T, name, text string) {
		var args map[string]any
		if json.Unmarshal([]byte(text), &args) != nil {
			return
		}
		loss, err := nn.ParseLoss(nn.Config{Name: name, Args: args})
		if err != nil {
			return
		}
		if again, err := nn.ParseLoss(loss.Config()); err != nil || again != loss {
			t.Fatalf("config of %+v gives %+v, %v", loss, again, err)
		}
	})
}
