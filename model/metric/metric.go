package metric

import (
	"fmt"
	"math"
	"slices"
)

// The names of the scores in [Scores].
const (
	Accuracy = "accuracy"
	LogLoss  = "log_loss"
	F1Macro  = "f1_macro"
	ROCAUC   = "roc_auc"

	MSE  = "mse"
	MAE  = "mae"
	RMSE = "rmse"
	R2   = "r2"
)

// Scores is what a model reached on a set of rows.
type Scores struct {
	Rows int `json:"rows"`

	// Values holds, for a classification, "accuracy", "log_loss", "f1_macro"
	// and "roc_auc" (of the second of two classes; with more, the mean of each
	// class against the rest); for a regression "mse", "mae", "rmse", "r2". A
	// score that is not defined (one class present, constant truth) is absent.
	Values map[string]float64 `json:"values"`

	// Baseline holds what a guess without a model would reach on the same
	// rows: "majority" (accuracy of always the most frequent class) or "mean"
	// (MSE of always the mean).
	Baseline map[string]float64 `json:"baseline,omitempty"`

	Classes []string `json:"classes,omitempty"`

	// F1 is the F1 score of each class, 0 for a class that neither the truth
	// nor a prediction names; such classes are not part of "f1_macro".
	F1 []float64 `json:"f1,omitempty"`

	// Confusion counts rows (unweighted) by truth (first index) and
	// prediction (second). It is nil for more than [MaxConfusion] classes.
	Confusion [][]int `json:"confusion,omitempty"`
}

// ClassificationNames returns the names of the scores of a classification, the
// default first.
func ClassificationNames() []string { return []string{Accuracy, LogLoss, F1Macro, ROCAUC} }

// RegressionNames returns the names of the scores of a regression, the default
// first.
func RegressionNames() []string { return []string{MSE, MAE, RMSE, R2} }

// Better reports whether value a of the named score is better than b; known is
// false for a name that is none of those in [Scores]. NaN is never better, and
// every number is better than NaN.
func Better(name string, a, b float64) (better, known bool) {
	switch name {
	case LogLoss, MSE, MAE, RMSE:
		a, b = -a, -b
	case Accuracy, F1Macro, ROCAUC, R2:
	default:
		return false, false
	}
	return a > b || math.IsNaN(b) && !math.IsNaN(a), true
}

// finite leaves out of values what JSON cannot hold.
func finite(values map[string]float64) map[string]float64 {
	for name, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			delete(values, name)
		}
	}
	return values
}

// ones returns weight, or n ones in place of nil.
func ones(weight []float64, n int) []float64 {
	if weight == nil {
		return slices.Repeat([]float64{1}, n)
	}
	if len(weight) != n {
		panic(fmt.Sprintf("metric: %d weights for %d rows", len(weight), n))
	}
	return weight
}
