package nn

import (
	"fmt"
	"math"

	"github.com/modelbus/modelbus/model/kernel"
)

// BinaryCrossentropy is the mean over the outputs of a row of -y·ln p -
// (1-y)·ln(1-p), where p = sigmoid(z), computed from z in the form max(z, 0) -
// z·y + ln(1+e^-|z|), which neither overflows nor cancels.
type BinaryCrossentropy struct {
	LabelSmoothing float64 // s in [0, 1]: the targets become y·(1-s) + s/2
}

// Config implements [Loss].
func (l BinaryCrossentropy) Config() Config {
	return newConfig("binary_crossentropy", "label_smoothing", l.LabelSmoothing)
}

func (l BinaryCrossentropy) check() error {
	return inRange("binary_crossentropy", "label_smoothing", l.LabelSmoothing, closedFraction())
}

func (BinaryCrossentropy) targets(width int) int { return width }
func (BinaryCrossentropy) absorbs() string       { return "sigmoid" }

func (l BinaryCrossentropy) gradient(dz, z, y, w []float32, rows, width int) float64 {
	total := 0.0
	for i := range rows {
		row, rowWeight := 0.0, weight(w, i)
		scale := rowWeight / float64(width*rows)
		for j := i * width; j < (i+1)*width; j++ {
			v, target := float64(z[j]), float64(y[j])*(1-l.LabelSmoothing)+l.LabelSmoothing/2
			e := math.Exp(-math.Abs(v)) // what ln(1+eᵛ) and the sigmoid have in common
			row += max(v, 0) + math.Log1p(e) - v*target
			if dz == nil {
				continue
			}
			if v < 0 {
				e = math.Exp(-v)
			}
			dz[j] = float32((1/(1+e) - target) * scale)
		}
		total += rowWeight * row / float64(width)
	}
	return total
}

// CategoricalCrossentropy is -Σ y·ln softmax(z) over the classes of a row, whose
// targets are one-hot or probabilities, computed from z as Σ y·(lse(z) - z), where
// lse is the logarithm of the sum of exponentials.
type CategoricalCrossentropy struct {
	LabelSmoothing float64 // s in [0, 1]: the targets become y·(1-s) + s/classes
}

// Config implements [Loss].
func (l CategoricalCrossentropy) Config() Config {
	return newConfig("categorical_crossentropy", "label_smoothing", l.LabelSmoothing)
}

func (l CategoricalCrossentropy) check() error {
	return inRange("categorical_crossentropy", "label_smoothing", l.LabelSmoothing, closedFraction())
}

func (CategoricalCrossentropy) targets(width int) int { return width }
func (CategoricalCrossentropy) absorbs() string       { return "softmax" }

func (l CategoricalCrossentropy) gradient(dz, z, y, w []float32, rows, width int) float64 {
	total, uniform := 0.0, l.LabelSmoothing/float64(width)
	for i := range rows {
		begin, end := i*width, (i+1)*width
		d, rowWeight := row(dz, i, width), weight(w, i)
		lse := softmax(d, z[begin:end])
		loss, mass := 0.0, 0.0
		for j := begin; j < end; j++ {
			target := float64(y[j])*(1-l.LabelSmoothing) + uniform
			loss += target * (lse - float64(z[j]))
			mass += target
		}
		total += rowWeight * loss
		scale := rowWeight / float64(rows)
		for j, p := range d {
			target := float64(y[begin+j])*(1-l.LabelSmoothing) + uniform
			d[j] = float32((mass*float64(p) - target) * scale)
		}
	}
	return total
}

// SparseCategoricalCrossentropy is [CategoricalCrossentropy] on class indices: y
// has one number a row, a whole number in [0, classes).
type SparseCategoricalCrossentropy struct {
	LabelSmoothing float64 // s in [0, 1], as in CategoricalCrossentropy; Keras has none here
}

// Config implements [Loss].
func (l SparseCategoricalCrossentropy) Config() Config {
	return newConfig("sparse_categorical_crossentropy", "label_smoothing", l.LabelSmoothing)
}

func (l SparseCategoricalCrossentropy) check() error {
	return inRange("sparse_categorical_crossentropy", "label_smoothing", l.LabelSmoothing, closedFraction())
}

func (SparseCategoricalCrossentropy) targets(int) int { return 1 }
func (SparseCategoricalCrossentropy) absorbs() string { return "softmax" }

func (l SparseCategoricalCrossentropy) gradient(dz, z, y, w []float32, rows, width int) float64 {
	total, uniform := 0.0, l.LabelSmoothing/float64(width)
	for i := range rows {
		logits, class := z[i*width:][:width], classIndex(y[i], width)
		d, rowWeight := row(dz, i, width), weight(w, i)
		lse := softmax(d, logits)
		loss := (1 - l.LabelSmoothing) * (lse - float64(logits[class]))
		if uniform != 0 {
			for _, v := range logits {
				loss += uniform * (lse - float64(v))
			}
		}
		total += rowWeight * loss
		scale := rowWeight / float64(rows)
		for j, p := range d {
			target := uniform
			if j == class {
				target += 1 - l.LabelSmoothing
			}
			d[j] = float32((float64(p) - target) * scale)
		}
	}
	return total
}

// row returns row i of dz, nothing if dz is nil.
func row(dz []float32, i, width int) []float32 {
	if dz == nil {
		return nil
	}
	return dz[i*width:][:width]
}

// softmax sets d, unless it is nil, to the softmax of the logits z, and returns ln Σ eᶻ.
func softmax(d, z []float32) float64 {
	if d == nil {
		return kernel.LogSumExp(z)
	}
	return kernel.Softmax(d, z)
}

// classIndex returns the class that y names. It panics if there is no such class,
// an error of the calling code.
func classIndex(y float32, classes int) int {
	class := int(y)
	if float32(class) != y || class < 0 || class >= classes {
		panic(fmt.Sprintf("nn: class index %v, want a whole number in [0, %d)", y, classes))
	}
	return class
}
