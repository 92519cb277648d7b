package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkFunctions and BenchmarkSteps show every instruction set beside the loops in
// Go, on vectors that a call dominates, that fit the L1 cache, and that do not fit the L2.
func BenchmarkFunctions(b *testing.B) {
	for _, f := range approximations() {
		benchmark(b, f.name, func(v [5][]float32) { f.apply(v[0], v[1]) })
	}
	benchmark(b, "softmax", func(v [5][]float32) { Softmax(v[0], v[1]) })
	benchmark(b, "finite", func(v [5][]float32) { Finite(v[0]) })
	benchmark(b, "squares", func(v [5][]float32) { SumSquares(v[0]) })
}

func BenchmarkSteps(b *testing.B) {
	for name, step := range stepFunctions() {
		benchmark(b, name, step)
	}
}

func benchmark(b *testing.B, name string, fn func(v [5][]float32)) {
	b.Helper()
	for _, n := range []int{10, 4096, 669706} {
		v := vectors(rand.New(rand.NewPCG(1, 1)), n)
		for set := range everySet() {
			b.Run(fmt.Sprintf("%s/%d/%s", name, n, set), func(b *testing.B) {
				b.SetBytes(int64(4 * n))
				for b.Loop() {
					fn(v)
				}
			})
		}
	}
}
