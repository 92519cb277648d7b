package nn_test

import (
	"math/rand/v2"
	"testing"

	"github.com/modelbus/modelbus/model/nn"
)

// BenchmarkStep is one mini-batch of 32 rows. On the small network what is not
// arithmetic shows, on the large ones little else.
func BenchmarkStep(b *testing.B) {
	classifier := func(units ...int) []nn.Layer {
		var layers []nn.Layer
		for _, n := range units {
			layers = append(layers, nn.Dense{Units: n, Activation: "relu"})
		}
		return append(layers, nn.Dense{Units: 10, Activation: "softmax"})
	}
	tests := []struct {
		name   string
		inputs int
		layers []nn.Layer
		loss   nn.Loss
		opt    nn.Optimizer
	}{
		{"10-10-1/Adam", 10, []nn.Layer{nn.Dense{Units: 10, Activation: "relu"}, nn.Dense{Units: 1}}, nn.MeanSquaredError{}, nn.Adam{}},
		{"784-300-100-10/SGD", 784, classifier(300, 100), nn.SparseCategoricalCrossentropy{}, nn.SGD{}},
		{"784-300-100-10/momentum", 784, classifier(300, 100), nn.SparseCategoricalCrossentropy{}, nn.SGD{Momentum: 0.9}},
		{"784-300-100-10/Adam", 784, classifier(300, 100), nn.SparseCategoricalCrossentropy{}, nn.Adam{}},
		{"784-512-512-10/Adam", 784, classifier(512, 512), nn.SparseCategoricalCrossentropy{}, nn.Adam{}},
	}
	for _, tt := range tests {
		b.Run(tt.name, func(b *testing.B) { benchmarkStep(b, tt.inputs, tt.layers, tt.loss, tt.opt) })
	}
}

func benchmarkStep(b *testing.B, inputs int, layers []nn.Layer, loss nn.Loss, opt nn.Optimizer) {
	b.Helper()
	n, err := nn.New(inputs, layers, 1)
	if err != nil {
		b.Fatal(err)
	}
	trainer, err := nn.NewTrainer(n, loss, opt)
	if err != nil {
		b.Fatal(err)
	}
	const rows = 32
	r := rand.New(rand.NewPCG(1, 2))
	x, y := make([]float32, rows*inputs), make([]float32, rows)
	for i := range x {
		x[i] = r.Float32()
	}
	for i := range y {
		y[i] = float32(r.IntN(n.Outputs()))
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := trainer.Step(x, y, nil, rows); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
