package kernel

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

func TestFMAIsRoundedOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	exact := func(x float32) *big.Float { return new(big.Float).SetPrec(700).SetFloat64(float64(x)) }
	for i := range 200_000 {
		x, y := math.Float32frombits(r.Uint32()), math.Float32frombits(r.Uint32())
		z := float32(float64(x) * float64(y) * (r.Float64()*4 - 2))
		if i%2 == 0 { // few bits: ties are frequent
			x, y = float32(r.IntN(1<<13)), float32(math.Ldexp(float64(r.IntN(1<<13)), r.IntN(40)-170))
			z = float32(math.Ldexp(float64(x)*float64(y), r.IntN(60)-30))
		}
		if x-x != 0 || y-y != 0 || z-z != 0 {
			continue
		}
		sum := exact(x)
		sum.Mul(sum, exact(y))
		sum.Add(sum, exact(z))
		if want, _ := sum.Float32(); fma(x, y, z) != want {
			t.Fatalf("fma(%v, %v, %v) = %v, want %v", x, y, z, fma(x, y, z), want)
		}
	}
}

func TestFMAOfInfinities(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	tests := []struct{ x, y, z, want float32 }{
		{inf, 1, 1, inf},
		{inf, 0, 1, nan},
		{1, 1, -inf, -inf},
		{inf, 1, -inf, nan},
		{1, nan, 1, nan},
		{math.MaxFloat32, 2, 0, inf},
		{math.MaxFloat32, 2, -math.MaxFloat32, math.MaxFloat32},
	}
	for _, tt := range tests {
		if got := fma(tt.x, tt.y, tt.z); !same(got, tt.want) {
			t.Errorf("fma(%v, %v, %v) = %v, want %v", tt.x, tt.y, tt.z, got, tt.want)
		}
	}
}

// same reports whether a and b have the same bits, or are both NaN.
func same(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}
