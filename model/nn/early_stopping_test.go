package nn_test

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/modelbus/modelbus/model/metric"
	"github.com/modelbus/modelbus/model/nn"
)

// A play is a training whose validation score of each epoch is written down.
type play struct {
	history *nn.History
	epochs  [][]uint32 // weights after each epoch
	final   []uint32
	rates   []float64
}

// perform fits for as many epochs as there are scores of the metric name.
func perform(t *testing.T, name string, scores []float64, opt nn.Optimizer, opts nn.FitOptions) play {
	t.Helper()
	n := newNetwork(t, 2, 1, nn.Dense{Units: 1})
	var p play
	opts.Epochs = len(scores)
	opts.Metrics = func(_, _, _ []float32) map[string]float64 {
		return map[string]float64{name: scores[len(p.epochs)]}
	}
	opts.Progress = func(e nn.Epoch) bool {
		p.epochs, p.rates = append(p.epochs, bits(n.Params())), append(p.rates, e.LearningRate)
		return true
	}
	p.history = fit(t, newTrainer(t, n, nn.MeanSquaredError{}, opt), line(64), line(32), opts)
	p.final = bits(n.Params())
	return p
}

// The rules are those of Keras's EarlyStopping.
func TestEarlyStopping(t *testing.T) {
	nan := math.NaN()
	tests := []struct {
		name     string
		metric   string
		scores   []float64
		stopping nn.EarlyStopping
		epochs   int // trained
		stopped  string
		weights  int // the epoch whose weights remain
		best     int
	}{
		{"patience 0 stops at the first epoch without improvement", "mse", []float64{3, 2, 2, 1}, nn.EarlyStopping{}, 3, "early_stopping", 3, 0},
		{"patience 1 does too", "mse", []float64{3, 2, 2, 1}, nn.EarlyStopping{Patience: 1}, 3, "early_stopping", 3, 0},
		{"the first epoch never stops", "mse", []float64{3, 2, 1}, nn.EarlyStopping{}, 3, "epochs", 3, 0},
		{"improvement starts the wait again", "mse", []float64{3, 4, 2, 3, 3, 1}, nn.EarlyStopping{Patience: 2}, 5, "early_stopping", 5, 0},
		{"best weights", "mse", []float64{3, 1, 2, 2, 0}, nn.EarlyStopping{Patience: 2, RestoreBest: true}, 4, "early_stopping", 2, 2},
		{"best weights at the end of the epochs", "mse", []float64{3, 1, 2}, nn.EarlyStopping{Patience: 9, RestoreBest: true}, 3, "epochs", 2, 2},
		{"greater is better for accuracy", "accuracy", []float64{0.5, 0.8, 0.7, 0.8, 0.9}, nn.EarlyStopping{Patience: 2, RestoreBest: true}, 4, "early_stopping", 2, 2},
		{"less than the delta is no improvement", "mse", []float64{3, 2.5, 2.2, 1}, nn.EarlyStopping{Patience: 2, MinDelta: 1}, 3, "early_stopping", 3, 0},
		{"the delta counts from the best that improved", "mse", []float64{3, 2.5, 1.9, 1}, nn.EarlyStopping{Patience: 3, MinDelta: 1, RestoreBest: true}, 4, "epochs", 3, 3},
		{"NaN is no improvement", "mse", []float64{3, nan, nan, 1}, nn.EarlyStopping{Patience: 2, RestoreBest: true}, 3, "early_stopping", 1, 1},
		{"any number is better than NaN", "mse", []float64{nan, 5, 6, 7}, nn.EarlyStopping{Patience: 2, RestoreBest: true}, 4, "early_stopping", 2, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stopping := tt.stopping
			stopping.Monitor = "val_" + tt.metric
			opts := nn.FitOptions{EarlyStopping: &stopping}
			p := perform(t, tt.metric, tt.scores, nil, opts)
			if got := len(p.history.Epochs); got != tt.epochs || p.history.Stopped != tt.stopped || p.history.Best != tt.best {
				t.Errorf("%d epochs, stopped by %q, best %d; want %d, %q, %d",
					got, p.history.Stopped, p.history.Best, tt.epochs, tt.stopped, tt.best)
			}
			if !slices.Equal(p.final, p.epochs[tt.weights-1]) {
				t.Errorf("the weights are not those of epoch %d", tt.weights)
			}
			if stopping.Patience != tt.stopping.Patience || stopping.MinDelta != tt.stopping.MinDelta {
				t.Errorf("options changed to %+v", stopping)
			}
		})
	}
}

func TestTarget(t *testing.T) {
	tests := []struct {
		name, metric string
		scores       []float64
		value        float64
		epochs       int
		stopped      string
	}{
		{"reached", "accuracy", []float64{0.5, 0.95, 0.99}, 0.95, 2, "target"},
		{"not reached", "accuracy", []float64{0.5, 0.6, 0.7}, 0.95, 3, "epochs"},
		{"smaller is better", "mse", []float64{3, 2, 1}, 2, 2, "target"},
		{"NaN reaches nothing", "mse", []float64{math.NaN(), 3, 1}, 2, 3, "target"},
		{"at once", "r2", []float64{0.9, 0.5}, 0.5, 1, "target"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := perform(t, tt.metric, tt.scores, nil, nn.FitOptions{Target: &nn.Target{Monitor: "val_" + tt.metric, Value: tt.value}})
			if got := len(p.history.Epochs); got != tt.epochs || p.history.Stopped != tt.stopped {
				t.Errorf("%d epochs, stopped by %q; want %d, %q", got, p.history.Stopped, tt.epochs, tt.stopped)
			}
		})
	}
}

// Whoever stops at 0.9 wants the weights that reached it.
func TestTargetKeepsItsWeights(t *testing.T) {
	opts := nn.FitOptions{
		Target:        &nn.Target{Monitor: "val_accuracy", Value: 0.9},
		EarlyStopping: &nn.EarlyStopping{Monitor: "val_accuracy", MinDelta: 0.5, Patience: 9, RestoreBest: true},
	}
	p := perform(t, "accuracy", []float64{0.5, 0.9, 0.1}, nil, opts)
	if p.history.Stopped != "target" || p.history.Best != 0 || !slices.Equal(p.final, p.epochs[1]) {
		t.Errorf("stopped by %q with the weights of epoch %d", p.history.Stopped, p.history.Best)
	}
}

func TestReduceOnPlateau(t *testing.T) {
	tests := []struct {
		name    string
		scores  []float64
		plateau nn.ReduceOnPlateau
		rates   []float64
	}{
		{"Keras's test", []float64{1, 1, 1}, nn.ReduceOnPlateau{Patience: 1}, []float64{0.1, 0.1, 0.01}},
		{"not below the least", []float64{1, 1, 1, 1}, nn.ReduceOnPlateau{Patience: 1, MinRate: 0.005}, []float64{0.1, 0.1, 0.01, 0.005}},
		{"improvement starts the wait again", []float64{3, 3, 2, 2, 2, 2}, nn.ReduceOnPlateau{Patience: 2, Factor: 0.5}, []float64{0.1, 0.1, 0.1, 0.1, 0.1, 0.05}},
		{"less than the delta is none", []float64{1, 0.99995, 0.9999, 0.5}, nn.ReduceOnPlateau{Patience: 2, Factor: 0.5}, []float64{0.1, 0.1, 0.1, 0.05}},
		{"cooldown", []float64{1, 1, 1, 1, 1, 1}, nn.ReduceOnPlateau{Patience: 1, Factor: 0.5, Cooldown: 2}, []float64{0.1, 0.1, 0.05, 0.05, 0.025, 0.025}},
		{"ten epochs by default", slices.Repeat([]float64{1}, 12), nn.ReduceOnPlateau{}, append(slices.Repeat([]float64{0.1}, 11), 0.01)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.plateau.Monitor = "val_mse"
			p := perform(t, "mse", tt.scores, nn.SGD{LearningRate: 0.1}, nn.FitOptions{ReduceOnPlateau: &tt.plateau})
			if !slices.EqualFunc(p.rates, tt.rates, func(a, b float64) bool { return math.Abs(a-b) < 1e-15 }) {
				t.Errorf("rates = %v, want %v", p.rates, tt.rates)
			}
		})
	}
}

// The reduced rate is the one that steps are made with.
func TestReducedRateIsUsed(t *testing.T) {
	plateau := nn.FitOptions{ReduceOnPlateau: &nn.ReduceOnPlateau{Monitor: "val_mse", Patience: 1, Factor: 1e-9}}
	p := perform(t, "mse", []float64{1, 1, 1}, nn.SGD{LearningRate: 0.1}, plateau)
	moved := func(a, b []uint32) float64 {
		return math.Abs(float64(math.Float32frombits(a[0]) - math.Float32frombits(b[0])))
	}
	if before, after := moved(p.epochs[0], p.epochs[1]), moved(p.epochs[1], p.epochs[2]); before == 0 || after > 1e-6*before {
		t.Errorf("epoch 2 moved a weight by %v, epoch 3 by %v", before, after)
	}
}

func TestProgressStops(t *testing.T) {
	n := newNetwork(t, 2, 1, nn.Dense{Units: 1})
	var seen []nn.Epoch
	h := fit(t, newTrainer(t, n, nn.MeanSquaredError{}, nil), line(64), nil, nn.FitOptions{
		Epochs:   9,
		Progress: func(e nn.Epoch) bool { seen = append(seen, e); return e.Number < 3 },
	})
	if h.Stopped != "progress" || len(seen) != 3 || !reflect.DeepEqual(seen, h.Epochs) {
		t.Errorf("stopped by %q, saw %+v", h.Stopped, seen)
	}
}

// The direction of a monitored value follows from its name, as package metric
// has it.
func TestMonitorsKnowTheBetterOfTwoScores(t *testing.T) {
	for _, name := range slices.Concat(metric.ClassificationNames(), metric.RegressionNames()) {
		t.Run(name, func(t *testing.T) {
			greater, _ := metric.Better(name, 2, 1)
			opts := nn.FitOptions{Target: &nn.Target{Monitor: "val_" + name, Value: 2}}
			p := perform(t, name, []float64{3, 1}, nil, opts)
			if stopped := len(p.history.Epochs) == 1; stopped != greater {
				t.Errorf("3 reaches a target of 2: %v, greater is better: %v", stopped, greater)
			}
		})
	}
}

func ExampleTrainer_Fit() {
	network, err := nn.New(1, []nn.Layer{nn.Dense{Units: 1}}, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	trainer, err := nn.NewTrainer(network, nn.MeanSquaredError{}, nn.SGD{LearningRate: 0.1})
	if err != nil {
		fmt.Println(err)
		return
	}
	double := &table{x: []float32{1, 2, 3}, y: []float32{2, 4, 6}, inputs: 1, targets: 1}
	history, err := trainer.Fit(context.Background(), double, nil, nn.FitOptions{Epochs: 500})
	if err != nil {
		fmt.Println(err)
		return
	}
	y := make([]float32, 1)
	network.NewPredictor().Predict(y, []float32{10}, 1)
	fmt.Printf("%s after %d epochs: 10 → %.2f\n", history.Stopped, len(history.Epochs), y[0])
	// Output: epochs after 500 epochs: 10 → 20.00
}
