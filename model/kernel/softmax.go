package kernel

// Softmax sets y to the softmax of x. The largest element is subtracted first,
// so that no exponential overflows.
func Softmax(y, x []float32) {
	if len(x) == 0 {
		return
	}
	y = y[:len(x)]
	largest := Max(x)
	if l := active.loops(); l != nil {
		l.expShifted(len(x), &y[0], &x[0], largest)
	} else {
		for i, v := range x {
			y[i] = difference(v, largest)
		}
	}
	Scale(y, float32(1/Sum(y)), y)
}
