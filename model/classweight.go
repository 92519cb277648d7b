package model

import (
	"maps"
	"slices"

	"github.com/modelbus/modelbus/model/feature"
)

// balanced is the key of class_weight that stands for weights by frequency.
const balanced = "balanced"

func isBalanced(w map[string]float64) bool { return len(w) == 1 && w[balanced] == 1 }

// classWeights returns the weight of each class, nil if all are 1. targets are
// the class indices of the training rows. Balanced weights are n / (classes ·
// count), as scikit-learn has them.
func classWeights(weights map[string]float64, classes []string, targets []float32) ([]float64, error) {
	if len(weights) == 0 || classes == nil {
		return nil, nil
	}
	out := slices.Repeat([]float64{1}, len(classes))
	if isBalanced(weights) {
		counts := make([]int, len(classes))
		for _, y := range targets {
			counts[int(y)]++
		}
		for i, n := range counts {
			if n > 0 {
				out[i] = float64(len(targets)) / (float64(len(classes)) * float64(n))
			}
		}
		return out, nil
	}
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		i := slices.Index(classes, name)
		if i < 0 {
			return nil, &SpecError{Msg: "training.class_weight: " + unknownWord("class", name, classes)}
		}
		out[i] = weights[name]
	}
	return out, nil
}

// labelOf returns the class that row i of f is labelled with.
func labelOf(f *feature.Frame, i int) string {
	label := f.Row(i).Label
	switch {
	case label.Kind == feature.KindBool && label.Num == 1:
		return "true"
	case label.Kind == feature.KindBool:
		return "false"
	}
	return label.Text
}
