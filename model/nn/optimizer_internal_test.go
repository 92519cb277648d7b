package nn

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/modelbus/modelbus/model/kernel"
	"github.com/modelbus/modelbus/model/kernel/kerneltest"
)

// keras is testdata/keras_optimizers.json: what Keras's own tests expect.
type keras struct {
	GoldenGradients struct {
		First float32
		Rest  []float32
	} `json:"golden_gradients"`
	Golden     map[string]struct{ X [][]float64 }
	SingleStep struct {
		X0    []float32
		Grad  []float32
		LR    float64
		After map[string][]float64
	} `json:"single_step"`
	WeightDecay struct {
		X0    float32
		Grad  float32
		LR    float64
		WD    float64
		After float64 `json:"after_3_steps"`
	} `json:"weight_decay"`
	Clip struct {
		Grad  []float32
		Norm  []float64 `json:"clipnorm_1"`
		Value []float64 `json:"clipvalue_1"`
	}
}

func readFixture(t *testing.T, name string, f any) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, f); err != nil {
		t.Fatal(err)
	}
}

// A reference is one optimizer as the fixture has it.
type reference struct {
	golden       Optimizer // with the hyperparameters of the golden trajectory
	single       string    // key of the single step at the optimizer's defaults
	learningRate func(lr float64) Optimizer
	decay        func(lr, wd float64) Optimizer
}

// references has an entry for every optimizer; TestEveryOptimizerHasAReference
// fails without.
func references() map[string]reference {
	return map[string]reference{
		"Adam": {
			golden: Adam{AMSGrad: true}, single: "adam",
			learningRate: func(lr float64) Optimizer { return Adam{LearningRate: lr} },
			decay:        func(lr, wd float64) Optimizer { return Adam{LearningRate: lr, WeightDecay: wd} },
		},
		"AdamW": {
			golden: AdamW{LearningRate: 1, WeightDecay: new(0.5), Epsilon: 2}, single: "adamw_wd_0_004",
			learningRate: func(lr float64) Optimizer { return AdamW{LearningRate: lr} },
			decay:        func(lr, wd float64) Optimizer { return AdamW{LearningRate: lr, WeightDecay: &wd} },
		},
		"SGD": {
			golden: SGD{Nesterov: true}, single: "sgd",
			learningRate: func(lr float64) Optimizer { return SGD{LearningRate: lr} },
			decay:        func(lr, wd float64) Optimizer { return SGD{LearningRate: lr, WeightDecay: wd} },
		},
		"RMSprop": {
			golden: RMSprop{Centered: true}, single: "rmsprop",
			learningRate: func(lr float64) Optimizer { return RMSprop{LearningRate: lr} },
			decay:        func(lr, wd float64) Optimizer { return RMSprop{LearningRate: lr, WeightDecay: wd} },
		},
		"Adagrad": {
			golden: Adagrad{LearningRate: 0.2, InitialAccumulator: new(0.3), Epsilon: 1e-6}, single: "adagrad",
			learningRate: func(lr float64) Optimizer { return Adagrad{LearningRate: lr} },
			decay:        func(lr, wd float64) Optimizer { return Adagrad{LearningRate: lr, WeightDecay: wd} },
		},
		"Nadam": {
			golden: Nadam{LearningRate: 0.5, Beta1: new(0.5), Beta2: new(0.67), Epsilon: 1e-5}, single: "nadam",
			learningRate: func(lr float64) Optimizer { return Nadam{LearningRate: lr} },
			decay:        func(lr, wd float64) Optimizer { return Nadam{LearningRate: lr, WeightDecay: wd} },
		},
		"Lion": {
			golden: Lion{}, single: "lion",
			learningRate: func(lr float64) Optimizer { return Lion{LearningRate: lr} },
			decay:        func(lr, wd float64) Optimizer { return Lion{LearningRate: lr, WeightDecay: wd} },
		},
	}
}

func TestEveryOptimizerHasAReference(t *testing.T) {
	known := references()
	for _, k := range optimizerKinds() {
		if _, ok := known[k.name]; !ok {
			t.Errorf("%s has no reference numbers", k.name)
		}
		delete(known, k.name)
	}
	for name := range known {
		t.Errorf("%s has reference numbers but is no optimizer", name)
	}
}

// A tape applies an optimizer to given gradients.
type tape struct {
	*weights

	stepper  stepper
	settings settings
	t        int64
}

func newTape(o Optimizer, x []float32) *tape {
	p := &Param{Name: "x", Shape: []int{len(x)}, Value: slices.Clone(x), Grad: make([]float32, len(x))}
	w := newWeights([]*Param{p})
	return &tape{weights: w, stepper: o.new(w), settings: o.settings()}
}

func (r *tape) step(g []float32) {
	r.t++
	copy(r.grad, g)
	r.settings.clip.apply(r.weights)
	r.settings.decay(r.value, r.settings.rate(r.t))
	r.stepper.begin(r.settings.rate(r.t), r.t)
	r.stepper.update(0, len(r.value))
}

// allclose is the rule by which Keras compares: e of 1 and of what is right.
func allclose(e float64) kerneltest.Tolerance { return kerneltest.Tolerance{Rel: e, Abs: e} }

func TestOptimizersFollowKerasGoldenTrajectories(t *testing.T) {
	var f keras
	readFixture(t, "keras_optimizers.json", &f)
	for name, ref := range references() {
		t.Run(name, func(t *testing.T) {
			golden, ok := f.Golden[fold(name)]
			if !ok {
				t.Fatalf("no golden trajectory of %s", name)
			}
			r := newTape(ref.golden, slices.Repeat([]float32{1}, 10))
			for i, want := range golden.X {
				if g := f.GoldenGradients.Rest; i > 0 {
					r.step(g)
				} else {
					r.step(slices.Repeat([]float32{f.GoldenGradients.First}, 10))
				}
				if err := kerneltest.Compare(allclose(5e-4), r.value, want); err != nil { // the golden numbers have four digits
					t.Fatalf("step %d: x: %v", i+1, err)
				}
			}
		})
	}
}

func TestOptimizersTakeKerasSingleStep(t *testing.T) {
	var f keras
	readFixture(t, "keras_optimizers.json", &f)
	for name, ref := range references() {
		t.Run(name, func(t *testing.T) {
			r := newTape(ref.learningRate(f.SingleStep.LR), f.SingleStep.X0)
			r.step(f.SingleStep.Grad)
			if err := kerneltest.Compare(allclose(1e-4), r.value, f.SingleStep.After[ref.single]); err != nil { // four digits
				t.Errorf("x: %v", err)
			}
		})
	}
}

func TestWeightDecayIsDecoupledInEveryOptimizer(t *testing.T) {
	var f keras
	readFixture(t, "keras_optimizers.json", &f)
	for name, ref := range references() {
		t.Run(name, func(t *testing.T) {
			r := newTape(ref.decay(f.WeightDecay.LR, f.WeightDecay.WD), []float32{f.WeightDecay.X0})
			for range 3 {
				r.step([]float32{f.WeightDecay.Grad})
			}
			if err := kerneltest.Compare(allclose(1e-6), r.value, []float64{f.WeightDecay.After}); err != nil { // three float32 roundings
				t.Errorf("x: %v", err)
			}
		})
	}
}

// The variants that the golden numbers do not reach, against the definitions
// in float64.
func TestOptimizerVariants(t *testing.T) {
	const lr, mu = 0.1, 0.9
	tests := []struct {
		name string
		o    Optimizer
		next func() func(x, g float64) float64
	}{
		{"momentum", SGD{LearningRate: lr, Momentum: mu}, func() func(x, g float64) float64 {
			m := 0.0
			return func(x, g float64) float64 { m = mu*m - lr*g; return x + m }
		}},
		{"nesterov", SGD{LearningRate: lr, Momentum: mu, Nesterov: true}, func() func(x, g float64) float64 {
			m := 0.0
			return func(x, g float64) float64 { m = mu*m - lr*g; return x + mu*m - lr*g }
		}},
		{"adam", Adam{LearningRate: lr}, func() func(x, g float64) float64 {
			m, v, t := 0.0, 0.0, 0.0
			return func(x, g float64) float64 {
				t++
				m, v = 0.9*m+0.1*g, 0.999*v+0.001*g*g
				a := lr * math.Sqrt(1-math.Pow(0.999, t)) / (1 - math.Pow(0.9, t))
				return x - a*m/(math.Sqrt(v)+1e-7)
			}
		}},
		{"amsgrad", Adam{LearningRate: lr, Beta2: new(0.5), AMSGrad: true}, func() func(x, g float64) float64 {
			m, v, top, t := 0.0, 0.0, 0.0, 0.0
			return func(x, g float64) float64 {
				t++
				m, v = 0.9*m+0.1*g, 0.5*v+0.5*g*g
				top = max(top, v)
				a := lr * math.Sqrt(1-math.Pow(0.5, t)) / (1 - math.Pow(0.9, t))
				return x - a*m/(math.Sqrt(top)+1e-7)
			}
		}},
		{"rmsprop momentum", RMSprop{LearningRate: lr, Momentum: mu}, func() func(x, g float64) float64 {
			v, m := 0.0, 0.0
			return func(x, g float64) float64 {
				v = 0.9*v + 0.1*g*g
				m = mu*m + lr*g/math.Sqrt(v+1e-7)
				return x - m
			}
		}},
		{"rmsprop centered", RMSprop{LearningRate: lr, Centered: true}, func() func(x, g float64) float64 {
			v, m := 0.0, 0.0
			return func(x, g float64) float64 {
				v, m = 0.9*v+0.1*g*g, 0.9*m+0.1*g
				return x - lr*g/math.Sqrt(v-m*m+1e-7)
			}
		}},
		{"adagrad", Adagrad{LearningRate: lr, InitialAccumulator: new(0.0)}, func() func(x, g float64) float64 {
			sum := 0.0
			return func(x, g float64) float64 {
				sum += g * g
				return x - lr*g/math.Sqrt(sum+1e-7)
			}
		}},
		{"nadam", Nadam{LearningRate: lr}, func() func(x, g float64) float64 {
			m, v, t, u := 0.0, 0.0, 0.0, 1.0
			now := func(t float64) float64 { return 0.9 * (1 - 0.5*math.Pow(0.96, t)) }
			return func(x, g float64) float64 {
				t++
				u *= now(t)
				m, v = 0.9*m+0.1*g, 0.999*v+0.001*g*g
				mean := now(t+1)*m/(1-u*now(t+1)) + (1-now(t))*g/(1-u)
				return x - lr*mean/(math.Sqrt(v/(1-math.Pow(0.999, t)))+1e-7)
			}
		}},
		{"lion", Lion{LearningRate: lr}, func() func(x, g float64) float64 {
			m := 0.0
			return func(x, g float64) float64 {
				d := 0.9*m + 0.1*g
				m = 0.99*m + 0.01*g
				return x - lr*math.Copysign(1, d)
			}
		}},
	}
	for _, tt := range tests {
		// The least size is so small that the default epsilon shows.
		for _, size := range []float64{1, 0x1p-14, 0x1p-20} {
			t.Run(fmt.Sprintf("%s, gradients of %.1g", tt.name, size), func(t *testing.T) {
				r, next := newTape(tt.o, []float32{1}), tt.next()
				x := 1.0
				for i, g := range []float64{0.5, -2, 0.25, 3, -0.125, 0.0625, -0.5, 1} {
					x = next(x, g*size)
					r.step([]float32{float32(g * size)})
					if err := kerneltest.Compare(allclose(1e-5), r.value, []float64{x}); err != nil { // float32 moments against float64
						t.Fatalf("step %d: x: %v", i+1, err)
					}
				}
			})
		}
	}
}

func TestCenteredRMSpropSurvivesAConstantGradient(t *testing.T) {
	r := newTape(RMSprop{Centered: true}, []float32{1})
	for range 2000 {
		r.step([]float32{1234.567})
	}
	if !kernel.Finite(r.value) {
		t.Errorf("x = %v", r.value)
	}
}

func TestClip(t *testing.T) {
	var f keras
	readFixture(t, "keras_optimizers.json", &f)
	tests := []struct {
		name string
		clip Clip
		want []float64
	}{
		{"value", Clip{Value: 1}, f.Clip.Value},
		{"norm", Clip{Norm: 1}, f.Clip.Norm},
		{"global norm", Clip{GlobalNorm: 1}, f.Clip.Norm},
		{"wide enough", Clip{Norm: 1000}, []float64{100, 100}},
		{"off", Clip{}, []float64{100, 100}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := gradients(f.Clip.Grad)
			tt.clip.apply(w)
			if err := kerneltest.Compare(allclose(1e-6), w.grad, tt.want); err != nil { // one float32 rounding
				t.Errorf("gradient: %v", err)
			}
		})
	}
	two := gradients([]float32{30, 0}, []float32{0, 0, 0, 0, 40})
	Clip{GlobalNorm: 5}.apply(two)
	if err := kerneltest.Compare(allclose(1e-6), two.grad, []float64{3, 0, 0, 0, 0, 0, 4}); err != nil {
		t.Errorf("global gradient: %v", err)
	}
	two = gradients([]float32{30, 0}, []float32{1, 0})
	Clip{Norm: 5}.apply(two)
	if err := kerneltest.Compare(allclose(1e-6), two.grad, []float64{5, 0, 1, 0}); err != nil {
		t.Errorf("gradient by parameter: %v", err)
	}
	huge := gradients([]float32{3e38, 3e38})
	Clip{GlobalNorm: 1}.apply(huge)
	if err := kerneltest.Compare(allclose(1e-6), huge.grad, f.Clip.Norm); err != nil {
		t.Errorf("gradient of 3e38: %v", err)
	}
}

// gradients returns weights of zero with the gradients of each parameter.
func gradients(params ...[]float32) *weights {
	var list []*Param
	for _, g := range params {
		list = append(list, &Param{Value: make([]float32, len(g)), Grad: g})
	}
	return newWeights(list)
}

func TestStateNamesAreUnique(t *testing.T) {
	for name, ref := range references() {
		params := []*Param{
			{Name: "dense.kernel", Shape: []int{1, 2}, Value: make([]float32, 2), Grad: make([]float32, 2)},
			{Name: "dense.bias", Shape: []int{2}, Value: make([]float32, 2), Grad: make([]float32, 2)},
		}
		seen := map[string]bool{}
		for _, s := range ref.golden.new(newWeights(params)).state() {
			if seen[s.Name] {
				t.Errorf("%s: two tensors are named %q", name, s.Name)
			}
			seen[s.Name] = true
		}
	}
}

func TestOptimizerConfigsReadBack(t *testing.T) {
	for name, ref := range references() {
		schedule := ExponentialDecay{InitialLearningRate: 0.1, DecaySteps: 100, DecayRate: 0.5}
		for _, o := range []Optimizer{ref.golden, ref.learningRate(0.25), ref.decay(0.5, 0.125)} {
			got, err := ParseOptimizer(o.Config())
			if err != nil || !reflect.DeepEqual(got, o) {
				t.Errorf("%s: ParseOptimizer(%v) = %#v, %v, want %#v", name, o.Config(), got, err, o)
			}
		}
		zero, err := ParseOptimizer(Config{Name: name})
		if err != nil || len(zero.Config().Args) != 0 {
			t.Errorf("%s: config of the defaults = %v, %v", name, zero, err)
		}
		got, err := ParseOptimizer(Config{Name: name, Args: map[string]any{"learning_rate": schedule.Config().nested()}})
		if err != nil || got.settings().schedule != schedule {
			t.Errorf("%s: schedule = %v, %v", name, got, err)
		}
	}
}

// The power that Adam leaves out is too small to change a bit.
func TestAdamCorrection(t *testing.T) {
	for _, beta := range []float64{0, 0.5, 0.9, 0.99, 0.999, 0.9999} {
		for step := int64(1); step < 1<<20; step = step*17/16 + 1 {
			if got, want := correction(beta, step), 1-math.Pow(beta, float64(step)); got != want {
				t.Fatalf("correction(%v, %d) = %v, want %v", beta, step, got, want)
			}
		}
	}
}
