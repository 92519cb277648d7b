package kernel

import (
	"math"
	"testing"
)

// TestSlopesAreTheDerivatives compares them to what they are in float64.
func TestSlopesAreTheDerivatives(t *testing.T) {
	tests := []struct {
		name   string
		apply  func(dx, dy, x []float32)
		exact  func(x float64) float64
		within float64
	}{
		{"sigmoid", SigmoidSlope, func(y float64) float64 { return y * (1 - y) }, 1e-7},
		{"tanh", TanhSlope, func(y float64) float64 { return 1 - y*y }, 1e-7},
		{"gelu", GELUSlope, func(x float64) float64 {
			return math.Erfc(-x/math.Sqrt2)/2 + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
		}, 2e-7},
	}
	var x []float32
	for v := float32(-16); v < 16; v += 1.0 / 2048 {
		x = append(x, v)
		if v > -1 && v < 1 { // what sigmoid and tanh can give
			x = append(x, v*0x1p-10)
		}
	}
	dx, ones := make([]float32, len(x)), make([]float32, len(x))
	Fill(ones, 1)
	for set := range everySet() {
		for _, tt := range tests {
			tt.apply(dx, ones, x)
			for i, v := range x {
				if tt.name != "gelu" && math.Abs(float64(v)) > 1 {
					continue
				}
				if want := tt.exact(float64(v)); !(math.Abs(float64(dx[i])-want) <= tt.within) {
					t.Fatalf("%s: %s at %v = %v, want %v", set, tt.name, v, dx[i], want)
				}
			}
		}
	}
}

func TestGELUSlopeAtItsEdges(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	x, want := []float32{0, 100, -100, inf, -inf, nan}, []float32{0.5, 1, 0, 1, 0, nan}
	for set := range everySet() {
		dx := []float32{1, 1, 1, 1, 1, 1}
		GELUSlope(dx, dx, x)
		if i := firstDifference(dx, want); i >= 0 {
			t.Errorf("%s: at %v = %v, want %v", set, x[i], dx[i], want[i])
		}
	}
}
