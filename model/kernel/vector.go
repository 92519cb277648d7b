package kernel

// Fill sets all of y to v.
func Fill(y []float32, v float32) {
	for i := range y {
		y[i] = v
	}
}

// Scale sets y to alpha·x.
func Scale(y []float32, alpha float32, x []float32) {
	y = y[:len(x):len(y)]
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
	y = y[:len(x):len(y)]
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
	y = y[:len(x):len(y)]
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
	y = y[:len(x):len(y)]
	for i, v := range x {
		if v < 0 {
			v = 0
		}
		y[i] = v
	}
}

// Clamp keeps every x within ±bound, which is not negative. NaN stays.
func Clamp(x []float32, bound float32) {
	if l := active.loops(); l != nil {
		if len(x) > 0 {
			l.clamp(len(x), &x[0], bound)
		}
		return
	}
	for i, v := range x {
		x[i] = clamp(v, -bound, bound)
	}
}
