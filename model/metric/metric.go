package metric

// Scores is what a model reached on a set of rows.
type Scores struct {
	Rows int `json:"rows"`

	// Values holds, for a classification, "accuracy", "log_loss", "f1_macro"
	// and, with two classes, "roc_auc"; for a regression "mse", "mae",
	// "rmse", "r2". A score that is not defined (one class present, constant
	// truth) is absent.
	Values map[string]float64 `json:"values"`

	// Baseline holds "majority" (accuracy of always the most frequent class)
	// or "mean" (MSE of always the mean).
	Baseline map[string]float64 `json:"baseline,omitempty"`

	Classes   []string  `json:"classes,omitempty"`
	F1        []float64 `json:"f1,omitempty"`        // per class
	Confusion [][]int   `json:"confusion,omitempty"` // rows: truth, columns: prediction
}

// Classification scores probabilities (rows, len(classes)) against class indices.
func Classification(prob, truth []float32, weight []float64, classes []string) Scores {
	panic("unbuilt")
}

// Regression scores predictions against numbers.
func Regression(pred, truth []float32, weight []float64) Scores { panic("unbuilt") }

// Better reports whether value a of the named metric is better than b; known is
// false for a name that is none of those in [Scores].
func Better(name string, a, b float64) (better, known bool) { panic("unbuilt") }
