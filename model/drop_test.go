package model_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/nn"
)

// TestDropTraining wants a model that predicts as before, to the bit, and refuses
// the rest.
func TestDropTraining(t *testing.T) {
	m := smallModel(t)
	rows := flowers(t, m.Schema(), 50, 3)
	kept := decode(t, encode(t, m))
	params := m.Params()
	m.DropTraining()
	want, err := kept.NewPredictor().Predict(rows)
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.NewPredictor().Predict(rows)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want.Probs {
		if got.Probs[i] != want.Probs[i] {
			t.Fatalf("probability %d = %v, want %v", i, got.Probs[i], want.Probs[i])
		}
	}
	if m.Params() != params {
		t.Errorf("Params() = %d, want %d", m.Params(), params)
	}
	if _, err := m.Encode(); !errors.Is(err, model.ErrDropped) {
		t.Errorf("Encode() = %v, want ErrDropped", err)
	}
	if _, _, err := model.Fit(t.Context(), m.Spec(), rows, model.FitOptions{Parent: m}); !errors.Is(err, model.ErrDropped) {
		t.Errorf("Fit() from it = %v, want ErrDropped", err)
	}
}

// TestDropTrainingFrees wants the gradients and both moments of Adam gone: of a
// model of 600,000 weights little more than these remains, twice.
func TestDropTrainingFrees(t *testing.T) {
	s := mustParse(t, flowerSpec)
	s.Training.Epochs = 1
	s.Network = []nn.Layer{nn.Dense{Units: 600, Activation: "relu"}, nn.Dense{Units: 1000, Activation: "relu"}}
	m, _ := fit(t, s, flowers(t, &s.Schema, 40, 1), model.FitOptions{})
	held := func() int64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	before := held()
	m.DropTraining()
	freed := before - held()
	if weights := int64(4 * m.Params()); freed < weights*3/2 {
		t.Errorf("%d bytes are freed, want almost twice the %d of the weights", freed, weights)
	}
	runtime.KeepAlive(m)
}
