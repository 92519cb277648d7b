package kernel

// Exp sets y to eˣ, within 1.1 ulp. It overflows to infinity above 88.72 and is zero below
// -103.98.
func Exp(y, x []float32) {
	if l := active.loops(); l != nil {
		one(l.exp, y, x)
		return
	}
	each(y, x, exp)
}

// Log sets y to ln x, within 1 ulp: -infinity for zero, NaN below.
func Log(y, x []float32) {
	if l := active.loops(); l != nil {
		one(l.log, y, x)
		return
	}
	each(y, x, log)
}

// Tanh sets y to tanh x, within 2.1 ulp.
func Tanh(y, x []float32) {
	if l := active.loops(); l != nil {
		one(l.tanh, y, x)
		return
	}
	each(y, x, tanh)
}

// Sigmoid sets y to 1/(1+e⁻ˣ), within 1.5 ulp.
func Sigmoid(y, x []float32) {
	if l := active.loops(); l != nil {
		one(l.sigmoid, y, x)
		return
	}
	each(y, x, sigmoid)
}

// GELU sets y to x·Φ(x), where Φ is the standard normal distribution function
// (Hendrycks and Gimpel, Gaussian Error Linear Units, 2016), within 3 ulp. It is -0 for
// -infinity, its limit.
func GELU(y, x []float32) {
	if l := active.loops(); l != nil {
		one(l.gelu, y, x)
		return
	}
	each(y, x, gelu)
}

// Softplus sets y to ln(1+eˣ), within 2.1 ulp.
func Softplus(y, x []float32) {
	if l := active.loops(); l != nil {
		one(l.softplus, y, x)
		return
	}
	each(y, x, softplus)
}

// LeakyReLU sets y to x, to alpha·x where that is negative.
func LeakyReLU(y, x []float32, alpha float32) {
	y = y[:len(x):len(y)]
	if l := active.loops(); l != nil {
		if len(x) > 0 {
			l.leaky(len(x), &y[0], &x[0], alpha)
		}
		return
	}
	for i, v := range x {
		if v < 0 {
			v *= alpha
		}
		y[i] = v
	}
}

// ELU sets y to x, to alpha·(eˣ-1) where that is negative (Clevert et al., Fast and
// Accurate Deep Network Learning by Exponential Linear Units, 2016), within 1.5 ulp.
func ELU(y, x []float32, alpha float32) {
	y = y[:len(x):len(y)]
	if l := active.loops(); l != nil {
		if len(x) > 0 {
			l.elu(len(x), &y[0], &x[0], alpha)
		}
		return
	}
	for i, v := range x {
		y[i] = elu(v, alpha)
	}
}

// each sets y to the function of x, element by element.
func each(y, x []float32, f func(float32) float32) {
	y = y[:len(x):len(y)]
	for i, v := range x {
		y[i] = f(v)
	}
}
