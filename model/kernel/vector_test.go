package kernel_test

import (
	"math"
	"slices"
	"testing"

	"github.com/modelbus/modelbus/model/kernel"
	"github.com/modelbus/modelbus/model/kernel/kerneltest"
)

// rounded allows for a result in float64 that is rounded to float32 once, and for
// one more rounding on the way.
func rounded() kerneltest.Tolerance { return kerneltest.Tolerance{Rel: 0x1p-22, Abs: 1e-44} }

func TestMaps(t *testing.T) {
	tests := []struct {
		name  string
		apply func(y, x []float32)
		want  func(x float64) float64
	}{
		{"ReLU", kernel.ReLU, func(x float64) float64 { return max(x, 0) }},
		{"Exp", kernel.Exp, math.Exp},
		{"Tanh", kernel.Tanh, math.Tanh},
		{"Sigmoid", kernel.Sigmoid, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }},
		{"Scale", func(y, x []float32) { kernel.Scale(y, 3, x) }, func(x float64) float64 { return 3 * x }},
		{"Fill", func(y, _ []float32) { kernel.Fill(y, 3) }, func(float64) float64 { return 3 }},
	}
	x := []float32{-200, -40, -1.5, -1e-3, 0, 1e-3, 0.5, 2, 40, 80, float32(math.Inf(1)), float32(math.Inf(-1))}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := make([]float64, len(x))
			for i, v := range x {
				want[i] = tt.want(float64(v))
			}
			got := make([]float32, len(x))
			tt.apply(got, x)
			if err := kerneltest.Compare(rounded(), got, want); err != nil {
				t.Error(err)
			}
			inPlace := slices.Clone(x)
			tt.apply(inPlace, inPlace)
			if err := kerneltest.Compare(kerneltest.Tolerance{}, inPlace, got); err != nil {
				t.Errorf("in place: %v", err)
			}
		})
	}
}

func softmax(y, x []float32) { kernel.Softmax(y, x) }

func TestMapsKeepNaN(t *testing.T) {
	nan := float32(math.NaN())
	for _, apply := range []func(y, x []float32){kernel.ReLU, kernel.Exp, kernel.Tanh, kernel.Sigmoid, softmax} {
		y := []float32{0}
		apply(y, []float32{nan})
		if y[0] == y[0] {
			t.Errorf("NaN became %v", y[0])
		}
	}
}

func TestVectors(t *testing.T) {
	y := []float32{1, -2, 3, 4, 5, 6}
	kernel.Add(y, []float32{1, 1, 1, 1, 1, 1})
	kernel.Multiply(y, []float32{1, 2, 1, 2, 1, 2})
	if want := []float32{2, -2, 4, 10, 6, 14}; !slices.Equal(y, want) {
		t.Errorf("added and multiplied = %v, want %v", y, want)
	}
	if got := kernel.Sum(y); got != 34 {
		t.Errorf("Sum = %v, want 34", got)
	}
	if got := kernel.Max(y); got != 14 {
		t.Errorf("Max = %v, want 14", got)
	}
	sums := []float32{9, 9}
	kernel.SumColumns(sums, y, 3)
	if want := []float32{12, 22}; !slices.Equal(sums, want) {
		t.Errorf("SumColumns = %v, want %v", sums, want)
	}
	masked := make([]float32, 3)
	kernel.MaskPositive(masked, []float32{7, 8, 9}, []float32{1, 0, 2})
	if want := []float32{7, 0, 9}; !slices.Equal(masked, want) {
		t.Errorf("MaskPositive = %v, want %v", masked, want)
	}
}

func TestSoftmax(t *testing.T) {
	tests := []struct {
		name string
		x    []float32
		want []float64
	}{
		{"one", []float32{-7}, []float64{1}},
		{"equal", []float32{3, 3}, []float64{0.5, 0.5}},
		{"logarithms", []float32{0, float32(math.Log(3))}, []float64{0.25, 0.75}},
		{"huge", []float32{1e30, 1e30, 0}, []float64{0.5, 0.5, 0}},
		{"tiny", []float32{-1e30, -1e30}, []float64{0.5, 0.5}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := make([]float32, len(tt.x))
			kernel.Softmax(got, tt.x)
			if err := kerneltest.Compare(rounded(), got, tt.want); err != nil {
				t.Error(err)
			}
		})
	}
}
