package nn_test

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model/kernel/kerneltest"
	"github.com/modelbus/modelbus/model/nn"
)

// everyLayer is a network of all layers, for 4 inputs of which the last is an
// index.
func everyLayer() []nn.Layer {
	return []nn.Layer{
		nn.InputLayer{Width: 4},
		nn.Embedding{Columns: []nn.EmbeddingColumn{{Column: 3, InputDim: 7, OutputDim: 3}}},
		nn.Dense{Units: 70, Activation: "relu"},
		nn.BatchNormalization{},
		nn.Dropout{Rate: 0.3},
		nn.Dense{Units: 33, Activation: "gelu"},
		nn.LayerNormalization{},
		nn.LeakyReLU{},
		nn.Dense{Units: 20, Activation: "elu"},
		nn.Flatten{},
		nn.Activation{Activation: "softplus"},
		nn.Dense{Units: 3, Activation: "softmax"},
	}
}

func inputs(rows int) []float32 {
	x := make([]float32, 0, 4*rows)
	for i := range rows {
		f := float64(i)
		x = append(x, float32(math.Sin(f)), float32(math.Cos(3*f)), float32(math.Sin(7*f)), float32(i%7))
	}
	return x
}

func TestParamNames(t *testing.T) {
	n := build(t, 4, everyLayer()...)
	got := map[string][]int{}
	for _, p := range n.Params() {
		got[p.Name] = p.Shape
		if size := product(p.Shape); size != len(p.Value) || p.Trainable() && size != len(p.Grad) {
			t.Errorf("%s has %d values and %d derivatives for the shape %v", p.Name, len(p.Value), len(p.Grad), p.Shape)
		}
		if state := strings.Contains(p.Name, "moving_"); p.Trainable() == state {
			t.Errorf("%s: Trainable = %t", p.Name, p.Trainable())
		}
	}
	want := map[string][]int{
		"embedding.embeddings_3": {7, 3},
		"dense.kernel":           {6, 70}, "dense.bias": {70},
		"batch_normalization.gamma": {70}, "batch_normalization.beta": {70},
		"batch_normalization.moving_mean": {70}, "batch_normalization.moving_variance": {70},
		"dense_1.kernel": {70, 33}, "dense_1.bias": {33},
		"layer_normalization.gamma": {33}, "layer_normalization.beta": {33},
		"dense_2.kernel": {33, 20}, "dense_2.bias": {20},
		"dense_3.kernel": {20, 3}, "dense_3.bias": {3},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("params = %v, want %v", got, want)
	}
}

func product(shape []int) int {
	size := 1
	for _, n := range shape {
		size *= n
	}
	return size
}

func TestSameSeedSameBits(t *testing.T) {
	values := func(seed uint64) []float32 {
		n, err := nn.New(4, everyLayer(), seed)
		if err != nil {
			t.Fatal(err)
		}
		var all []float32
		for _, p := range n.Params() {
			all = append(all, p.Value...)
		}
		return all
	}
	if err := kerneltest.Compare(kerneltest.Tolerance{}, values(3), values(3)); err != nil {
		t.Errorf("same seed: %v", err)
	}
	if err := kerneltest.Compare(kerneltest.Tolerance{}, values(3), values(4)); err == nil {
		t.Error("seeds 3 and 4 give the same weights")
	}
}

// TestLayersDrawAlone shows that a layer's first weights do not depend on what
// the layers before it drew.
func TestLayersDrawAlone(t *testing.T) {
	a := build(t, 4, nn.Dense{Units: 5}, nn.Dense{Units: 3})
	b := build(t, 4, nn.Dense{Units: 5, KernelInitializer: nn.Initializer{Name: "zeros"}}, nn.Dense{Units: 3})
	if err := kerneltest.Compare(kerneltest.Tolerance{}, b.Params()[2].Value, a.Params()[2].Value); err != nil {
		t.Error(err)
	}
	if err := kerneltest.Compare(kerneltest.Tolerance{}, a.Params()[2].Value[:3], a.Params()[0].Value[:3]); err == nil {
		t.Error("both layers draw the same weights")
	}
}

func TestCloneIsDeep(t *testing.T) {
	n := build(t, 4, everyLayer()...)
	n.Params()[3].Value[0] = 42
	clone := n.Clone()
	x := inputs(5)
	want := predict(n, x)
	for _, p := range n.Params() {
		p.Value[0]++
	}
	if err := kerneltest.Compare(kerneltest.Tolerance{}, predict(clone, x), want); err != nil {
		t.Error(err)
	}
	if got := clone.Params()[3].Name; got != n.Params()[3].Name {
		t.Errorf("clone's param 3 is %s, want %s", got, n.Params()[3].Name)
	}
}

func TestLogits(t *testing.T) {
	tests := []struct {
		name   string
		layers []nn.Layer
		want   bool
	}{
		{"none", nil, false},
		{"softmax in Dense", []nn.Layer{nn.Dense{Units: 3, Activation: "softmax"}}, true},
		{"sigmoid in Dense", []nn.Layer{nn.Dense{Units: 1, Activation: "sigmoid"}}, true},
		{"Softmax", []nn.Layer{nn.Dense{Units: 3}, nn.Softmax{}}, true},
		{"Activation", []nn.Layer{nn.Dense{Units: 3}, nn.Activation{Activation: "sigmoid"}}, true},
		{"before Flatten", []nn.Layer{nn.Dense{Units: 3, Activation: "softmax"}, nn.Flatten{}}, true},
		{"linear", []nn.Layer{nn.Dense{Units: 3}}, false},
		{"relu", []nn.Layer{nn.Dense{Units: 3, Activation: "relu"}}, false},
		{"tanh", []nn.Layer{nn.Dense{Units: 3, Activation: "tanh"}}, false},
		{"before Dense", []nn.Layer{nn.Softmax{}, nn.Dense{Units: 3}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := build(t, 3, tt.layers...).Logits(); got != tt.want {
				t.Errorf("Logits = %t, want %t", got, tt.want)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	tests := []struct {
		name   string
		inputs int
		layer  nn.Layer
	}{
		{"no inputs", 0, nn.Dense{Units: 1}},
		{"negative inputs", -1, nn.Dense{Units: 1}},
		{"too many inputs", 1 << 30, nn.Flatten{}},
		{"no units", 1, nn.Dense{}},
		{"a tensor too large", 1 << 20, nn.Dense{Units: 1 << 20}},
		{"unknown activation", 1, nn.Dense{Units: 1, Activation: "swoosh"}},
		{"unknown initializer", 1, nn.Dense{Units: 1, BiasInitializer: nn.Initializer{Name: "x"}}},
		{"inverted initializer", 1, nn.Dense{Units: 1, KernelInitializer: nn.Initializer{Name: "random_uniform", Min: 1, Max: -1}}},
		{"deviation that is not a number", 1, nn.Dense{Units: 1, KernelInitializer: nn.Initializer{Name: "random_normal", Stddev: math.NaN()}}},
		{"activation without a name", 1, nn.Activation{}},
		{"negative penalty", 1, nn.Dense{Units: 1, BiasRegularizer: nn.Regularizer{L1: -1}}},
		{"penalty that is not a number", 1, nn.Dense{Units: 1, KernelRegularizer: nn.Regularizer{L2: math.NaN()}}},
		{"rate of 1", 1, nn.Dropout{Rate: 1}},
		{"momentum of 1", 1, nn.BatchNormalization{Momentum: 1}},
		{"negative epsilon", 1, nn.LayerNormalization{Epsilon: -1}},
		{"column out of range", 2, nn.Embedding{Columns: []nn.EmbeddingColumn{{Column: 2, InputDim: 2, OutputDim: 2}}}},
		{"embedding without dimensions", 2, nn.Embedding{}},
		{"embedding too wide", 1 << 20, nn.Embedding{InputDim: 2, OutputDim: 2}},
		{"another width", 2, nn.InputLayer{Width: 3}},
		{"negative slope", 2, nn.ReLU{NegativeSlope: -1}},
		{"negative leaky slope", 2, nn.LeakyReLU{NegativeSlope: -1}},
		{"negative alpha", 2, nn.ELU{Alpha: -1}},
		{"no layer", 2, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := nn.New(tt.inputs, []nn.Layer{tt.layer}, 1)
			if _, ok := errors.AsType[*nn.ConfigError](err); !ok || n != nil {
				t.Errorf("New = %v, %v, want a ConfigError", n, err)
			}
		})
	}
}

// TestPredictRowsDoNotMeet shows that a row's outputs have the same bits alone and
// in a batch of any size.
func TestPredictRowsDoNotMeet(t *testing.T) {
	const rows = 33
	n := build(t, 4, everyLayer()...)
	x, width := inputs(rows), n.Outputs()
	whole := predict(n, x)
	for _, size := range []int{1, 2, 7, 32} {
		t.Run(fmt.Sprintf("batches of %d", size), func(t *testing.T) {
			p := n.NewPredictor()
			for i := 0; i < rows; i += size {
				batch := min(size, rows-i)
				y := make([]float32, batch*width)
				p.Predict(y, x[i*4:], batch)
				if err := kerneltest.Compare(kerneltest.Tolerance{}, y, whole[i*width:(i+batch)*width]); err != nil {
					t.Fatalf("rows from %d: %v", i, err)
				}
			}
		})
	}
}

func TestPredictAllocatesNothingOnceGrown(t *testing.T) {
	n := build(t, 4, everyLayer()...)
	p, x, y := n.NewPredictor(), inputs(16), make([]float32, 16*n.Outputs())
	p.Predict(y, x, 16)
	for _, rows := range []int{1, 5, 16} {
		if got := testing.AllocsPerRun(10, func() { p.Predict(y, x, rows) }); got != 0 {
			t.Errorf("Predict of %d rows allocates %v times, want 0", rows, got)
		}
	}
}

func TestPredictLeavesInputsAlone(t *testing.T) {
	for _, layer := range everyLayer() {
		n := build(t, 4, layer)
		x := inputs(3)
		predict(n, x)
		if err := kerneltest.Compare(kerneltest.Tolerance{}, x, inputs(3)); err != nil {
			t.Errorf("%+v: %v", layer, err)
		}
	}
}

func TestPredictOfNoRows(t *testing.T) {
	n := build(t, 4, everyLayer()...)
	n.NewPredictor().Predict(nil, nil, 0)
}

func TestPredictPanicsOnWrongShapes(t *testing.T) {
	n := build(t, 4, nn.Dense{Units: 2})
	tests := []struct {
		name string
		y, x []float32
		rows int
	}{
		{"short x", make([]float32, 4), make([]float32, 7), 2},
		{"short y", make([]float32, 3), make([]float32, 8), 2},
		{"negative rows", nil, nil, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("Predict did not panic")
				}
			}()
			n.NewPredictor().Predict(tt.y, tt.x, tt.rows)
		})
	}
}
