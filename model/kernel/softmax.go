package kernel

import "math"

// Softmax sets y to the softmax of x, which must not be empty, within 3 ulp, and returns
// [LogSumExp] of x. The largest element is subtracted first, so that no exponential
// overflows.
func Softmax(y, x []float32) float64 {
	y = y[:len(x):len(y)]
	var largest float32
	var sum float64
	if l := active.loops(); l != nil {
		largest, sum = l.softmax(1, len(x), &y[0], &x[0])
	} else {
		largest, sum = softmax(y, x)
	}
	return float64(largest) + math.Log(sum)
}

// SoftmaxRows sets the rows of y to the softmax of those of x, which are cols numbers
// each.
func SoftmaxRows(y, x []float32, cols int) {
	if len(x) == 0 {
		return
	}
	y = y[:len(x):len(y)]
	if l := active.loops(); l != nil {
		l.softmax(len(x)/cols, cols, &y[0], &x[0])
		return
	}
	for i := 0; i < len(x); i += cols {
		softmax(y[i:i+cols], x[i:i+cols])
	}
}

// LogSumExp returns ln Σ eˣ of x, which must not be empty, within 3e-7 besides rounding. The
// exponentials of the differences to the largest element are summed in the order of [Sum].
func LogSumExp(x []float32) float64 {
	var largest float32
	var sum float64
	if l := active.loops(); l != nil {
		largest, sum = l.logSumExp(len(x), &x[0])
	} else {
		largest = Max(x)
		var sums [16]float64
		for i, v := range x {
			sums[i%16] += float64(difference(v, largest))
		}
		sum = total(&sums)
	}
	return float64(largest) + math.Log(sum)
}

// softmax is Softmax in Go, with what it returns in parts.
func softmax(y, x []float32) (largest float32, sum float64) {
	largest = Max(x)
	for i, v := range x {
		y[i] = difference(v, largest)
	}
	sum = Sum(y)
	Scale(y, float32(1/sum), y)
	return largest, sum
}
