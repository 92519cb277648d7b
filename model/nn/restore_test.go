package nn_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model/nn"
)

func restoreLayers() []nn.Layer {
	return []nn.Layer{
		nn.Embedding{Columns: []nn.EmbeddingColumn{{Column: 0, InputDim: 5, OutputDim: 3}}},
		nn.Dense{Units: 4, Activation: "relu"},
		nn.BatchNormalization{},
		nn.Dense{Units: 2},
	}
}

// TestRestore wants a network on the numbers of another that shares their memory,
// predicts the same bits, and leaves them as they are when a clone is trained.
func TestRestore(t *testing.T) {
	n, err := nn.New(3, restoreLayers(), 1)
	if err != nil {
		t.Fatal(err)
	}
	at := map[string][]float32{}
	for _, p := range n.Params() {
		at[p.Name] = p.Value
	}
	again, err := nn.Restore(3, restoreLayers(), func(name string, _ []int) ([]float32, error) { return at[name], nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range again.Params() {
		if &p.Value[0] != &at[p.Name][0] || len(p.Grad) > 0 {
			t.Errorf("%s is not in place, or has %d gradients", p.Name, len(p.Grad))
		}
	}
	x := []float32{1, 0.5, -2, 4, 1, 1}
	want, got := make([]float32, 4), make([]float32, 4)
	n.NewPredictor().Predict(want, x, 2)
	again.NewPredictor().Predict(got, x, 2)
	if !slices.Equal(got, want) {
		t.Errorf("Predict = %v, want %v", got, want)
	}
	trainer, err := nn.NewTrainer(again.Clone(), nn.MeanSquaredError{}, nn.SGD{LearningRate: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trainer.Step(x, []float32{1, 2, 3, 4}, nil, 2); err != nil {
		t.Fatal(err)
	}
	again.NewPredictor().Predict(got, x, 2)
	if !slices.Equal(got, want) {
		t.Errorf("after a clone was trained Predict = %v, want %v", got, want)
	}
}

func TestRestoreErrors(t *testing.T) {
	failure := errors.New("not there")
	_, err := nn.Restore(3, restoreLayers(), func(string, []int) ([]float32, error) { return nil, failure })
	if !errors.Is(err, failure) {
		t.Errorf("error = %v, want that of value", err)
	}
	_, err = nn.Restore(3, restoreLayers(), func(string, []int) ([]float32, error) { return make([]float32, 7), nil })
	if err == nil || !strings.Contains(err.Error(), "needs 15 numbers, got 7") {
		t.Errorf("error = %v, want that 15 numbers are needed", err)
	}
}

// TestStateShapes compares with the state that trainers have.
func TestStateShapes(t *testing.T) {
	for _, opt := range []nn.Optimizer{
		nil,
		nn.SGD{},
		nn.SGD{Momentum: 0.9},
		nn.Adam{AMSGrad: true},
		nn.AdamW{},
		nn.Nadam{},
		nn.RMSprop{Momentum: 0.5, Centered: true},
		nn.Adagrad{},
		nn.Lion{},
	} {
		n, err := nn.New(3, restoreLayers(), 1)
		if err != nil {
			t.Fatal(err)
		}
		got, err := nn.StateShapes(n, nn.MeanSquaredError{}, opt)
		if err != nil {
			t.Fatal(err)
		}
		trainer, err := nn.NewTrainer(n, nn.MeanSquaredError{}, opt)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := trainer.State()
		if !slices.EqualFunc(got, want, func(a, b *nn.Param) bool { return a.Name == b.Name && slices.Equal(a.Shape, b.Shape) }) {
			t.Errorf("%T: %d tensors, want %d of the same names and shapes", opt, len(got), len(want))
		}
	}
	n, err := nn.New(3, []nn.Layer{nn.Dropout{Rate: 0.5}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nn.StateShapes(n, nn.MeanSquaredError{}, nil); err == nil {
		t.Error("a network without parameters has a state")
	}
}
