package kernel

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

// ReLU sets y to x, to 0 where that is negative. NaN and -0 stay.
func ReLU(y, x []float32) {
	if l := active.loops(); l != nil {
		one(l.relu, y, x)
		return
	}
	y = y[:len(x)]
	for i, v := range x {
		if v < 0 {
			v = 0
		}
		y[i] = v
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
