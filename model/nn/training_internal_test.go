package nn

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/modelbus/modelbus/model/kernel/kerneltest"
)

func newNetwork(t *testing.T, inputs int, layers ...Layer) *Network {
	t.Helper()
	n, err := New(inputs, layers, 1)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDropoutShareAndScale(t *testing.T) {
	const rows, width, rate = 100, 200, 0.3
	n := newNetwork(t, width, Dropout{Rate: rate})
	x := make([]float32, rows*width)
	for i := range x {
		x[i] = 1
	}
	ws := newWorkspace(n, 5)
	dropped := 0
	for _, v := range n.forward(ws, x, rows, false) {
		switch v {
		case 0:
			dropped++
		case float32(1 / (1 - rate)):
		default:
			t.Fatalf("an input of 1 became %v, want 0 or %v", v, 1/(1-rate))
		}
	}
	// The share of 20,000 draws is off by some √(0.3·0.7/20,000) = 0.0033.
	if near := (kerneltest.Tolerance{Abs: 0.016}); !near.Near(float64(dropped)/(rows*width), rate) {
		t.Errorf("%d of %d dropped, want a share of %v", dropped, rows*width, rate)
	}
}

// TestDropoutDrawsFromSeedAndStep shows that a mask follows from seed, step and
// place in the network, so that a training that was stopped goes on with it.
func TestDropoutDrawsFromSeedAndStep(t *testing.T) {
	n := newNetwork(t, 64, Dropout{Rate: 0.5}, Dropout{Rate: 0.5})
	x := make([]float32, 64)
	for i := range x {
		x[i] = 1
	}
	draw := func(seed uint64, step int64, earlier int) []float32 {
		ws := newWorkspace(n, seed)
		for i := range earlier {
			ws.step = int64(i)
			n.forward(ws, x, 1, false)
		}
		ws.step = step
		return append([]float32(nil), n.forward(ws, x, 1, false)...)
	}
	same := func(a, b []float32) bool { return kerneltest.Compare(kerneltest.Tolerance{}, a, b) == nil }
	if !same(draw(1, 9, 0), draw(1, 9, 5)) {
		t.Error("earlier steps change the mask")
	}
	if same(draw(1, 9, 0), draw(1, 10, 0)) {
		t.Error("steps 9 and 10 have the same mask")
	}
	if same(draw(1, 9, 0), draw(2, 9, 0)) {
		t.Error("seeds 1 and 2 have the same mask")
	}
	kept := 0
	for _, v := range draw(1, 9, 0) {
		if v != 0 {
			kept++
		}
	}
	if kept > 30 { // a quarter of 64 if the two layers draw apart, else half
		t.Errorf("two layers keep %d of 64: they draw the same mask", kept)
	}
}

// TestBatchNormalizationMovesItsAverages follows Keras: biased variance, and the
// old average times momentum.
func TestBatchNormalizationMovesItsAverages(t *testing.T) {
	n := newNetwork(t, 2, BatchNormalization{Momentum: 0.75})
	ws := newWorkspace(n, 1)
	x := []float32{1, 10, 3, 10, 5, 40} // means 3 and 20, variances 8/3 and 200
	y := append([]float32(nil), n.forward(ws, x, 3, false)...)
	a, b := 2/math.Sqrt(8.0/3+1e-3), 10/math.Sqrt(200+1e-3)
	tolerance := kerneltest.Tolerance{Rel: 1e-6}
	if err := kerneltest.Compare(tolerance, y, []float64{-a, -b, 0, -b, a, 2 * b}); err != nil {
		t.Errorf("outputs: %v", err)
	}
	mean, variance := n.Params()[2], n.Params()[3]
	if mean.Value[0] != 0 || variance.Value[0] != 1 {
		t.Errorf("averages moved before the step was sure: %v, %v", mean.Value, variance.Value)
	}
	n.backward(ws, make([]float32, 6), 3)
	if err := kerneltest.Compare(tolerance, mean.Value, []float64{0.75, 5}); err != nil {
		t.Errorf("moving mean: %v", err)
	}
	if err := kerneltest.Compare(tolerance, variance.Value, []float64{0.75 + 0.25*8/3, 0.75 + 50}); err != nil {
		t.Errorf("moving variance: %v", err)
	}
}

// TestTrainingBits shows that the gradients of a batch have the same bits whatever
// the number of threads.
func TestTrainingBits(t *testing.T) {
	const rows, inputs = 40, 130
	layers := []Layer{
		Dense{Units: 150, Activation: "relu"},
		BatchNormalization{},
		Dropout{Rate: 0.2},
		Dense{Units: 140, Activation: "tanh"},
		LayerNormalization{},
		Dense{Units: 10, Activation: "softmax"},
	}
	r := rand.New(rand.NewPCG(1, 2))
	x, y := awayFromZero(r, rows*inputs), make([]float32, rows)
	for i := range y {
		y[i] = float32(r.IntN(10))
	}
	gradients := func(threads int) []float32 {
		n := newNetwork(t, inputs, layers...)
		ws := newWorkspace(n, 3)
		ws.gemm.Threads = threads
		z := n.forward(ws, x, rows, true)
		dz := make([]float32, rows*10)
		SparseCategoricalCrossentropy{}.gradient(dz, z, y, nil, rows, 10)
		n.backward(ws, dz, rows)
		var all []float32
		for _, p := range n.Params() {
			all = append(append(all, p.Value...), p.Grad...)
		}
		return all
	}
	want := gradients(1)
	for _, threads := range []int{2, 3, 16, runtime.GOMAXPROCS(0)} {
		if err := kerneltest.Compare(kerneltest.Tolerance{}, gradients(threads), want); err != nil {
			t.Errorf("%d threads: %v", threads, err)
		}
	}
}

// A step over many weights is shared between goroutines, which must not change a bit.
func TestUpdateBits(t *testing.T) {
	const rows, inputs, units = 4, 300, 500 // 150,500 weights
	r := rand.New(rand.NewPCG(1, 2))
	x, y := awayFromZero(r, rows*inputs), awayFromZero(r, rows*units)
	train := func(o Optimizer, threads int) []float32 {
		n := newNetwork(t, inputs, Dense{Units: units})
		trainer, err := NewTrainer(n, MeanSquaredError{}, o)
		if err != nil {
			t.Fatal(err)
		}
		trainer.work.gemm.Threads = threads
		for range 3 {
			if _, err := trainer.Step(x, y, nil, rows); err != nil {
				t.Fatal(err)
			}
		}
		all := slices.Clone(trainer.trained.value)
		for _, p := range trainer.stepper.state() {
			all = append(all, p.Value...)
		}
		return all
	}
	for _, o := range []Optimizer{AdamW{AMSGrad: true}, SGD{}, SGD{Momentum: 0.9}, RMSprop{Momentum: 0.9, Centered: true}, Adagrad{}, Nadam{}, Lion{}} {
		want := train(o, 1)
		for _, threads := range []int{2, 5} {
			if err := kerneltest.Compare(kerneltest.Tolerance{}, train(o, threads), want); err != nil {
				t.Errorf("%s, %d threads: %v", o.Config().Name, threads, err)
			}
		}
	}
}

func TestTrainingAllocatesNothingOnceGrown(t *testing.T) {
	const rows = 8
	n := newNetwork(t, 5, Dense{Units: 7, Activation: "relu"}, BatchNormalization{}, Dropout{Rate: 0.5},
		Dense{Units: 6, Activation: "gelu"}, LayerNormalization{}, Dense{Units: 1, Activation: "sigmoid"})
	ws, x, y, dz := newWorkspace(n, 1), make([]float32, rows*5), make([]float32, rows), make([]float32, rows)
	step := func() {
		z := n.forward(ws, x, rows, true)
		BinaryCrossentropy{}.gradient(dz, z, y, nil, rows, 1)
		n.backward(ws, dz, rows)
		n.addPenaltyGradients()
	}
	step()
	if got := testing.AllocsPerRun(10, step); got != 0 {
		t.Errorf("a step allocates %v times, want 0", got)
	}
}

func TestPenalty(t *testing.T) {
	n := newNetwork(t, 2, Dense{Units: 1, KernelRegularizer: Regularizer{L1: 0.5, L2: 0.25}, BiasRegularizer: Regularizer{L2: 2}})
	copy(n.Params()[0].Value, []float32{-2, 3})
	n.Params()[1].Value[0] = -1
	want := 0.5*5 + 0.25*13 + 2
	if got := n.penalty(); got != want {
		t.Errorf("penalty = %v, want %v", got, want)
	}
	n.Params()[0].Value[0] = 0
	n.addPenaltyGradients()
	if err := kerneltest.Compare(kerneltest.Tolerance{}, n.Params()[0].Grad, []float32{0, 0.5 + 2*0.25*3}); err != nil {
		t.Error(err)
	}
}

func BenchmarkStep(b *testing.B) {
	const rows = 32
	n, err := New(784, []Layer{
		Dense{Units: 300, Activation: "relu"}, Dense{Units: 100, Activation: "relu"}, Dense{Units: 10, Activation: "softmax"},
	}, 1)
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	x, y, dz := make([]float32, rows*784), make([]float32, rows), make([]float32, rows*10)
	for i := range x {
		if r.IntN(2) == 0 { // half of Fashion-MNIST is background
			x[i] = r.Float32()
		}
	}
	ws := newWorkspace(n, 1)
	for b.Loop() {
		z := n.forward(ws, x, rows, true)
		SparseCategoricalCrossentropy{}.gradient(dz, z, y, nil, rows, 10)
		n.backward(ws, dz, rows)
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
