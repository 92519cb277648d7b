package nn_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model/kernel/kerneltest"
	"github.com/modelbus/modelbus/model/nn"
)

// forward allows for float32 sums of a few terms of the order of 1.
func forwardTolerance() kerneltest.Tolerance { return kerneltest.Tolerance{Rel: 1e-6, Abs: 2e-6} }

// everyActivation returns the names of all activations.
func everyActivation(t *testing.T) []string {
	t.Helper()
	_, err := nn.ParseLayer(nn.Config{Name: "Activation", Args: map[string]any{"activation": "?"}})
	if err == nil {
		t.Fatal("there is an activation called ?")
	}
	_, list, _ := strings.Cut(err.Error(), "known: ")
	names := strings.Split(strings.TrimSuffix(list, ")"), ", ")
	if len(names) < 9 {
		t.Fatalf("activations are %v, from %v", names, err)
	}
	return names
}

// activationReference returns Keras's definition of an activation on one row, NaN
// for one it does not know.
func activationReference(name string, row []float64) []float64 {
	out := make([]float64, len(row))
	sum := 0.0
	for i, v := range row {
		switch name {
		case "linear":
			out[i] = v
		case "relu":
			out[i] = math.Max(v, 0)
		case "leaky_relu":
			out[i] = math.Max(v, 0.2*v)
		case "elu":
			out[i] = v
			if v < 0 {
				out[i] = math.Exp(v) - 1
			}
		case "gelu":
			out[i] = v / 2 * (1 + math.Erf(v/math.Sqrt2))
		case "sigmoid":
			out[i] = 1 / (1 + math.Exp(-v))
		case "tanh":
			out[i] = math.Sinh(v) / math.Cosh(v)
		case "softplus":
			out[i] = math.Log(1 + math.Exp(v))
		case "softmax":
			out[i] = math.Exp(v)
			sum += out[i]
		default:
			out[i] = math.NaN()
		}
	}
	if name == "softmax" {
		for i := range out {
			out[i] /= sum
		}
	}
	return out
}

func TestActivations(t *testing.T) {
	row := []float32{-3, -1, -0.25, 0, 0.5, 1, 4}
	for _, name := range everyActivation(t) {
		t.Run(name, func(t *testing.T) {
			n := build(t, len(row), nn.Activation{Activation: name})
			got := predict(n, row)
			if err := kerneltest.Compare(forwardTolerance(), got, activationReference(name, widen(row))); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestActivationLayers has Keras's defaults and the fields beside them.
func TestActivationLayers(t *testing.T) {
	row := []float32{-2, -0.5, 0, 3}
	elu := func(alpha float64) []float64 {
		return []float64{alpha * (math.Exp(-2) - 1), alpha * (math.Exp(-0.5) - 1), 0, 3}
	}
	tests := []struct {
		name  string
		layer nn.Layer
		want  []float64
	}{
		{"ReLU", nn.ReLU{}, []float64{0, 0, 0, 3}},
		{"ReLU with a slope", nn.ReLU{NegativeSlope: 0.5}, []float64{-1, -0.25, 0, 3}},
		{"LeakyReLU", nn.LeakyReLU{}, []float64{-0.6, -0.15, 0, 3}},
		{"LeakyReLU with a slope", nn.LeakyReLU{NegativeSlope: 0.01}, []float64{-0.02, -0.005, 0, 3}},
		{"ELU", nn.ELU{}, elu(1)},
		{"ELU with an alpha", nn.ELU{Alpha: 0.4}, elu(0.4)},
		{"Softmax", nn.Softmax{}, activationReference("softmax", widen(row))},
		{"Activation", nn.Activation{Activation: "tanh"}, activationReference("tanh", widen(row))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := kerneltest.Compare(forwardTolerance(), predict(build(t, 4, tt.layer), row), tt.want); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestActivationsFarOut shows that no activation overflows into NaN.
func TestActivationsFarOut(t *testing.T) {
	row := []float32{-1e4, 1e4}
	tests := []struct {
		name string
		want []float64
	}{
		{"relu", []float64{0, 1e4}},
		{"leaky_relu", []float64{-2000, 1e4}},
		{"elu", []float64{-1, 1e4}},
		{"gelu", []float64{0, 1e4}},
		{"sigmoid", []float64{0, 1}},
		{"tanh", []float64{-1, 1}},
		{"softplus", []float64{0, 1e4}},
		{"softmax", []float64{0, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := predict(build(t, 2, nn.Activation{Activation: tt.name}), row)
			if err := kerneltest.Compare(forwardTolerance(), got, tt.want); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestForwardAgainstReference computes a network of every layer with parameters
// naively, in float64, from its parameters' published names and shapes.
func TestForwardAgainstReference(t *testing.T) {
	const rows, inputs = 5, 4
	n := build(t, inputs,
		nn.Embedding{Columns: []nn.EmbeddingColumn{{Column: 3, InputDim: 6, OutputDim: 2}, {Column: 1, InputDim: 3, OutputDim: 3}}},
		nn.Dense{Units: 6, Activation: "relu"},
		nn.BatchNormalization{Epsilon: 0.01},
		nn.Dropout{Rate: 0.5},
		nn.Dense{Units: 5, Activation: "gelu", NoBias: true},
		nn.LayerNormalization{},
		nn.Dense{Units: 3, Activation: "softmax"},
	)
	r := rand.New(rand.NewPCG(1, 1))
	params := map[string]*nn.Param{}
	for _, p := range n.Params() {
		params[p.Name] = p
		for i := range p.Value {
			p.Value[i] = r.Float32()*2 - 1
			if strings.HasSuffix(p.Name, "variance") {
				p.Value[i] = 0.5 + r.Float32()
			}
		}
	}
	x := make([]float32, 0, rows*inputs)
	for range rows {
		x = append(x, r.Float32(), float32(r.IntN(3)), r.Float32(), float32(r.IntN(6)))
	}
	var want []float64
	for i := range rows {
		row := widen(x[i*inputs : (i+1)*inputs])
		v := []float64{row[0]}
		v = append(v, vector(params["embedding.embeddings_1"], int(row[1]))...)
		v = append(v, row[2])
		v = append(v, vector(params["embedding.embeddings_3"], int(row[3]))...)
		v = activationReference("relu", affine(v, params["dense.kernel"], params["dense.bias"]))
		for j := range v {
			at := func(name string) float64 { return float64(params["batch_normalization."+name].Value[j]) }
			v[j] = (v[j]-at("moving_mean"))/math.Sqrt(at("moving_variance")+0.01)*at("gamma") + at("beta")
		}
		v = activationReference("gelu", affine(v, params["dense_1.kernel"], nil))
		v = normalize(v, 1e-3)
		for j := range v {
			v[j] = v[j]*float64(params["layer_normalization.gamma"].Value[j]) + float64(params["layer_normalization.beta"].Value[j])
		}
		want = append(want, activationReference("softmax", affine(v, params["dense_2.kernel"], params["dense_2.bias"]))...)
	}
	if err := kerneltest.Compare(forwardTolerance(), predict(n, x), want); err != nil {
		t.Error(err)
	}
}

func TestEmbeddingWithoutColumnsIsKeras(t *testing.T) {
	n := build(t, 2, nn.Embedding{InputDim: 3, OutputDim: 2})
	table := n.Params()[0]
	copy(table.Value, []float32{0, 1, 10, 11, 20, 21})
	got := predict(n, []float32{2, 0, 1, 1})
	want := []float32{20, 21, 0, 1, 10, 11, 10, 11}
	if err := kerneltest.Compare(kerneltest.Tolerance{}, got, want); err != nil {
		t.Error(err)
	}
}

func TestEmbeddingTakesAnyIndex(t *testing.T) {
	n := build(t, 1, nn.Embedding{InputDim: 3, OutputDim: 1})
	copy(n.Params()[0].Value, []float32{0, 1, 2})
	inf := float32(math.Inf(1))
	got := predict(n, []float32{-1, -inf, 0.9, 1, 3, 1e30, inf, float32(math.NaN())})
	want := []float32{0, 0, 0, 1, 2, 2, 2, 0}
	if err := kerneltest.Compare(kerneltest.Tolerance{}, got, want); err != nil {
		t.Error(err)
	}
}

// TestScikitLearnForward is the forward pass of scikit-learn's
// sklearn/neural_network/tests/test_mlp.py test_fit.
func TestScikitLearnForward(t *testing.T) {
	var f struct {
		W1      [][]float32
		B1      []float32 `json:"b1"`
		W2      []float32
		B2      float32 `json:"b2"`
		Forward struct {
			H []float64
			O float64
		}
	}
	fixture(t, "sklearn_mlp_test_fit.json", &f)
	n := build(t, 3, nn.Dense{Units: 2, Activation: "sigmoid"}, nn.Dense{Units: 1, Activation: "sigmoid"})
	for i, row := range f.W1 {
		copy(n.Params()[0].Value[i*2:], row)
	}
	copy(n.Params()[1].Value, f.B1)
	copy(n.Params()[2].Value, f.W2)
	n.Params()[3].Value[0] = f.B2
	got := predict(n, []float32{0.6, 0.8, 0.7})
	if err := kerneltest.Compare(forwardTolerance(), got, []float64{f.Forward.O}); err != nil {
		t.Error(err)
	}
}

func build(t *testing.T, inputs int, layers ...nn.Layer) *nn.Network {
	t.Helper()
	n, err := nn.New(inputs, layers, 1)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// predict returns the outputs of n for all rows of x.
func predict(n *nn.Network, x []float32) []float32 {
	rows := len(x) / n.Inputs()
	y := make([]float32, rows*n.Outputs())
	n.NewPredictor().Predict(y, x, rows)
	return y
}

func widen(x []float32) []float64 {
	wide := make([]float64, len(x))
	for i, v := range x {
		wide[i] = float64(v)
	}
	return wide
}

func vector(table *nn.Param, i int) []float64 {
	return widen(table.Value[i*table.Shape[1] : (i+1)*table.Shape[1]])
}

// affine is x·W + b; b may be nil.
func affine(x []float64, kernel, bias *nn.Param) []float64 {
	out := kernel.Shape[1]
	y := make([]float64, out)
	for j := range y {
		for i, v := range x {
			y[j] += v * float64(kernel.Value[i*out+j])
		}
		if bias != nil {
			y[j] += float64(bias.Value[j])
		}
	}
	return y
}

// normalize gives a row mean 0 and variance 1.
func normalize(x []float64, epsilon float64) []float64 {
	var mean, variance float64
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(len(x))
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = (v - mean) / math.Sqrt(variance+epsilon)
	}
	return y
}

func fixture(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}
