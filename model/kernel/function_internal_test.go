package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A function is one of those that are approximated: what it does to vectors and to a
// number, what it should give, and how far it may be off in units of the last place.
type function struct {
	name   string
	apply  func(y, x []float32)
	scalar func(float32) float32
	exact  func(float64) float64
	ulps   float64
}

func approximations() []function {
	return []function{
		{"exp", Exp, exp, math.Exp, 1.1},
		{"log", Log, log, math.Log, 1},
		{"tanh", Tanh, tanh, math.Tanh, 2.1},
		{"sigmoid", Sigmoid, sigmoid, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, 1.5},
		{"softplus", Softplus, softplus, func(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }, 2.1},
		{
			"elu", func(y, x []float32) { ELU(y, x, 1) },
			func(x float32) float32 { return elu(x, 1) },
			func(x float64) float64 { return max(x, 0) + math.Expm1(min(x, 0)) }, 1.5,
		},
		{"gelu", GELU, gelu, func(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 }, 3},
	}
}

// ulp returns the distance of float32 numbers near x.
func ulp(x float64) float64 {
	_, e := math.Frexp(x)
	return math.Ldexp(1, max(e-24, -149))
}

// numbers returns numbers of all magnitudes and some that matter.
func numbers() []float32 {
	var x []float32
	const step = 7 * 1009
	for bits := uint64(0); bits < 1<<32; bits += step {
		x = append(x, math.Float32frombits(uint32(bits)))
	}
	for v := float32(-20); v < 20; v += 1.0 / 512 { // where the functions bend
		x = append(x, v, v*0.0625)
	}
	for _, edge := range []float32{
		0, 1, 0.5, ln2, ln2 / 2, math.Sqrt2, math.Sqrt2 / 2, 9.01, 10, 14.2, 15, 87.33655, 88.72283, 103.97, 104, 106,
		5.8584495, 8.115034, math.MaxFloat32, 0x1p-149, 0x1p-126, float32(math.Inf(1)),
	} {
		for _, v := range []float32{edge, math.Nextafter32(edge, 0), math.Nextafter32(edge, 1e30)} {
			x = append(x, v, -v)
		}
	}
	return append(x, float32(math.NaN()))
}

// TestFunctionsAreWithinTheirBounds compares results to float64 and, to the bit, to
// those of the functions of one number.
func TestFunctionsAreWithinTheirBounds(t *testing.T) {
	x := numbers()
	y := make([]float32, len(x))
	for _, f := range approximations() {
		t.Run(f.name, func(t *testing.T) {
			want := make([]float32, len(x))
			worst, at := 0.0, float32(0)
			for i, v := range x {
				want[i] = f.scalar(v)
				if off := f.off(want[i], f.exact(float64(v))); !(off <= worst) {
					worst, at = off, v
				}
			}
			if t.Logf("greatest error %.3f ulp, at %v", worst, at); !(worst <= f.ulps) {
				t.Errorf("greatest error %.3f ulp, at %v, want at most %v", worst, at, f.ulps)
			}
			for set := range everySet() {
				f.apply(y, x)
				for i, v := range x {
					if !same(y[i], want[i]) {
						t.Fatalf("%s: %s(%v) = %v, want %v", set, f.name, v, y[i], want[i])
					}
				}
			}
		})
	}
}

// off returns the error in units of the last place, NaN if it is of another kind.
func (f *function) off(got float32, want float64) float64 {
	switch rounded := float32(want); {
	case same(got, rounded), math.IsNaN(want) && f.name == "gelu" && got == 0: // its limit
		return 0
	case math.IsInf(float64(rounded), 0):
		return math.NaN()
	}
	return math.Abs(float64(got)-want) / ulp(want)
}

func TestFunctionsAtTheirEdges(t *testing.T) {
	inf, nan, minus := float32(math.Inf(1)), float32(math.NaN()), float32(math.Copysign(0, -1))
	tests := []struct {
		name  string
		apply func(y, x []float32)
		x, y  []float32
	}{
		{"exp", Exp, []float32{0, 1000, -1000, inf, -inf, nan}, []float32{1, inf, 0, inf, 0, nan}},
		{"log", Log, []float32{1, 0, -1, inf, -inf, nan}, []float32{0, -inf, nan, inf, nan, nan}},
		{"tanh", Tanh, []float32{0, minus, 1000, -1000, inf, -inf, 0x1p-149, nan}, []float32{0, minus, 1, -1, 1, -1, 0x1p-149, nan}},
		{"sigmoid", Sigmoid, []float32{0, 1000, -1000, inf, -inf, nan}, []float32{0.5, 1, 0, 1, 0, nan}},
		{"gelu", GELU, []float32{0, minus, 1000, -1000, inf, -inf, -0x1p-148, nan}, []float32{0, minus, 1000, minus, inf, minus, -0x1p-149, nan}},
		{"relu", ReLU, []float32{0, 1000, -1000, inf, -inf, nan}, []float32{0, 1000, 0, inf, 0, nan}},
	}
	for set := range everySet() {
		for _, tt := range tests {
			y := make([]float32, len(tt.x))
			tt.apply(y, tt.x)
			for i, v := range tt.x {
				if !same(y[i], tt.y[i]) {
					t.Errorf("%s: %s(%v) = %v, want %v", set, tt.name, v, y[i], tt.y[i])
				}
			}
		}
	}
}

// TestPlaceDoesNotMatter computes numbers alone and among others, everywhere in
// memory, in place and not.
func TestPlaceDoesNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	x := make([]float32, 75)
	for i := range x {
		x[i] = float32(r.NormFloat64() * 5)
	}
	for set := range everySet() {
		for _, f := range approximations() {
			want := make([]float32, len(x))
			for i := range x {
				f.apply(want[i:i+1], x[i:i+1])
			}
			for from := range 5 {
				for to := from; to <= len(x); to++ {
					y := append([]float32{}, x...)
					f.apply(y[from:to], y[from:to])
					if i := firstDifference(y[from:to], want[from:to]); i >= 0 {
						t.Fatalf("%s: %s of %d to %d: number %d is %v, want %v", set, f.name, from, to, i, y[from+i], want[from+i])
					}
					if firstDifference(y[to:], x[to:]) >= 0 || firstDifference(y[:from], x[:from]) >= 0 {
						t.Fatalf("%s: %s of %d to %d wrote outside", set, f.name, from, to)
					}
				}
			}
		}
	}
}

func TestFinite(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for set := range everySet() {
		for n := range 150 {
			x := make([]float32, n)
			for i := range x {
				x[i] = math.MaxFloat32 * float32(1-2*(i%2))
			}
			if !Finite(x) {
				t.Errorf("%s: Finite = false for %d finite numbers", set, n)
			}
			for i := range x {
				for _, bad := range []float32{inf, -inf, nan} {
					before := x[i]
					x[i] = bad
					if Finite(x) {
						t.Errorf("%s: Finite = true for %v at %d of %d", set, bad, i, n)
					}
					x[i] = before
				}
			}
		}
	}
}
