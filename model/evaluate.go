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
		return metric.Regression(out.Values, m.numbers(f), weights), nil
	}
	classes, truth := m.truth(f)
	return metric.Classification(widen(out, len(classes)), truth, weights, classes), nil
}

// numbers returns the labels of a regression, in label units.
func (m *Model) numbers(f *feature.Frame) []float32 {
	out := make([]float32, f.Len())
	if len(m.spec.Schema.Label.Scale) == 0 && m.pipeline.Targets(out, f, 0, len(out)) == nil {
		return out
	}
	for i := range out {
		out[i] = float32(f.Row(i).Label.Num) // exact, and also where the scale is not defined
	}
	return out
}

// truth returns the class index of each row; classes that m does not know come
// after those it does.
func (m *Model) truth(f *feature.Frame) (classes []string, truth []float32) {
	classes = slices.Clip(m.Classes())
	unknown := map[string]int{}
	truth = make([]float32, f.Len())
	for i := range truth {
		if m.pipeline.Targets(truth[i:i+1], f, i, i+1) == nil {
			continue
		}
		name := labelOf(f, i)
		k, ok := unknown[name]
		if !ok {
			k = len(classes)
			unknown[name] = k
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
