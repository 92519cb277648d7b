package kerneltest_test

import (
	"math"
	"testing"

	"github.com/modelbus/modelbus/model/kernel/kerneltest"
)

func TestNear(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	tests := []struct {
		name      string
		tolerance kerneltest.Tolerance
		got, want float64
		near      bool
	}{
		{"equal", kerneltest.Tolerance{}, 1, 1, true},
		{"unequal at zero tolerance", kerneltest.Tolerance{}, 1, math.Nextafter(1, 2), false},
		{"above within abs", kerneltest.Tolerance{Abs: 0.5}, 1.5, 1, true},
		{"below within abs", kerneltest.Tolerance{Abs: 0.5}, 0.5, 1, true},
		{"above beyond abs", kerneltest.Tolerance{Abs: 0.5}, 1.6, 1, false},
		{"below beyond abs", kerneltest.Tolerance{Abs: 0.5}, 0.4, 1, false},
		{"relative to want", kerneltest.Tolerance{Rel: 0.1}, 109, 100, true},
		{"beyond relative", kerneltest.Tolerance{Rel: 0.1}, 111, 100, false},
		{"far below", kerneltest.Tolerance{Rel: 0.1}, 1, 100, false},
		{"negative want", kerneltest.Tolerance{Rel: 0.1}, -109, -100, true},
		{"other sign", kerneltest.Tolerance{Rel: 0.1}, 100, -100, false},
		{"zero want needs abs", kerneltest.Tolerance{Rel: 0.1}, 1e-300, 0, false},
		{"nan for number", kerneltest.Tolerance{Abs: inf}, nan, 1, false},
		{"number for nan", kerneltest.Tolerance{Abs: 1}, 1, nan, false},
		{"nan for nan", kerneltest.Tolerance{}, nan, nan, true},
		{"inf for inf", kerneltest.Tolerance{}, inf, inf, true},
		{"inf for -inf", kerneltest.Tolerance{Abs: 1}, inf, -inf, false},
		{"number for inf", kerneltest.Tolerance{Rel: 1}, 1, inf, false},
		{"inf for number", kerneltest.Tolerance{Rel: 1}, inf, 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.tolerance.Near(tt.got, tt.want); got != tt.near {
				t.Errorf("Near(%v, %v) = %t, want %t", tt.got, tt.want, got, tt.near)
			}
		})
	}
}

func TestCompare(t *testing.T) {
	tolerance := kerneltest.Tolerance{Abs: 0.1}
	tests := []struct {
		name      string
		got, want []float32
		ok        bool
	}{
		{"both empty", nil, nil, true},
		{"near", []float32{1, 2}, []float32{1.05, 1.95}, true},
		{"last is off", []float32{1, 2}, []float32{1, 2.2}, false},
		{"too short", []float32{1}, []float32{1, 2}, false},
		{"too long", []float32{1, 2}, []float32{1}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := kerneltest.Compare(tolerance, tt.got, tt.want); (err == nil) != tt.ok {
				t.Errorf("Compare(%v, %v) = %v, want ok %t", tt.got, tt.want, err, tt.ok)
			}
		})
	}
}
