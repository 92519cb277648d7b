package nn_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model/nn"
)

// newNetwork builds a network and fails the test if it cannot be.
func newNetwork(t *testing.T, inputs int, seed uint64, layers ...nn.Layer) *nn.Network {
	t.Helper()
	n, err := nn.New(inputs, layers, seed)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func newTrainer(t *testing.T, n *nn.Network, loss nn.Loss, opt nn.Optimizer) *nn.Trainer {
	t.Helper()
	trainer, err := nn.NewTrainer(n, loss, opt)
	if err != nil {
		t.Fatal(err)
	}
	return trainer
}

// bits returns all of params as bit patterns.
func bits(params []*nn.Param) []uint32 {
	var b []uint32
	for _, p := range params {
		for _, v := range p.Value {
			b = append(b, math.Float32bits(v))
		}
	}
	return b
}

// everyOptimizer returns one of each kind, with the options that keep state.
func everyOptimizer() map[string]nn.Optimizer {
	return map[string]nn.Optimizer{
		"Adam":    nn.Adam{LearningRate: 0.01, AMSGrad: true},
		"AdamW":   nn.AdamW{Schedule: nn.CosineDecay{DecaySteps: 5000, WarmupTarget: new(0.05), WarmupSteps: 20}},
		"SGD":     nn.SGD{Momentum: 0.9, Nesterov: true, Clip: nn.Clip{Norm: 1}},
		"RMSprop": nn.RMSprop{Momentum: 0.9, Centered: true},
		"Adagrad": nn.Adagrad{LearningRate: 0.1},
		"Nadam":   nn.Nadam{LearningRate: 0.01},
		"Lion":    nn.Lion{LearningRate: 0.001, WeightDecay: 0.1},
	}
}

func TestEveryOptimizerIsTrainedWith(t *testing.T) {
	_, err := nn.ParseOptimizer(nn.Config{Name: "?"})
	wrong, ok := errors.AsType[*nn.ConfigError](err)
	if !ok {
		t.Fatalf("err = %v", err)
	}
	_, list, _ := strings.Cut(wrong.Msg, "known: ")
	for name := range strings.SplitSeq(strings.Trim(list, ")"), ", ") {
		if _, ok := everyOptimizer()[name]; !ok {
			t.Errorf("%q is in no test of resuming and converging", name)
		}
	}
}

// scikit-learn's test_fit: one step of SGD on one row with L2. Its penalty is
// alpha/2·Σw², so alpha 0.1 is our 0.05.
func TestStepAgreesWithScikitLearn(t *testing.T) {
	var f struct {
		W1       [][]float32
		B1, W2   []float32
		B2       float32
		Replayed struct {
			W1        [][]float64
			W2, B1    []float64
			B2, Proba float64
		} `json:"replayed_float64"`
	}
	b, err := os.ReadFile("testdata/sklearn_mlp_test_fit.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	l2 := nn.Regularizer{L2: 0.05}
	n := newNetwork(t, 3, 0,
		nn.Dense{Units: 2, Activation: "sigmoid", KernelRegularizer: l2},
		nn.Dense{Units: 1, Activation: "sigmoid", KernelRegularizer: l2})
	p := n.Params()
	copy(p[0].Value, slices.Concat(f.W1...))
	copy(p[1].Value, f.B1)
	copy(p[2].Value, f.W2)
	p[3].Value[0] = f.B2

	trainer := newTrainer(t, n, nn.BinaryCrossentropy{}, nn.SGD{LearningRate: 0.1})
	x := []float32{0.6, 0.8, 0.7}
	if _, err := trainer.Step(x, []float32{0}, nil, 1); err != nil {
		t.Fatal(err)
	}
	want := [][]float64{slices.Concat(f.Replayed.W1...), f.Replayed.B1, f.Replayed.W2, {f.Replayed.B2}}
	for i, want := range want {
		for j, w := range want {
			if got := float64(p[i].Value[j]); math.Abs(got-w) > 2e-7 { // float32 against float64
				t.Errorf("%s[%d] = %v, want %v", p[i].Name, j, got, w)
			}
		}
	}
	y := make([]float32, 1)
	n.NewPredictor().Predict(y, x, 1)
	if got := float64(y[0]); math.Abs(got-f.Replayed.Proba) > 2e-7 {
		t.Errorf("probability = %v, want %v", got, f.Replayed.Proba)
	}
}

// regular is a network with everything that has state or draws at random.
func regular(t *testing.T, seed uint64) *nn.Network {
	t.Helper()
	return newNetwork(t, 4, seed,
		nn.Dense{Units: 8, Activation: "relu", KernelRegularizer: nn.Regularizer{L1: 1e-4, L2: 1e-3}},
		nn.BatchNormalization{}, nn.Dropout{Rate: 0.25}, nn.Dense{Units: 3, Activation: "softmax"})
}

// draw returns one batch of the run that seed names.
func draw(seed, step uint64) (x, y, w []float32) {
	r := rand.New(rand.NewPCG(seed, step))
	for range 8 {
		class := r.IntN(3)
		for j := range 4 {
			x = append(x, float32(r.NormFloat64())+float32(class*(j%2)))
		}
		y, w = append(y, float32(class)), append(w, r.Float32())
	}
	return x, y, w
}

func run(t *testing.T, trainer *nn.Trainer, from, to uint64) {
	t.Helper()
	for step := from; step < to; step++ {
		x, y, w := draw(1, step)
		if _, err := trainer.Step(x, y, w, 8); err != nil {
			t.Fatal(err)
		}
	}
}

// A training that is stopped, saved and loaded is the training that was not
// stopped, bit for bit.
func TestResumeIsExact(t *testing.T) {
	for name, opt := range everyOptimizer() {
		t.Run(name, func(t *testing.T) {
			half := uint64(100)
			if name == "Adam" {
				half = 1000
			}
			whole := regular(t, 7)
			trainer := newTrainer(t, whole, nn.SparseCategoricalCrossentropy{}, opt)
			run(t, trainer, 0, 2*half)

			first := regular(t, 7)
			stopped := newTrainer(t, first, nn.SparseCategoricalCrossentropy{}, opt)
			run(t, stopped, 0, half)
			second := regular(t, 8) // other weights, all of which loading replaces
			for i, p := range first.Params() {
				copy(second.Params()[i].Value, p.Value)
			}
			resumed := newTrainer(t, second, nn.SparseCategoricalCrossentropy{}, opt)
			state, steps := stopped.State()
			if err := resumed.Restore(state, steps); err != nil {
				t.Fatal(err)
			}
			run(t, resumed, half, 2*half)

			if !slices.Equal(bits(second.Params()), bits(whole.Params())) {
				t.Error("the weights of the resumed training differ")
			}
			got, gotSteps := resumed.State()
			want, wantSteps := trainer.State()
			if gotSteps != wantSteps || !slices.Equal(bits(got), bits(want)) {
				t.Errorf("the state of the resumed training differs (%d steps, want %d)", gotSteps, wantSteps)
			}
			if slices.Equal(bits(first.Params()), bits(whole.Params())) {
				t.Error("the second half changed nothing")
			}
		})
	}
}

func TestRestoreRefusesForeignState(t *testing.T) {
	trainer := newTrainer(t, regular(t, 1), nn.SparseCategoricalCrossentropy{}, nil)
	run(t, trainer, 0, 3)
	state, steps := trainer.State()
	before := bits(state)
	clone := func(change func(p []*nn.Param) []*nn.Param) []*nn.Param {
		var c []*nn.Param
		for _, p := range state {
			c = append(c, &nn.Param{Name: p.Name, Shape: slices.Clone(p.Shape), Value: make([]float32, len(p.Value))})
		}
		return change(c)
	}
	tests := []struct {
		name  string
		state []*nn.Param
		steps int64
	}{
		{"negative steps", clone(func(p []*nn.Param) []*nn.Param { return p }), -1},
		{"too few", clone(func(p []*nn.Param) []*nn.Param { return p[1:] }), 3},
		{"another name", clone(func(p []*nn.Param) []*nn.Param { p[2].Name = "x"; return p }), 3},
		{"a name twice", clone(func(p []*nn.Param) []*nn.Param { p[2] = p[1]; return p }), 3},
		{"another shape", clone(func(p []*nn.Param) []*nn.Param { p[0].Shape = []int{8, 4}; return p }), 3},
		{"too few values", clone(func(p []*nn.Param) []*nn.Param { p[0].Value = p[0].Value[1:]; return p }), 3},
		{"another optimizer's", nil, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := trainer.Restore(tt.state, tt.steps); err == nil {
				t.Error("Restore = nil, want an error")
			}
			if _, after := trainer.State(); after != steps || !slices.Equal(bits(state), before) {
				t.Error("a refused Restore changed the state")
			}
		})
	}
}

func TestNewTrainerRefuses(t *testing.T) {
	softmax := newNetwork(t, 2, 0, nn.Dense{Units: 3, Activation: "softmax"})
	tests := []struct {
		name string
		n    *nn.Network
		loss nn.Loss
		opt  nn.Optimizer
	}{
		{"no loss", softmax, nil, nil},
		{"a learning rate below zero", softmax, nn.SparseCategoricalCrossentropy{}, nn.SGD{LearningRate: -1}},
		{"a learning rate that is no number", softmax, nn.SparseCategoricalCrossentropy{}, nn.Adam{LearningRate: math.NaN()}},
		{"a schedule without steps", softmax, nn.SparseCategoricalCrossentropy{}, nn.Adam{Schedule: nn.CosineDecay{}}},
		{"two clips", softmax, nn.SparseCategoricalCrossentropy{}, nn.Adam{Clip: nn.Clip{Value: 1, Norm: 1}}},
		{"another activation's loss", softmax, nn.BinaryCrossentropy{}, nil},
		{"a loss out of range", softmax, nn.SparseCategoricalCrossentropy{LabelSmoothing: 2}, nil},
		{"nothing to train", newNetwork(t, 2, 0, nn.Dropout{Rate: 0.5}), nn.MeanSquaredError{}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := nn.NewTrainer(tt.n, tt.loss, tt.opt)
			if _, ok := errors.AsType[*nn.ConfigError](err); !ok {
				t.Errorf("NewTrainer = %v, want a *ConfigError", err)
			}
		})
	}
}

func TestStepThatDivergesLeavesTheNetwork(t *testing.T) {
	nan := float32(math.NaN())
	tests := []struct {
		name string
		x    float32
		y    []float32
		says string
	}{
		{"a feature is NaN", nan, []float32{1, 1}, "features are not finite"},
		{"a feature is infinite", float32(math.Inf(1)), []float32{1, 1}, "features are not finite"},
		{"a label is NaN", 2, []float32{1, nan}, "labels"},
		{"the gradient overflows", 2, []float32{3e38, 3e38}, "learning rate"}, // that of the bias is their sum
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := newNetwork(t, 1, 3, nn.BatchNormalization{}, nn.Dense{Units: 1})
			trainer := newTrainer(t, n, nn.MeanSquaredError{}, nil)
			if _, err := trainer.Step([]float32{1, 2}, []float32{1, 2}, nil, 2); err != nil {
				t.Fatal(err)
			}
			before := bits(n.Params())
			state, _ := trainer.State()
			stateBefore := bits(state)
			_, err := trainer.Step([]float32{1, tt.x}, tt.y, nil, 2)
			if !errors.Is(err, nn.ErrDiverged) {
				t.Fatalf("Step = %v, want ErrDiverged", err)
			}
			if !strings.Contains(err.Error(), "step 2") || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%q does not name the step and %q", err, tt.says)
			}
			if _, steps := trainer.State(); steps != 1 || !slices.Equal(bits(n.Params()), before) || !slices.Equal(bits(state), stateBefore) {
				t.Errorf("the step left a trace (%d steps)", steps)
			}
		})
	}
}

// On features that are all 0 the kernel has no gradient, so decay alone moves it.
func TestStepDecaysWeights(t *testing.T) {
	n := newNetwork(t, 2, 1, nn.Dense{Units: 1})
	copy(n.Params()[0].Value, []float32{2, -4})
	trainer := newTrainer(t, n, nn.MeanSquaredError{}, nn.SGD{LearningRate: 0.5, WeightDecay: 0.5})
	if _, err := trainer.Step([]float32{0, 0}, []float32{1}, nil, 1); err != nil {
		t.Fatal(err)
	}
	if got, want := n.Params()[0].Value, []float32{1.5, -3}; !slices.Equal(got, want) {
		t.Errorf("kernel = %v, want %v", got, want)
	}
}

// With a learning rate that moves nothing, what changes the loss of a batch is
// the dropout mask.
func TestDropoutDrawsAnewEveryStep(t *testing.T) {
	n := newNetwork(t, 64, 1, nn.Dropout{Rate: 0.5}, nn.Dense{Units: 1})
	trainer := newTrainer(t, n, nn.MeanSquaredError{}, nn.SGD{LearningRate: 1e-30})
	x := slices.Repeat([]float32{1}, 64)
	var losses []float64
	for range 5 {
		loss, err := trainer.Step(x, []float32{0}, nil, 1)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(losses, loss) {
			t.Errorf("loss %v comes again after %v", loss, losses)
		}
		losses = append(losses, loss)
	}
}

func TestStepAllocatesNothing(t *testing.T) {
	for name, opt := range everyOptimizer() {
		trainer := newTrainer(t, regular(t, 1), nn.SparseCategoricalCrossentropy{}, opt)
		x, y, w := draw(1, 1)
		got := testing.AllocsPerRun(50, func() {
			if _, err := trainer.Step(x, y, w, 8); err != nil {
				t.Fatal(err)
			}
		})
		if got != 0 {
			t.Errorf("%s: Step allocates %v times", name, got)
		}
	}
}
