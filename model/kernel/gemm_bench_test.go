package kernel_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/modelbus/modelbus/model/kernel"
)

// BenchmarkMultiply measures the three products of training 784-300-100-10 with
// batches of 32 (forward, weights' gradient, inputs' gradient), one row, and a
// large square. GFLOP/s counts a multiplication and an addition as two.
func BenchmarkMultiply(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	shapes := []struct {
		name    string
		m, k, n int
		at, bt  bool
	}{
		{"forward", 32, 784, 300, false, false},
		{"weights", 784, 32, 300, true, false},
		{"inputs", 32, 100, 300, false, true},
		{"second", 32, 300, 100, false, false},
		{"narrow", 32, 100, 10, false, false},
		{"row", 1, 784, 300, false, false},
		{"square", 512, 512, 512, false, false},
	}
	for _, s := range shapes {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s-%d×%d×%d/threads=%d", s.name, s.m, s.k, s.n, threads), func(b *testing.B) {
				x := operand(r, s.m, s.k, s.at)
				w := operand(r, s.k, s.n, s.bt)
				c := kernel.Matrix(make([]float32, s.m*s.n), s.m, s.n)
				g := kernel.Gemm{Threads: threads}
				for b.Loop() {
					g.Multiply(c, x, w, kernel.Epilogue{})
				}
				flop := 2 * float64(s.m) * float64(s.k) * float64(s.n)
				b.ReportMetric(flop*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				b.ReportAllocs()
			})
		}
	}
}

// operand returns a random matrix, in transposed memory if t is set.
func operand(r *rand.Rand, rows, cols int, t bool) kernel.View {
	data := make([]float32, rows*cols)
	for i := range data {
		data[i] = r.Float32()*2 - 1
	}
	if t {
		return kernel.Matrix(data, cols, rows).T()
	}
	return kernel.Matrix(data, rows, cols)
}
