package kernel_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/modelbus/modelbus/model/kernel"
)

// BenchmarkMultiply measures products of the shapes that networks are made of: of one
// row, of mini-batches, the three of a training step, and squares. GFLOP/s counts
// a multiplication and an addition as two.
func BenchmarkMultiply(b *testing.B) {
	shapes := []struct {
		name    string
		m, k, n int
		at, bt  bool
	}{
		{"", 256, 256, 256, false, false},
		{"", 512, 512, 512, false, false},
		{"", 1024, 1024, 1024, false, false},
		{"", 2048, 2048, 2048, false, false},
		{"", 1, 784, 512, false, false},
		{"", 8, 784, 512, false, false},
		{"", 32, 784, 512, false, false},
		{"", 256, 784, 512, false, false},
		{"", 1, 4096, 4096, false, false},
		{"weights-", 784, 32, 512, true, false},
		{"inputs-", 32, 512, 512, false, true},
		{"", 32, 512, 10, false, false},
		{"", 32, 10, 10, false, false},
		{"", 1, 8, 32, false, false},
		{"", 8, 8, 32, false, false},
		{"weights-", 8, 8, 32, true, false},
	}
	for _, s := range shapes {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s%d×%d×%d/threads=%d", s.name, s.m, s.k, s.n, threads), func(b *testing.B) {
				r := rand.New(rand.NewPCG(1, 2))
				x := operand(r, s.m, s.k, s.at)
				w := operand(r, s.k, s.n, s.bt)
				c := kernel.Matrix(make([]float32, s.m*s.n), s.m, s.n)
				g := kernel.Gemm{Threads: threads}
				g.Multiply(c, x, w, kernel.Epilogue{})
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

// BenchmarkMultiplyPacked measures products with weights as predictions have them, near
// the processor and far. GB/s counts the weights alone.
func BenchmarkMultiplyPacked(b *testing.B) {
	for _, size := range [][2]int{{784, 512}, {4096, 4096}} {
		k, n := size[0], size[1]
		r := rand.New(rand.NewPCG(1, 2))
		w := kernel.PackWeights(operand(r, k, n, false))
		for _, m := range []int{1, 8, 32, 128} {
			b.Run(fmt.Sprintf("%d×%d×%d", m, k, n), func(b *testing.B) {
				x, c := operand(r, m, k, false), operand(r, m, n, false)
				var g kernel.Gemm
				for b.Loop() {
					g.MultiplyPacked(c, x, w, kernel.Epilogue{})
				}
				times := float64(b.N) / b.Elapsed().Seconds() / 1e9
				b.ReportMetric(2*float64(m)*float64(k)*float64(n)*times, "GFLOP/s")
				b.ReportMetric(4*float64(k)*float64(n)*times, "GB/s")
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
