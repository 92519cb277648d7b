package metric

import (
	"fmt"
	"math"
)

// Regression scores predictions against numbers. R² is
// 1 - Σw(y-p)² / Σw(y-ȳ)² with ȳ the mean of these rows.
func Regression(pred, truth []float32, weight []float64) Scores {
	if len(pred) != len(truth) {
		panic(fmt.Sprintf("metric: %d predictions for %d rows", len(pred), len(truth)))
	}
	weight = ones(weight, len(truth))
	var total, mean float64
	for i, y := range truth {
		total += weight[i]
		mean += weight[i] * float64(y)
	}
	mean /= total
	var squares, absolute, spread float64
	for i, y := range truth {
		d := float64(y) - float64(pred[i])
		squares += weight[i] * d * d
		absolute += weight[i] * math.Abs(d)
		spread += weight[i] * (float64(y) - mean) * (float64(y) - mean)
	}
	mse := squares / total
	values := map[string]float64{MSE: mse, MAE: absolute / total, RMSE: math.Sqrt(mse)}
	if !constant(truth, weight) {
		values[R2] = 1 - squares/spread
	}
	return Scores{
		Rows:     len(truth),
		Values:   finite(values),
		Baseline: finite(map[string]float64{"mean": spread / total}),
	}
}

// constant reports whether all numbers that weigh anything are the same;
// rounding of their mean must not make them differ from it.
func constant(truth []float32, weight []float64) bool {
	first := -1
	for i, y := range truth {
		switch {
		case weight[i] == 0:
		case first < 0:
			first = i
		case y != truth[first]:
			return false
		}
	}
	return true
}
