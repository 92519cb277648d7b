package model

import (
	"fmt"
	"slices"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/metric"
)

// Evaluate scores m on a labelled frame. A row whose class m never saw counts as
// wrong, with the smallest probability in the log loss. An error wraps
// [feature.ErrInvalid]: no rows, no labels, or a row that cannot be predicted.
func (m *Model) Evaluate(f *feature.Frame) (metric.Scores, error) {
	if !f.Labeled() {
		return metric.Scores{}, fmt.Errorf("%w: the rows have no labels to compare with", feature.ErrInvalid)
	}
	n := f.Len()
	if n == 0 {
		return metric.Scores{}, fmt.Errorf("%w: there are no rows to evaluate on", feature.ErrInvalid)
	}
	out, err := m.NewPredictor().Predict(f)
	if err != nil {
		return metric.Scores{}, err
	}
	weights := make([]float64, n)
	for i := range weights {
		weights[i] = f.Weight(i)
	}
	if out.Classes == nil {
		truth := make([]float32, n)
		for i := range truth {
			truth[i] = float32(f.Row(i).Label.Num)
		}
		return metric.Regression(out.Values, truth, weights), nil
	}
	classes, truth := truthOf(f, out.Classes)
	return metric.Classification(widen(out, len(classes)), truth, weights, classes), nil
}

// truthOf returns the class index of each row; classes that are not known yet
// come after those that are.
func truthOf(f *feature.Frame, known []string) (classes []string, truth []float32) {
	classes = slices.Clip(known)
	index := make(map[string]int, len(known))
	for i, name := range known {
		index[name] = i
	}
	truth = make([]float32, f.Len())
	for i := range truth {
		name := labelOf(f, i)
		k, ok := index[name]
		if !ok {
			k = len(classes)
			index[name] = k
			classes = append(classes, name)
		}
		truth[i] = float32(k)
	}
	return classes, truth
}

// widen returns out's probabilities with zeros for the classes it does not know.
func widen(out *Output, classes int) []float32 {
	known := len(out.Classes)
	if classes == known {
		return out.Probs
	}
	prob := make([]float32, out.Rows*classes)
	for i := range out.Rows {
		copy(prob[i*classes:], out.Probs[i*known:(i+1)*known])
	}
	return prob
}
