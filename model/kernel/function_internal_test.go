package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A function is one of those that are approximated, with what it should give.
type function struct {
	name  string
	apply func(y, x []float32)
	exact func(float64) float64
	ulps  float64 // allowed error in units of the last place
	small float64 // results below this in magnitude may be off by abs
	abs   float64
}

func approximations() []function {
	const denormal = 0x1p-126
	return []function{
		{"exp", Exp, math.Exp, 1, denormal, 0x1p-149},
		{"log", Log, math.Log, 1, 0, 0},
		{"tanh", Tanh, math.Tanh, 2, denormal, 0x1p-149},
		{"sigmoid", Sigmoid, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, 3, denormal, 0x1p-148},
		{"gelu", GELU, func(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 }, 8, 1e-37, 1e-43},
	}
}

// ulp returns the distance of float32 numbers near x.
func ulp(x float64) float64 {
	_, e := math.Frexp(x)
	return math.Ldexp(1, max(e-24, -149))
}

// TestFunctionsAreWithinTheirBounds tries numbers of all magnitudes and some that
// matter.
func TestFunctionsAreWithinTheirBounds(t *testing.T) {
	var x []float32
	for bits := uint64(0); bits < 1<<32; bits += 1009 * 8 {
		x = append(x, math.Float32frombits(uint32(bits)))
	}
	for v := float32(-20); v < 20; v += 1.0 / 512 { // where the functions bend
		x = append(x, v, v*0.0625)
	}
	x = append(x, 88.72283, 88.722832, 88.73, -87.33655, -103.9, -103.98, 0.625, 0.62499994, math.MaxFloat32, 0x1p-149, 0x1p-126)
	y := make([]float32, len(x))
	for set := range everySet() {
		for _, f := range approximations() {
			t.Run(set+"/"+f.name, func(t *testing.T) {
				f.apply(y, x)
				worst, at := 0.0, float32(0)
				for i, v := range x {
					want := f.exact(float64(v))
					off, ok := f.off(float64(y[i]), want)
					if !ok {
						t.Fatalf("%s(%v) = %v, want %v", f.name, v, y[i], want)
					}
					if off > worst {
						worst, at = off, v
					}
				}
				t.Logf("greatest error %.2f ulp, at %v", worst, at)
				if worst > f.ulps {
					t.Errorf("greatest error %.2f ulp, at %v, want at most %v", worst, at, f.ulps)
				}
			})
		}
	}
}

// off returns the error in units of the last place, and false if it is of another
// kind.
func (f *function) off(got, want float64) (float64, bool) {
	switch {
	case math.IsNaN(want) || math.IsNaN(got):
		return 0, math.IsNaN(want) && math.IsNaN(got)
	case math.IsInf(float64(float32(want)), 0):
		return 0, got == float64(float32(want)) || math.Abs(got) > math.MaxFloat32*(1-0x1p-23)
	case math.Abs(want) < f.small:
		return 0, math.Abs(got-want) <= f.abs
	}
	return math.Abs(got-want) / ulp(want), true
}

func TestFunctionsAtTheirEdges(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	tests := []struct {
		name  string
		apply func(y, x []float32)
		x, y  []float32
	}{
		{"exp", Exp, []float32{0, 1000, -1000, inf, -inf, nan}, []float32{1, inf, 0, inf, 0, nan}},
		{"log", Log, []float32{1, 0, -1, inf, -inf, nan}, []float32{0, -inf, nan, inf, nan, nan}},
		{"tanh", Tanh, []float32{0, 1000, -1000, inf, -inf, nan}, []float32{0, 1, -1, 1, -1, nan}},
		{"sigmoid", Sigmoid, []float32{0, 1000, -1000, inf, -inf, nan}, []float32{0.5, 1, 0, 1, 0, nan}},
		{"gelu", GELU, []float32{0, 1000, -1000, inf, nan}, []float32{0, 1000, 0, inf, nan}},
		{"relu", ReLU, []float32{0, 1000, -1000, inf, -inf, nan}, []float32{0, 1000, 0, inf, 0, nan}},
	}
	for set := range everySet() {
		for _, tt := range tests {
			y := make([]float32, len(tt.x))
			tt.apply(y, tt.x)
			if i := firstDifference(y, tt.y); i >= 0 {
				t.Errorf("%s: %s(%v) = %v, want %v", set, tt.name, tt.x[i], y[i], tt.y[i])
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
