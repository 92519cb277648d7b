package metric

import (
	"cmp"
	"math"
	"slices"
)

// rocAUC returns the area under the ROC curve: of the second of two classes,
// else the mean over the classes, each against the rest, of those for which it
// is defined. It is NaN if it is defined for none.
func rocAUC(prob, truth []float32, weight []float64, k int) float64 {
	scored := make([]scored, len(truth))
	one := func(class int) float64 {
		n := 0
		for i, t := range truth {
			if c := index(t, k); c >= 0 {
				scored[n].score, scored[n].positive, scored[n].weight = prob[i*k+class], c == class, weight[i]
				n++
			}
		}
		return mannWhitney(scored[:n])
	}
	if k == 2 {
		return one(1)
	}
	var sum float64
	var n int
	for class := range k {
		if area := one(class); !math.IsNaN(area) {
			sum += area
			n++
		}
	}
	return sum / float64(n)
}

// scored is a row as a ranking sees it.
type scored struct {
	score    float32
	positive bool
	weight   float64
}

// mannWhitney returns the probability that a positive row has a greater score
// than a negative one, equals counting half (Mann and Whitney 1947; Hanley and
// McNeil 1982): the exact area under the ROC curve, with no grid of thresholds.
// It reorders rows. It is NaN without both kinds or with a score of NaN.
func mannWhitney(rows []scored) float64 {
	slices.SortStableFunc(rows, func(a, b scored) int { return cmp.Compare(a.score, b.score) })
	if len(rows) == 0 || rows[0].score != rows[0].score { // NaN sorts first
		return math.NaN()
	}
	var wins, below, positives float64
	for i := 0; i < len(rows); {
		var up, down float64 // weights of the rows of equal score
		j := i
		for ; j < len(rows) && rows[j].score == rows[i].score; j++ {
			if rows[j].positive {
				up += rows[j].weight
			} else {
				down += rows[j].weight
			}
		}
		wins += up * (below + down/2)
		below += down
		positives += up
		i = j
	}
	return wins / (positives * below)
}
