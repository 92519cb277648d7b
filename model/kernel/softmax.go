package kernel

// Softmax sets y to the softmax of x, within 3 ulp. The largest element is subtracted
// first, so that no exponential overflows.
func Softmax(y, x []float32) { SoftmaxRows(y, x, len(x), nil) }

// SoftmaxRows sets the rows of y to the softmax of those of x, which are cols numbers
// each. If sums is not nil, it gets the sum of e^(x - greatest x) of every row.
func SoftmaxRows(y, x []float32, cols int, sums []float64) {
	if len(x) == 0 {
		return
	}
	y = y[:len(x)]
	rows := len(x) / cols
	if sums != nil {
		sums = sums[:rows]
	}
	if l := active.loops(); l != nil {
		var to *float64
		if sums != nil {
			to = &sums[0]
		}
		l.softmax(rows, cols, &y[0], &x[0], to)
		return
	}
	for r := range rows {
		sum := softmax(y[r*cols:][:cols], x[r*cols:][:cols])
		if sums != nil {
			sums[r] = sum
		}
	}
}

// softmax is Softmax in Go; it returns the sum of the exponentials.
func softmax(y, x []float32) float64 {
	largest := Max(x)
	for i, v := range x {
		y[i] = difference(v, largest)
	}
	sum := Sum(y)
	Scale(y, float32(1/sum), y)
	return sum
}
