package nn_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model/nn"
)

// table is Data of rows of inputs and targets columns.
type table struct {
	x, y, w         []float32 // w may be nil
	inputs, targets int

	gathered [][]int // rows of every call
	fail     func(call int) error
}

func (d *table) Len() int { return len(d.x) / d.inputs }

func (d *table) Gather(x, y, w []float32, rows []int) error {
	d.gathered = append(d.gathered, slices.Clone(rows))
	if d.fail != nil {
		if err := d.fail(len(d.gathered)); err != nil {
			return err
		}
	}
	for i, r := range rows {
		copy(x[i*d.inputs:(i+1)*d.inputs], d.x[r*d.inputs:])
		copy(y[i*d.targets:(i+1)*d.targets], d.y[r*d.targets:])
		w[i] = 1
		if d.w != nil {
			w[i] = d.w[r]
		}
	}
	return nil
}

// line is rows of y = 2x₁ - x₂ + 1 with x in [-1, 1).
func line(rows int) *table {
	d := &table{inputs: 2, targets: 1}
	r := rand.New(rand.NewPCG(11, 12))
	for range rows {
		a, b := 2*r.Float32()-1, 2*r.Float32()-1
		d.x, d.y = append(d.x, a, b), append(d.y, 2*a-b+1)
	}
	return d
}

func fit(t *testing.T, trainer *nn.Trainer, train, val nn.Data, opts nn.FitOptions) *nn.History {
	t.Helper()
	h, err := trainer.Fit(t.Context(), train, val, opts)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func last(h *nn.History) nn.Epoch { return h.Epochs[len(h.Epochs)-1] }

func TestEveryOptimizerFitsALine(t *testing.T) {
	for name, opt := range everyOptimizer() {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, 2, 1, nn.Dense{Units: 1})
			h := fit(t, newTrainer(t, n, nn.MeanSquaredError{}, opt), line(256), line(64), nn.FitOptions{Epochs: 200, BatchSize: 16})
			// From about 2; the decay of AdamW and Lion keeps them off 0.
			if got := *last(h).ValLoss; got > 0.05 {
				t.Errorf("val_loss = %v, want at most 0.05", got)
			}
			if h.Stopped != "epochs" || len(h.Epochs) != 200 || h.Best != 0 {
				t.Errorf("stopped = %q after %d epochs, best %d", h.Stopped, len(h.Epochs), h.Best)
			}
		})
	}
}

func TestFitLearnsXOR(t *testing.T) {
	xor := &table{x: []float32{0, 0, 0, 1, 1, 0, 1, 1}, y: []float32{0, 1, 1, 0}, inputs: 2, targets: 1}
	n := newNetwork(t, 2, 1, nn.Dense{Units: 8, Activation: "tanh"}, nn.Dense{Units: 1, Activation: "sigmoid"})
	h := fit(t, newTrainer(t, n, nn.BinaryCrossentropy{}, nn.Adam{LearningRate: 0.05}), xor, nil, nn.FitOptions{Epochs: 300, BatchSize: 4})
	if got := last(h).Loss; got > 0.01 {
		t.Errorf("loss = %v, want at most 0.01", got)
	}
	y := make([]float32, 4)
	n.NewPredictor().Predict(y, xor.x, 4)
	for i, want := range xor.y {
		if math.Abs(float64(y[i]-want)) > 0.02 {
			t.Errorf("row %d: %v, want %v", i, y[i], want)
		}
	}
	if e := last(h); e.ValLoss != nil || e.Metrics != nil || e.Rows != 4 || e.LearningRate != 0.05 {
		t.Errorf("epoch = %+v", e)
	}
}

// A small smooth surface: from a variance of 0.5 to a hundredth of it.
func TestFitLearnsASurface(t *testing.T) {
	surface := line(512)
	for i := range surface.y {
		a, b := float64(surface.x[2*i]), float64(surface.x[2*i+1])
		surface.y[i] = float32(math.Sin(3*a) * math.Cos(b))
	}
	n := newNetwork(t, 2, 1, nn.Dense{Units: 32, Activation: "relu"}, nn.Dense{Units: 1})
	h := fit(t, newTrainer(t, n, nn.MeanSquaredError{}, nn.Adam{LearningRate: 0.01}), surface, nil, nn.FitOptions{Epochs: 60})
	if got := last(h).Loss; got > 0.005 {
		t.Errorf("loss = %v, want at most 0.005", got)
	}
}

func TestFitIsTheSameOnAnyNumberOfProcessors(t *testing.T) {
	train := func(procs int) []uint32 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		r := rand.New(rand.NewPCG(1, 2))
		d := &table{inputs: 20, targets: 1}
		for range 600 {
			for range 20 {
				d.x = append(d.x, float32(r.NormFloat64()))
			}
			d.y = append(d.y, float32(r.IntN(3)))
		}
		n := newNetwork(t, 20, 5, nn.Dense{Units: 96, Activation: "gelu"}, nn.BatchNormalization{}, nn.Dropout{Rate: 0.2},
			nn.Dense{Units: 64, Activation: "relu"}, nn.Dense{Units: 3, Activation: "softmax"})
		trainer := newTrainer(t, n, nn.SparseCategoricalCrossentropy{}, nn.Adam{Clip: nn.Clip{GlobalNorm: 1}})
		h := fit(t, trainer, d, d, nn.FitOptions{Epochs: 2, BatchSize: 128, Seed: 3})
		b := bits(n.Params())
		for _, e := range h.Epochs {
			b = append(b, uint32(math.Float64bits(e.Loss)), uint32(math.Float64bits(*e.ValLoss)))
		}
		return b
	}
	one := train(1)
	for _, procs := range []int{1, 2, 3} {
		if !slices.Equal(train(procs), one) {
			t.Errorf("GOMAXPROCS %d gives other bits", procs)
		}
	}
}

func TestFitGoesOnExactly(t *testing.T) {
	iris := func() *table {
		d := &table{inputs: 4, targets: 1}
		for step := range uint64(9) {
			x, y, w := draw(2, step)
			d.x, d.y, d.w = append(d.x, x...), append(d.y, y...), append(d.w, w...)
		}
		return d
	}
	opts := nn.FitOptions{Epochs: 12, BatchSize: 16, Seed: 9}
	whole := regular(t, 4)
	fit(t, newTrainer(t, whole, nn.SparseCategoricalCrossentropy{}, nil), iris(), nil, opts)

	half := opts
	half.Epochs = 5
	first := regular(t, 4)
	stopped := newTrainer(t, first, nn.SparseCategoricalCrossentropy{}, nil)
	fit(t, stopped, iris(), nil, half)
	second := first.Clone()
	resumed := newTrainer(t, second, nn.SparseCategoricalCrossentropy{}, nil)
	if err := resumed.Restore(stopped.State()); err != nil {
		t.Fatal(err)
	}
	opts.InitialEpoch = 5
	h := fit(t, resumed, iris(), nil, opts)
	if len(h.Epochs) != 7 || h.Epochs[0].Number != 6 || h.Epochs[0].Epochs != 12 {
		t.Errorf("history = %+v", h)
	}
	if !slices.Equal(bits(second.Params()), bits(whole.Params())) {
		t.Error("5 epochs and 7 more are not 12 epochs")
	}
}

func TestFitShuffles(t *testing.T) {
	orders := func(opts nn.FitOptions) [][]int {
		d := line(50)
		opts.Epochs, opts.BatchSize = 3, 16
		fit(t, newTrainer(t, newNetwork(t, 2, 1, nn.Dense{Units: 1}), nn.MeanSquaredError{}, nil), d, nil, opts)
		var epochs [][]int
		for chunk := range slices.Chunk(d.gathered, 4) { // 16, 16, 16, 2
			epochs = append(epochs, slices.Concat(chunk...))
		}
		return epochs
	}
	inOrder := make([]int, 50)
	for i := range inOrder {
		inOrder[i] = i
	}
	a, b, other := orders(nn.FitOptions{Seed: 1}), orders(nn.FitOptions{Seed: 1}), orders(nn.FitOptions{Seed: 2})
	for e := range 3 {
		if !slices.Equal(slices.Sorted(slices.Values(a[e])), inOrder) {
			t.Errorf("epoch %d does not see every row once: %v", e+1, a[e])
		}
		if !slices.Equal(a[e], b[e]) {
			t.Errorf("epoch %d has two orders for one seed", e+1)
		}
		if slices.Equal(a[e], inOrder) || slices.Equal(a[e], other[e]) || e > 0 && slices.Equal(a[e], a[e-1]) {
			t.Errorf("epoch %d is not shuffled by seed and number: %v", e+1, a[e])
		}
	}
	for e, order := range orders(nn.FitOptions{Seed: 1, NoShuffle: true}) {
		if !slices.Equal(order, inOrder) {
			t.Errorf("epoch %d is shuffled: %v", e+1, order)
		}
	}
}

func TestSeedDecidesDropout(t *testing.T) {
	loss := func(seed uint64) float64 {
		n := newNetwork(t, 2, 1, nn.Dense{Units: 16}, nn.Dropout{Rate: 0.5}, nn.Dense{Units: 1})
		h := fit(t, newTrainer(t, n, nn.MeanSquaredError{}, nil), line(64), nil, nn.FitOptions{NoShuffle: true, Seed: seed})
		return h.Epochs[0].Loss
	}
	if loss(1) != loss(1) || loss(1) == loss(2) {
		t.Errorf("losses of seeds 1, 1 and 2 are %v, %v and %v", loss(1), loss(1), loss(2))
	}
}

// A learning rate of almost 0 leaves the weights, so the losses are known.
func TestLossesArePerRowWithPenalties(t *testing.T) {
	d := &table{x: []float32{1, 2, 3, 4, 5}, y: []float32{0, 0, 0, 0, 0}, w: []float32{1, 1, 1, 1, 2}, inputs: 1, targets: 1}
	n := newNetwork(t, 1, 1, nn.Dense{Units: 1, KernelRegularizer: nn.Regularizer{L2: 0.5}})
	n.Params()[0].Value[0] = 2
	h := fit(t, newTrainer(t, n, nn.MeanSquaredError{}, nn.SGD{LearningRate: 1e-12}), d, d, nn.FitOptions{BatchSize: 2})
	want := (4+16+36+64+2*100)/5.0 + 0.5*4 // divided by the rows, not by the weights, as Keras does
	if got := h.Epochs[0].Loss; math.Abs(got-want) > 1e-4 {
		t.Errorf("loss = %v, want %v", got, want)
	}
	if got := *h.Epochs[0].ValLoss; math.Abs(got-want) > 1e-4 {
		t.Errorf("val_loss = %v, want %v", got, want)
	}
}

func TestMetricsSeeAllValidationRows(t *testing.T) {
	val := &table{inputs: 4, targets: 1}
	for step := range uint64(40) { // 320 rows, more than are computed at once
		x, y, w := draw(3, step)
		val.x, val.y, val.w = append(val.x, x...), append(val.y, y...), append(val.w, w...)
	}
	n := regular(t, 6)
	calls := 0
	opts := nn.FitOptions{Epochs: 2, Metrics: func(outputs, targets, weights []float32) map[string]float64 {
		calls++
		want := make([]float32, 3*320)
		n.NewPredictor().Predict(want, val.x, 320)
		if !slices.Equal(outputs, want) || !slices.Equal(targets, val.y) || !slices.Equal(weights, val.w) {
			t.Error("outputs, targets or weights are not those of the validation rows")
		}
		return map[string]float64{"calls": float64(calls)}
	}}
	h := fit(t, newTrainer(t, n, nn.SparseCategoricalCrossentropy{}, nil), val, val, opts)
	if got := last(h).Metrics["calls"]; got != 2 {
		t.Errorf("metrics = %v, want 2 calls", last(h).Metrics)
	}
}

func TestFitStopsWhenTheContextEnds(t *testing.T) {
	for _, stopAt := range []int{1, 3, 6} { // 4 batches of training, then 1 of validation
		t.Run(fmt.Sprint(stopAt), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			d := line(100)
			d.fail = func(call int) error {
				if call == stopAt {
					cancel()
				}
				return nil
			}
			trainer := newTrainer(t, newNetwork(t, 2, 1, nn.Dense{Units: 1}), nn.MeanSquaredError{}, nil)
			h, err := trainer.Fit(ctx, d, d, nn.FitOptions{Epochs: 1000})
			if !errors.Is(err, context.Canceled) || h != nil {
				t.Errorf("Fit = %v, %v, want context.Canceled", h, err)
			}
			if got := len(d.gathered); got != stopAt {
				t.Errorf("%d batches were read, want %d", got, stopAt)
			}
		})
	}
}

func TestFitReturnsTheErrorOfTheData(t *testing.T) {
	broken := errors.New("broken")
	d := line(100)
	d.fail = func(call int) error {
		if call == 6 {
			return broken
		}
		return nil
	}
	trainer := newTrainer(t, newNetwork(t, 2, 1, nn.Dense{Units: 1}), nn.MeanSquaredError{}, nil)
	if _, err := trainer.Fit(t.Context(), d, nil, nn.FitOptions{Epochs: 3}); !errors.Is(err, broken) {
		t.Errorf("Fit = %v, want %v", err, broken)
	}
}

func TestFitDiverges(t *testing.T) {
	huge := line(64)
	for i := range huge.x {
		huge.x[i] *= 1e20
	}
	nan := line(64)
	nan.x[7] = float32(math.NaN())
	tests := []struct {
		name       string
		train, val *table
		opt        nn.Optimizer
		says       string
	}{
		{"a rate too high", line(64), nil, nn.SGD{LearningRate: 1e6}, "lower the learning rate"},
		{"features too large", huge, nil, nn.SGD{}, "scale the features"},
		{"a feature that is NaN", nan, nil, nil, "features are not finite"},
		{"validation alone", line(64), nan, nil, "validation loss"},
		{"weights at the last step", line(1), nil, nn.SGD{LearningRate: 1e38, WeightDecay: 10}, "dense."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			trainer := newTrainer(t, newNetwork(t, 2, 1, nn.Dense{Units: 1}), nn.MeanSquaredError{}, tt.opt)
			var val nn.Data
			if tt.val != nil {
				val = tt.val
			}
			epochs := 100
			if tt.train.Len() == 1 {
				epochs = 1
			}
			h, err := trainer.Fit(t.Context(), tt.train, val, nn.FitOptions{Epochs: epochs})
			if !errors.Is(err, nn.ErrDiverged) {
				t.Fatalf("Fit = %v, %v, want ErrDiverged", h, err)
			}
			for _, word := range []string{"epoch ", "step ", tt.says} {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %q", err, word)
				}
			}
		})
	}
}

func TestFitClipsByOption(t *testing.T) {
	weights := func(opt nn.Optimizer, clip float64) []uint32 {
		n := newNetwork(t, 2, 1, nn.Dense{Units: 4, Activation: "relu"}, nn.Dense{Units: 1})
		fit(t, newTrainer(t, n, nn.MeanSquaredError{}, opt), line(64), nil, nn.FitOptions{GlobalClipNorm: clip})
		return bits(n.Params())
	}
	clipped := weights(nn.SGD{}, 0.1)
	if !slices.Equal(clipped, weights(nn.SGD{Clip: nn.Clip{GlobalNorm: 0.1}}, 0)) {
		t.Error("GlobalClipNorm is not the optimizer's global_clipnorm")
	}
	if slices.Equal(clipped, weights(nn.SGD{}, 0)) {
		t.Error("GlobalClipNorm changes nothing")
	}
}

func TestFitRefusesOptions(t *testing.T) {
	nan := math.NaN()
	scheduled := nn.Adam{Schedule: nn.ExponentialDecay{InitialLearningRate: 0.1, DecaySteps: 10, DecayRate: 0.5}}
	metrics := func(_, _, _ []float32) map[string]float64 { return map[string]float64{"accuracy": 1} }
	tests := []struct {
		name  string
		train *table
		val   *table
		opt   nn.Optimizer
		opts  nn.FitOptions
		says  string
	}{
		{"no rows", &table{inputs: 2}, nil, nil, nn.FitOptions{}, "no rows"},
		{"no validation rows", line(4), &table{inputs: 2}, nil, nn.FitOptions{}, "no rows"},
		{"negative batch", line(4), nil, nil, nn.FitOptions{BatchSize: -1}, "-1"},
		{"negative epochs", line(4), nil, nil, nn.FitOptions{Epochs: -2}, "-2"},
		{"epochs done", line(4), nil, nil, nn.FitOptions{Epochs: 3, InitialEpoch: 3}, "3"},
		{"clip below zero", line(4), nil, nil, nn.FitOptions{GlobalClipNorm: -1}, "-1"},
		{"clip twice", line(4), nil, nn.Adam{Clip: nn.Clip{Value: 1}}, nn.FitOptions{GlobalClipNorm: 1}, "own clipping"},
		{"negative patience", line(4), nil, nil, nn.FitOptions{EarlyStopping: &nn.EarlyStopping{Patience: -1}}, "-1"},
		{"delta that is NaN", line(4), nil, nil, nn.FitOptions{EarlyStopping: &nn.EarlyStopping{MinDelta: nan}}, "NaN"},
		{"val_loss without validation", line(4), nil, nil, nn.FitOptions{EarlyStopping: &nn.EarlyStopping{Monitor: "val_loss"}}, "validation"},
		{"mistyped monitor", line(4), line(4), nil, nn.FitOptions{Metrics: metrics, EarlyStopping: &nn.EarlyStopping{Monitor: "val_acc"}}, "val_accuracy"},
		{"mistyped target", line(4), line(4), nil, nn.FitOptions{Metrics: metrics, Target: &nn.Target{Monitor: "accuracy", Value: 1}}, "val_accuracy"},
		{"target that is NaN", line(4), nil, nil, nn.FitOptions{Target: &nn.Target{Value: nan}}, "NaN"},
		{"plateau of a schedule", line(4), nil, scheduled, nn.FitOptions{ReduceOnPlateau: &nn.ReduceOnPlateau{}}, "ExponentialDecay"},
		{"factor of one", line(4), nil, nil, nn.FitOptions{ReduceOnPlateau: &nn.ReduceOnPlateau{Factor: 1}}, "(0, 1)"},
		{"rate below zero", line(4), nil, nil, nn.FitOptions{ReduceOnPlateau: &nn.ReduceOnPlateau{MinRate: -1}}, "-1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			trainer := newTrainer(t, newNetwork(t, 2, 1, nn.Dense{Units: 1}), nn.MeanSquaredError{}, tt.opt)
			var val nn.Data
			if tt.val != nil {
				val = tt.val
			}
			_, err := trainer.Fit(t.Context(), tt.train, val, tt.opts)
			wrong, ok := errors.AsType[*nn.ConfigError](err)
			if !ok {
				t.Fatalf("Fit = %v, want a *ConfigError", err)
			}
			if !strings.Contains(wrong.Msg, tt.says) {
				t.Errorf("%q does not say %q", wrong, tt.says)
			}
		})
	}
}
