package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/modelbus/modelbus/model/kernel/kerneltest"
)

// checkGradient reports every element of values whose analytic derivative of f is
// not that of a five-point difference, with step h:
//
//	(f(x-2h) - 8f(x-h) + 8f(x+h) - f(x+2h)) / 12h = f' - h⁴f⁽⁵⁾/30 …
//
// f is computed from float32 values, so noise (how far off f may be) comes into
// the difference as at most 1.5·noise/h; with that, the fifth derivative, of the
// order of the values here (1), and the rounding of the analytic derivative,
// which is a float32 sum, give the tolerance.
func checkGradient(t *testing.T, what string, f func() float64, values, gradient []float32, noise float64) {
	t.Helper()
	const h = 1.0 / 64
	tolerance := kerneltest.Tolerance{Rel: 1e-5, Abs: 1.5*noise/h + 10*math.Pow(h, 4)/30 + 1e-6}
	at := func(i int, x float32) (value, place float64) {
		old := values[i]
		values[i] = x
		value, place = f(), float64(values[i])
		values[i] = old
		return value, place
	}
	for i, x := range values {
		far1, left := at(i, x-2*h)
		near1, _ := at(i, x-h)
		near2, _ := at(i, x+h)
		far2, right := at(i, x+2*h)
		numeric := (far1 - 8*near1 + 8*near2 - far2) / (3 * (right - left))
		if !tolerance.Near(float64(gradient[i]), numeric) {
			t.Errorf("derivative by %s[%d] = %v, by differences %v, allowed %.2g", what, i, gradient[i], numeric, tolerance.Abs)
		}
	}
}

// TestCheckGradientSeesErrors proves that the check can fail.
func TestCheckGradientSeesErrors(t *testing.T) {
	x := []float32{0.5, -1, 2}
	f := func() float64 { return math.Sin(float64(x[0])) + math.Exp(float64(x[1]))*float64(x[2]) }
	right := []float32{float32(math.Cos(0.5)), float32(2 * math.Exp(-1)), float32(math.Exp(-1))}
	checkGradient(t, "x", f, x, right, 1e-15)
	for i := range right {
		wrong := append([]float32(nil), right...)
		wrong[i] *= 1.0001
		probe := &testing.T{}
		checkGradient(probe, "x", f, x, wrong, 1e-15)
		if !probe.Failed() {
			t.Errorf("an error of 0.01 %% in derivative %d was not seen", i)
		}
	}
}

// A gradientCase is a network whose derivatives are checked.
type gradientCase struct {
	name   string
	layers []Layer
	inputs []float32 // rows of them; drawn away from zero if nil
	width  int       // of the inputs, default 4
	fixed  []int     // input columns that are indices: their derivative is zero
}

// checkNetworkGradients checks the derivatives of a fixed random combination of
// all outputs in training mode by every parameter and every input.
func checkNetworkGradients(t *testing.T, c gradientCase) {
	t.Helper()
	const rows = 3
	width := max(c.width, 1)
	if c.width == 0 {
		width = 4
	}
	r := rand.New(rand.NewPCG(11, 12))
	x := c.inputs
	if x == nil {
		x = awayFromZero(r, rows*width)
	}
	n, err := New(width, c.layers, 5)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range n.Params() {
		if p.Trainable() { // zeros and ones hide errors
			copy(p.Value, awayFromZero(r, len(p.Value)))
		}
	}
	ws := newWorkspace(n, 7)
	ws.step, ws.inputGradient = 3, true
	factors := awayFromZero(r, rows*n.Outputs())
	f := func() float64 {
		sum := 0.0
		for i, v := range n.forward(ws, x, rows, false)[:rows*n.Outputs()] {
			sum += float64(factors[i]) * float64(v)
		}
		return sum
	}
	// Each of the sums that make an output, and each output, is off by some 2⁻²⁴
	// of its size, which is of the order of 1, in either direction.
	noise := 0x1p-24 * 4 * math.Sqrt(float64(len(factors)*width))
	f()
	n.backward(ws, append([]float32(nil), factors...), rows)
	dx := append([]float32(nil), ws.dx...)
	for _, column := range c.fixed {
		for i := range rows {
			if got := dx[i*width+column]; got != 0 {
				t.Errorf("derivative by index column %d of row %d = %v, want 0", column, i, got)
			}
		}
	}
	for _, p := range n.Params() {
		if p.Trainable() {
			checkGradient(t, p.Name, f, p.Value, append([]float32(nil), p.Grad...), noise)
		}
	}
	if len(c.fixed) == 0 {
		checkGradient(t, "x", f, x, dx, noise)
	}
}

// awayFromZero draws numbers of magnitude 0.3 to 1.5, so that no difference
// crosses the kink that some activations have at zero.
func awayFromZero(r *rand.Rand, n int) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = 0.3 + 1.2*r.Float32()
		if r.IntN(2) == 0 {
			values[i] = -values[i]
		}
	}
	return values
}

// layerGradientCases has cases for every kind of layer.
func layerGradientCases() map[string][]gradientCase {
	return map[string][]gradientCase{
		"Activation":         {{layers: []Layer{Activation{"tanh"}}}},
		"BatchNormalization": normalizations(BatchNormalization{}, BatchNormalization{NoCenter: true}, BatchNormalization{NoScale: true, Epsilon: 0.5}),
		"Dense": {
			{name: "linear", layers: []Layer{Dense{Units: 3}}},
			{name: "without bias", layers: []Layer{Dense{Units: 3, NoBias: true}}},
			{name: "two", layers: []Layer{Dense{Units: 5, Activation: "tanh"}, Dense{Units: 2, Activation: "softmax"}}},
			// Each output has one term besides a bias that keeps it from zero.
			{name: "relu", width: 1, layers: []Layer{Dense{Units: 6, Activation: "relu"}}, inputs: []float32{0.05, -0.06, 0.07}},
		},
		"Dropout": {
			{layers: []Layer{Dropout{Rate: 0.4}}},
			{name: "between", layers: []Layer{Dense{Units: 8}, Dropout{Rate: 0.5}, Dense{Units: 2}}},
		},
		"ELU": {{layers: []Layer{ELU{}}}, {name: "alpha", layers: []Layer{ELU{Alpha: 0.4}}}},
		"Embedding": {
			{
				name: "columns", width: 3, fixed: []int{0, 2},
				layers: []Layer{Embedding{Columns: []EmbeddingColumn{{Column: 2, InputDim: 4, OutputDim: 3}, {Column: 0, InputDim: 3, OutputDim: 2}}}},
				inputs: []float32{0, 0.7, 3, 2, -0.4, 3, 1, 0.9, 0},
			},
			{
				name: "shared table", width: 2, fixed: []int{0, 1},
				layers: []Layer{Embedding{InputDim: 5, OutputDim: 2}, Dense{Units: 2}},
				inputs: []float32{0, 4, 4, 4, 1, 0},
			},
			{
				name: "columns that pass through", width: 2, fixed: []int{0},
				layers: []Layer{Embedding{Columns: []EmbeddingColumn{{InputDim: 2, OutputDim: 2}}}, Dense{Units: 2}},
				inputs: []float32{0, 0.5, 1, -0.5, 1, 0.25},
			},
		},
		"Flatten":            {{layers: []Layer{Flatten{}, Dense{Units: 2}}}},
		"InputLayer":         {{layers: []Layer{InputLayer{Width: 4}, Dense{Units: 2}}}},
		"LayerNormalization": normalizations(LayerNormalization{}, LayerNormalization{NoCenter: true}, LayerNormalization{NoScale: true, Epsilon: 0.5}),
		"LeakyReLU":          {{layers: []Layer{LeakyReLU{}}}, {name: "slope", layers: []Layer{LeakyReLU{NegativeSlope: 0.01}}}},
		"ReLU":               {{layers: []Layer{ReLU{}}}, {name: "slope", layers: []Layer{ReLU{NegativeSlope: 0.5}}}},
		"Softmax":            {{layers: []Layer{Softmax{}}}, {name: "between", layers: []Layer{Dense{Units: 3}, Softmax{}, Dense{Units: 2}}}},
	}
}

// normalizations returns cases of layers alone, and of the first between others.
func normalizations(layers ...Layer) []gradientCase {
	cases := []gradientCase{{name: "between", layers: []Layer{Dense{Units: 5}, layers[0], Dense{Units: 2}}}}
	for i, l := range layers {
		cases = append(cases, gradientCase{
			name: fmt.Sprintf("form %d", i), layers: []Layer{l},
			// Values far apart in rows and columns: the derivatives of 1/√variance stay moderate.
			inputs: []float32{-1.5, 0.2, 1.1, 2.4, 0.1, 2.3, -1.2, 0.6, 1.9, -2.1, 0.3, -1.4},
		})
	}
	return cases
}

func TestGradientsOfEveryLayer(t *testing.T) {
	cases := layerGradientCases()
	for _, kind := range layerKinds() {
		if len(cases[kind.name]) == 0 {
			t.Errorf("layer %s has no gradient case", kind.name)
		}
		for _, c := range cases[kind.name] {
			t.Run(kind.name+"/"+c.name, func(t *testing.T) { checkNetworkGradients(t, c) })
		}
	}
}

func TestGradientsOfEveryActivation(t *testing.T) {
	for _, name := range activationNames() {
		t.Run("layer "+name, func(t *testing.T) {
			checkNetworkGradients(t, gradientCase{layers: []Layer{Activation{name}}})
		})
		t.Run("Dense "+name, func(t *testing.T) { // one term and a bias keep the sums from zero
			checkNetworkGradients(t, gradientCase{
				width: 1, layers: []Layer{Dense{Units: 4, Activation: name}}, inputs: []float32{0.05, -0.06, 0.07},
			})
		})
	}
}

// lossGradientCases has losses of every kind.
func lossGradientCases() map[string][]Loss {
	return map[string][]Loss{
		"mean_squared_error":              {MeanSquaredError{}},
		"mean_absolute_error":             {MeanAbsoluteError{}},
		"huber":                           {Huber{}, Huber{Delta: 0.4}},
		"binary_crossentropy":             {BinaryCrossentropy{}, BinaryCrossentropy{LabelSmoothing: 0.2}},
		"categorical_crossentropy":        {CategoricalCrossentropy{}, CategoricalCrossentropy{LabelSmoothing: 0.2}},
		"sparse_categorical_crossentropy": {SparseCategoricalCrossentropy{}, SparseCategoricalCrossentropy{LabelSmoothing: 0.2}},
	}
}

func TestGradientsOfEveryLoss(t *testing.T) {
	const rows, width = 4, 3
	cases := lossGradientCases()
	for _, kind := range lossKinds() {
		if len(cases[kind.name]) == 0 {
			t.Errorf("loss %s has no gradient case", kind.name)
		}
		for i, l := range cases[kind.name] {
			for _, weights := range [][]float32{nil, {1, 0, 2.5, 0.5}} {
				t.Run(fmt.Sprintf("%s/%d/weights %v", kind.name, i, weights), func(t *testing.T) {
					r := rand.New(rand.NewPCG(1, 2))
					z, y := awayFromZero(r, rows*width), make([]float32, rows*l.targets(width))
					for i := range y {
						y[i] = targetFor(l, r)
					}
					if _, ok := l.(Huber); ok {
						// Errors of 0.2, 0.7 and 1.6 are on either side of both deltas.
						for i := range z {
							z[i] = y[i] + []float32{0.2, -0.7, 1.6}[i%3]
						}
					}
					f := func() float64 { return l.gradient(nil, z, y, weights, rows, width) / rows }
					dz := make([]float32, rows*width)
					total := l.gradient(dz, z, y, weights, rows, width)
					if got := f(); got != total/rows {
						t.Errorf("loss without derivative = %v, with %v", got, total/rows)
					}
					checkGradient(t, "z", f, z, dz, 1e-15)
				})
			}
		}
	}
}

// targetFor draws a target that l takes and that no output is near.
func targetFor(l Loss, r *rand.Rand) float32 {
	switch l.(type) {
	case SparseCategoricalCrossentropy:
		return float32(r.IntN(3))
	case BinaryCrossentropy, CategoricalCrossentropy:
		return r.Float32()
	}
	return 0
}

// TestGradientsThroughTheLastActivation shows that a crossentropy that takes the
// place of the network's last activation gives the derivative of the loss of
// the probabilities.
func TestGradientsThroughTheLastActivation(t *testing.T) {
	const rows = 3
	tests := []struct {
		name  string
		last  Layer
		loss  Loss
		y     []float32
		value func(p []float32) float64 // the textbook loss of all rows
	}{
		{
			"sigmoid",
			Dense{Units: 1, Activation: "sigmoid"},
			BinaryCrossentropy{},
			[]float32{1, 0, 1},
			func(p []float32) float64 {
				return -(math.Log(float64(p[0])) + math.Log(1-float64(p[1])) + math.Log(float64(p[2])))
			},
		},
		{
			"softmax",
			Dense{Units: 3, Activation: "softmax"},
			SparseCategoricalCrossentropy{},
			[]float32{2, 0, 1},
			func(p []float32) float64 {
				return -(math.Log(float64(p[2])) + math.Log(float64(p[3])) + math.Log(float64(p[7])))
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := New(4, []Layer{Dense{Units: 5, Activation: "tanh"}, tt.last}, 1)
			if err != nil {
				t.Fatal(err)
			}
			fromLogits, err := n.fromLogits(tt.loss)
			if err != nil || !fromLogits {
				t.Fatalf("fromLogits = %t, %v, want true", fromLogits, err)
			}
			x, ws := awayFromZero(rand.New(rand.NewPCG(1, 2)), rows*4), newWorkspace(n, 1)
			z := n.forward(ws, x, rows, true)
			dz := make([]float32, rows*n.Outputs())
			tt.loss.gradient(dz, z, tt.y, nil, rows, n.Outputs())
			n.backward(ws, dz, rows)
			p, predictor := make([]float32, rows*n.Outputs()), n.NewPredictor()
			f := func() float64 {
				predictor.Predict(p, x, rows)
				return tt.value(p) / rows
			}
			for _, param := range n.Params() {
				// Probabilities are rounded to 2⁻²⁵ or less, and are 0.1 or more.
				checkGradient(t, param.Name, f, param.Value, param.Grad, 0x1p-25*10)
			}
		})
	}
}

func TestGradientOfPenalties(t *testing.T) {
	n, err := New(3, []Layer{
		Dense{Units: 2, KernelRegularizer: Regularizer{L1: 0.3}, BiasRegularizer: Regularizer{L2: 0.2}},
		Dense{Units: 2, KernelRegularizer: Regularizer{L1: 0.1, L2: 0.4}},
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, p := range n.Params() {
		copy(p.Value, awayFromZero(r, len(p.Value)))
	}
	n.addPenaltyGradients()
	for _, p := range n.Params() {
		checkGradient(t, p.Name, n.penalty, p.Value, p.Grad, 1e-15)
	}
}
