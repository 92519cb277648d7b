package nn_test

import (
	"fmt"
	"testing"

	"github.com/modelbus/modelbus/model/nn"
)

// BenchmarkPredict is a prediction of a network that is served, on one thread.
func BenchmarkPredict(b *testing.B) {
	networks := []struct {
		name   string
		inputs int
		units  []int
	}{
		{"10-10-1", 10, []int{10, 1}},
		{"784-512-512-10", 784, []int{512, 512, 10}},
		{"1024-4096-4096-1024", 1024, []int{4096, 4096, 1024}},
	}
	for _, net := range networks {
		var layers []nn.Layer
		for i, units := range net.units {
			d := nn.Dense{Units: units}
			if i < len(net.units)-1 {
				d.Activation = "relu"
			}
			layers = append(layers, d)
		}
		n, err := nn.New(net.inputs, layers, 1)
		if err != nil {
			b.Fatal(err)
		}
		n.Freeze()
		p := n.NewPredictor()
		for _, rows := range []int{1, 8, 32, 128} {
			x, y := make([]float32, rows*net.inputs), make([]float32, rows*n.Outputs())
			for i := range x {
				x[i] = float32(i%17) / 17
			}
			b.Run(fmt.Sprintf("%s/rows=%d", net.name, rows), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					p.Predict(y, x, rows)
				}
			})
		}
	}
}
