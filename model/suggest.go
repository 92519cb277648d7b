package model

import (
	"fmt"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/nn"
)

// Suggest returns a spec to start from for rows of a schema: a small dense
// network whose width and training follow the number of rows and inputs.
func Suggest(name string, schema feature.Schema, rows int) (*Spec, error) {
	units, training := []int{32, 16}, Training{Epochs: 100, BatchSize: 16}
	rate := 0.005
	switch {
	case rows >= 20_000:
		units, rate = []int{128, 64}, 0.001
		training = Training{Epochs: 30, BatchSize: 128, ValidationSplit: 0.1, EarlyStopping: &EarlyStopping{Patience: 4}}
	case rows >= 1_000:
		units, rate = []int{64, 32}, 0.002
		training = Training{Epochs: 60, BatchSize: 32, ValidationSplit: 0.1, EarlyStopping: &EarlyStopping{Patience: 8}}
	}
	if schema.Width() >= 256 {
		units[0] *= 2
	}
	s := &Spec{Name: name, Schema: schema, Training: training}
	for _, n := range units {
		layer, err := nn.ParseLayer(nn.Config{Name: "Dense", Args: map[string]any{"units": int64(n), "activation": "relu"}})
		if err != nil {
			return nil, fmt.Errorf("suggesting a network: %w", err)
		}
		s.Network = append(s.Network, layer)
	}
	optimizer, err := nn.ParseOptimizer(nn.Config{Name: "Adam", Args: map[string]any{"learning_rate": rate}})
	if err != nil {
		return nil, fmt.Errorf("suggesting an optimizer: %w", err)
	}
	s.Optimizer = optimizer
	return s, s.Validate()
}
