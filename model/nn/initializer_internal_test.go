package nn

import (
	"math"
	"testing"

	"github.com/modelbus/modelbus/model/kernel/kerneltest"
)

// spread returns mean, standard deviation and the largest magnitude of values.
func spread(values []float32) (mean, deviation, largest float64) {
	for _, v := range values {
		mean += float64(v) / float64(len(values))
		largest = max(largest, math.Abs(float64(v)))
	}
	for _, v := range values {
		deviation += (float64(v) - mean) * (float64(v) - mean) / float64(len(values))
	}
	return mean, math.Sqrt(deviation), largest
}

func TestInitializers(t *testing.T) {
	var f struct {
		Tests []struct {
			Shape []int
			Limit float64 `json:"glorot_limit"`
			Std   float64 `json:"glorot_std"`
			HeStd float64 `json:"he_std"`
		}
	}
	readFixture(t, "initializers.json", &f)
	keras := f.Tests[0] // (784, 256)
	limit := func(deviation float64) float64 { return deviation * math.Sqrt(3) }
	cut := func(deviation float64) float64 { return 2 * deviation / truncatedDeviation }
	lecun := 1 / math.Sqrt(784)
	tests := []struct {
		init      Initializer
		mean      float64
		deviation float64
		largest   float64 // bound
	}{
		{Initializer{Name: "glorot_uniform"}, 0, keras.Std, keras.Limit},
		{Initializer{Name: "glorot_normal"}, 0, keras.Std, cut(keras.Std)},
		{Initializer{Name: "he_uniform"}, 0, keras.HeStd, limit(keras.HeStd)},
		{Initializer{Name: "he_normal"}, 0, keras.HeStd, cut(keras.HeStd)},
		{Initializer{Name: "lecun_uniform"}, 0, lecun, limit(lecun)},
		{Initializer{Name: "lecun_normal"}, 0, lecun, cut(lecun)},
		{Initializer{Name: "random_uniform"}, 0, 0.05 / math.Sqrt(3), 0.05},
		{Initializer{Name: "random_uniform", Min: 1, Max: 3}, 2, 1 / math.Sqrt(3), 3},
		{Initializer{Name: "random_normal"}, 0, 0.05, 0.05 * 7},
		{Initializer{Name: "random_normal", Mean: 2, Stddev: 3}, 2, 3, 2 + 3*7},
		{Initializer{Name: "truncated_normal"}, 0, 0.05 * truncatedDeviation, 0.1},
		{Initializer{Name: "truncated_normal", Mean: 1, Stddev: 2}, 1, 2 * truncatedDeviation, 5},
		{Initializer{Name: "zeros"}, 0, 0, 0},
		{Initializer{Name: "ones"}, 1, 0, 1},
		{Initializer{Name: "constant", Value: -2.5}, -2.5, 0, 2.5},
	}
	seen := map[string]bool{}
	for _, tt := range tests {
		seen[tt.init.Name] = true
		t.Run(tt.init.Name, func(t *testing.T) {
			values := make([]float32, keras.Shape[0]*keras.Shape[1])
			tt.init.fill(values, keras.Shape, newSource(1, 2, 3))
			mean, deviation, largest := spread(values)
			// Of 200,704 draws the mean is off by some 1/448 deviations and the
			// deviation by some 1/634 of itself; five times that is never seen.
			if near := (kerneltest.Tolerance{Abs: 5.0/448*tt.deviation + 1e-10}); !near.Near(mean, tt.mean) {
				t.Errorf("mean = %v, want %v", mean, tt.mean)
			}
			if near := (kerneltest.Tolerance{Rel: 5.0 / 634, Abs: 1e-10}); !near.Near(deviation, tt.deviation) {
				t.Errorf("deviation = %v, want %v", deviation, tt.deviation)
			}
			if largest > tt.largest*(1+0x1p-23) || largest < tt.largest*0.5 {
				t.Errorf("largest = %v, want up to %v", largest, tt.largest)
			}
		})
	}
	for _, name := range initializerNames() {
		if !seen[name] {
			t.Errorf("initializer %s has no case", name)
		}
	}
}

// TestMixSpreads shows that neighbouring seeds and paths give unrelated streams.
func TestMixSpreads(t *testing.T) {
	seen := map[uint64]bool{}
	for seed := range uint64(20) {
		for layer := range uint64(20) {
			for param := range uint64(20) {
				seen[mix(seed, layer, param)>>32] = true
			}
		}
	}
	if got := len(seen); got < 7990 { // 8,000 draws of 2³² meet less than once in 100 runs
		t.Errorf("8000 paths give %d different high halves", got)
	}
	if mix(1, 2, 3) == mix(1, 3, 2) || mix(1, 2) == mix(2, 1) {
		t.Error("the order of a path does not matter")
	}
}
