package nn_test

import (
	"math/rand/v2"
	"testing"

	"github.com/modelbus/modelbus/model/nn"
)

// BenchmarkStep is one mini-batch of 32 rows through 784-300-100-10.
func BenchmarkStep(b *testing.B) {
	for _, opt := range []nn.Optimizer{nn.SGD{}, nn.SGD{Momentum: 0.9}, nn.Adam{}} {
		c := opt.Config()
		name := c.Name
		if len(c.Args) > 0 {
			name += "/momentum"
		}
		b.Run(name, func(b *testing.B) {
			n, err := nn.New(784, []nn.Layer{
				nn.Dense{Units: 300, Activation: "relu"}, nn.Dense{Units: 100, Activation: "relu"}, nn.Dense{Units: 10, Activation: "softmax"},
			}, 1)
			if err != nil {
				b.Fatal(err)
			}
			trainer, err := nn.NewTrainer(n, nn.SparseCategoricalCrossentropy{}, opt)
			if err != nil {
				b.Fatal(err)
			}
			r := rand.New(rand.NewPCG(1, 2))
			x, y := make([]float32, 32*784), make([]float32, 32)
			for i := range x {
				x[i] = r.Float32()
			}
			for i := range y {
				y[i] = float32(r.IntN(10))
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := trainer.Step(x, y, nil, 32); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
