package kernel

// MaskPositive sets dx to dy where y is positive, else to zero: the derivative of
// ReLU, from its results.
func MaskPositive(dx, dy, y []float32) {
	if l := active.loops(); l != nil {
		two(l.maskPositive, dx, dy, y)
		return
	}
	dx, y = dx[:len(dy):len(dx)], y[:len(dy):len(y)]
	for i, v := range dy {
		if !(y[i] > 0) {
			v = 0
		}
		dx[i] = v
	}
}

// SigmoidSlope sets dx to dy·y·(1-y): the derivative of [Sigmoid], from its results.
func SigmoidSlope(dx, dy, y []float32) {
	if l := active.loops(); l != nil {
		two(l.sigmoidSlope, dx, dy, y)
		return
	}
	dx, y = dx[:len(dy):len(dx)], y[:len(dy):len(y)]
	for i, v := range dy {
		dx[i] = v * (y[i] * (1 - y[i]))
	}
}

// TanhSlope sets dx to dy·(1-y²): the derivative of [Tanh], from its results.
func TanhSlope(dx, dy, y []float32) {
	if l := active.loops(); l != nil {
		two(l.tanhSlope, dx, dy, y)
		return
	}
	dx, y = dx[:len(dy):len(dx)], y[:len(dy):len(y)]
	for i, v := range dy {
		dx[i] = v * fma(-y[i], y[i], 1)
	}
}

// GELUSlope sets dx to dy·(Φ(x) + x·φ(x)), where φ is the standard normal density: the
// derivative of [GELU], from what it was applied to. The factor is within 2e-7.
func GELUSlope(dx, dy, x []float32) {
	if l := active.loops(); l != nil {
		two(l.geluSlope, dx, dy, x)
		return
	}
	dx, x = dx[:len(dy):len(dx)], x[:len(dy):len(x)]
	for i, v := range dy {
		dx[i] = v * geluSlope(x[i])
	}
}

// SoftplusSlope sets dx to dy/(1+e⁻ˣ): the derivative of [Softplus], from what it was
// applied to.
func SoftplusSlope(dx, dy, x []float32) {
	if l := active.loops(); l != nil {
		two(l.softplusSlope, dx, dy, x)
		return
	}
	dx, x = dx[:len(dy):len(dx)], x[:len(dy):len(x)]
	for i, v := range dy {
		dx[i] = v * sigmoid(x[i])
	}
}

// LeakyReLUSlope sets dx to dy, to alpha·dy where x is not positive: the derivative of
// [LeakyReLU], from what it was applied to.
func LeakyReLUSlope(dx, dy, x []float32, alpha float32) {
	dx, x = dx[:len(dy):len(dx)], x[:len(dy):len(x)]
	if l := active.loops(); l != nil {
		if len(dy) > 0 {
			l.leakySlope(len(dy), &dx[0], &dy[0], &x[0], alpha)
		}
		return
	}
	for i, v := range dy {
		if !(x[i] > 0) {
			v *= alpha
		}
		dx[i] = v
	}
}

// ELUSlope sets dx to dy, to dy·(y+alpha) where y is not positive: the derivative of [ELU],
// from its results.
func ELUSlope(dx, dy, y []float32, alpha float32) {
	dx, y = dx[:len(dy):len(dx)], y[:len(dy):len(y)]
	if l := active.loops(); l != nil {
		if len(dy) > 0 {
			l.eluSlope(len(dy), &dx[0], &dy[0], &y[0], alpha)
		}
		return
	}
	for i, v := range dy {
		if !(y[i] > 0) {
			v *= y[i] + alpha
		}
		dx[i] = v
	}
}

// two runs fn on slices of the length of dy.
func two(fn func(n int, dx, dy, y *float32), dx, dy, y []float32) {
	if n := len(dy); n > 0 {
		fn(n, &dx[:n][0], &dy[0], &y[:n][0])
	}
}
