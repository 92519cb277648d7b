package kernel

import "math"

// Fill sets all of y to v.
func Fill(y []float32, v float32) {
	for i := range y {
		y[i] = v
	}
}

// Scale sets y to alpha·x.
func Scale(y []float32, alpha float32, x []float32) {
	y = y[:len(x)]
	if l := active.loops(); l != nil {
		if len(x) > 0 {
			l.scale(len(x), &y[0], &x[0], alpha)
		}
		return
	}
	for i, v := range x {
		y[i] = alpha * v
	}
}

// Add adds x to y.
func Add(y, x []float32) {
	if l := active.loops(); l != nil {
		one(l.add, y, x)
		return
	}
	y = y[:len(x)]
	for i, v := range x {
		y[i] += v
	}
}

// Multiply multiplies y by x, element by element.
func Multiply(y, x []float32) {
	if l := active.loops(); l != nil {
		one(l.multiply, y, x)
		return
	}
	y = y[:len(x)]
	for i, v := range x {
		y[i] *= v
	}
}

// Sum returns the sum of x in ascending order, accumulated in float64.
func Sum(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v)
	}
	return sum
}

// Max returns the largest of x, which must not be empty; NaN if there is one.
func Max(x []float32) float32 {
	largest := x[0]
	for _, v := range x[1:] {
		largest = max(largest, v)
	}
	return largest
}

// Finite reports whether no number of x is NaN or infinite.
func Finite(x []float32) bool {
	if len(x) == 0 {
		return true
	}
	if l := active.loops(); l != nil {
		return l.finite(len(x), &x[0]) == 0
	}
	const exponent, one = 0x7f800000, 0x00800000 // adding one to an exponent of all ones carries into the sign
	var carry uint32
	for _, v := range x {
		carry |= math.Float32bits(v)&exponent + one
	}
	return carry>>31 == 0
}

// SumColumns sets y to the sums of the columns of x, (rows, len(y)), in ascending
// order of the rows.
func SumColumns(y, x []float32, rows int) {
	clear(y)
	for r := range rows {
		Add(y, x[r*len(y):][:len(y)])
	}
}

// ReLU sets y to max(x, 0). NaN stays NaN.
func ReLU(y, x []float32) {
	if l := active.loops(); l != nil {
		one(l.relu, y, x)
		return
	}
	y = y[:len(x)]
	for i, v := range x {
		y[i] = max(v, 0)
	}
}

// MaskPositive sets dx to dy where y is positive, else to zero: the derivative of
// ReLU, from its results.
func MaskPositive(dx, dy, y []float32) {
	dx, y = dx[:len(dy)], y[:len(dy)]
	if l := active.loops(); l != nil {
		if len(dy) > 0 {
			l.maskPositive(len(dy), &dx[0], &dy[0], &y[0])
		}
		return
	}
	for i, v := range dy {
		if y[i] > 0 {
			dx[i] = v
		} else {
			dx[i] = 0
		}
	}
}
