package metric

import (
	"fmt"
	"math"
)

// MaxConfusion is the largest number of classes a confusion matrix is made for.
const MaxConfusion = 100

// epsilon is the smallest probability in a log loss (Keras's epsilon): one row
// that is certain and wrong costs 16.1, not infinity.
const epsilon = 1e-7

// Classification scores probabilities (rows, len(classes)) against class
// indices (rows). The predicted class is the most probable, the first of
// equals.
//
// A truth that is none of the indices (-1, NaN) is a class the model does not
// know. Its row counts as wrong, with the smallest probability in the log loss,
// and is in neither the confusion matrix nor the AUC.
func Classification(prob, truth []float32, weight []float64, classes []string) Scores {
	k, rows := len(classes), len(truth)
	if len(prob) != rows*k {
		panic(fmt.Sprintf("metric: %d probabilities for %d rows of %d classes", len(prob), rows, k))
	}
	t := newTally(k)
	weight = ones(weight, rows)
	for i := range rows {
		t.add(prob[i*k:(i+1)*k], index(truth[i], k), weight[i])
	}
	s := Scores{
		Rows:      rows,
		Values:    map[string]float64{Accuracy: t.right / t.total, LogLoss: t.loss / t.total},
		Baseline:  finite(map[string]float64{"majority": t.majority() / t.total}),
		Classes:   classes,
		Confusion: t.confusion,
	}
	s.F1, s.Values[F1Macro] = t.f1()
	s.Values[ROCAUC] = rocAUC(prob, truth, weight, k)
	finite(s.Values)
	return s
}

// index returns truth as a class index, -1 if it is none of k classes.
func index(truth float32, k int) int {
	if c := int(truth); truth >= 0 && truth < float32(k) && float32(c) == truth {
		return c
	}
	return -1
}

// A tally adds up classified rows.
type tally struct {
	total, right, loss float64   // of weights
	truth, guess, hit  []float64 // weights by class: of the truth, of the prediction, of both
	confusion          [][]int
}

func newTally(k int) *tally {
	t := &tally{truth: make([]float64, k), guess: make([]float64, k), hit: make([]float64, k)}
	if k <= MaxConfusion {
		t.confusion = make([][]int, k)
		for i := range t.confusion {
			t.confusion[i] = make([]int, k)
		}
	}
	return t
}

// add adds a row of class truth, -1 if that is unknown.
func (t *tally) add(prob []float32, truth int, weight float64) {
	guess, sum := 0, 0.0
	for c, p := range prob {
		if p > prob[guess] || prob[guess] != prob[guess] {
			guess = c
		}
		sum += float64(p)
	}
	t.total += weight
	if len(prob) > 0 {
		t.guess[guess] += weight
	}
	if truth < 0 {
		t.loss -= weight * math.Log(epsilon)
		return
	}
	// A row that does not sum to 1 is scaled to, as Keras does.
	p := float64(prob[truth]) / sum
	if !(p > epsilon) { // NaN too
		p = epsilon
	}
	t.loss -= weight * math.Log(min(p, 1-epsilon))
	t.truth[truth] += weight
	if guess == truth {
		t.right += weight
		t.hit[truth] += weight
	}
	if t.confusion != nil {
		t.confusion[truth][guess]++
	}
}

// majority returns the weight of the most frequent class.
func (t *tally) majority() float64 {
	var most float64
	for _, w := range t.truth {
		most = max(most, w)
	}
	return most
}

// f1 returns the F1 score 2·tp/(2·tp+fp+fn) of each class and the mean over
// the classes that appear, NaN if none does.
func (t *tally) f1() (each []float64, macro float64) {
	each = make([]float64, len(t.truth))
	var sum float64
	var n int
	for c := range each {
		if d := t.truth[c] + t.guess[c]; d > 0 {
			each[c] = 2 * t.hit[c] / d
			sum += each[c]
			n++
		}
	}
	return each, sum / float64(n)
}
