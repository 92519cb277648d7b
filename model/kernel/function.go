package kernel

import "math"

// Exp sets y to eˣ, within 1 ulp; the results below 1e-38, which have fewer digits,
// within their last. It overflows to infinity above 88.72 and is zero below -103.98.
func Exp(y, x []float32) {
	if l := active.loops(); l != nil {
		one(l.exp, y, x)
		return
	}
	y = y[:len(x)]
	for i, v := range x {
		y[i] = float32(math.Exp(float64(v)))
	}
}

// Log sets y to ln x, within 1 ulp: -infinity for zero, NaN below.
func Log(y, x []float32) {
	if l := active.loops(); l != nil {
		one(l.log, y, x)
		return
	}
	y = y[:len(x)]
	for i, v := range x {
		y[i] = float32(math.Log(float64(v)))
	}
}

// Tanh sets y to tanh x, within 2 ulp.
func Tanh(y, x []float32) {
	if l := active.loops(); l != nil {
		one(l.tanh, y, x)
		return
	}
	y = y[:len(x)]
	for i, v := range x {
		y[i] = float32(math.Tanh(float64(v)))
	}
}

// Sigmoid sets y to 1/(1+e⁻ˣ), within 3 ulp, those below 1e-38 within their last
// digits.
func Sigmoid(y, x []float32) {
	if l := active.loops(); l != nil {
		one(l.sigmoid, y, x)
		return
	}
	y = y[:len(x)]
	for i, v := range x {
		y[i] = float32(1 / (1 + math.Exp(-float64(v))))
	}
}

// GELU sets y to x·Φ(x), where Φ is the standard normal distribution function
// (Hendrycks and Gimpel, Gaussian Error Linear Units, 2016), within 8 ulp, those below
// 1e-37 in magnitude within 1e-43. It is NaN for -infinity, as the product is.
func GELU(y, x []float32) {
	if l := active.loops(); l != nil {
		one(l.gelu, y, x)
		return
	}
	y = y[:len(x)]
	for i, v := range x {
		y[i] = float32(float64(v) * math.Erfc(-float64(v)/math.Sqrt2) / 2)
	}
}

// Softmax sets y to the softmax of x. The largest element is subtracted first,
// so that no exponential overflows. The sum is float64, in ascending order.
func Softmax(y, x []float32) {
	if len(x) == 0 {
		return
	}
	y = y[:len(x)]
	largest := Max(x)
	l := active.loops()
	if l == nil {
		softmax(y, x, float64(largest))
		return
	}
	l.expShifted(len(x), &y[0], &x[0], largest)
	Scale(y, float32(1/Sum(y)), y)
}

// softmax is Softmax in Go.
func softmax(y, x []float32, largest float64) {
	sum := 0.0
	for i, v := range x {
		e := math.Exp(float64(v) - largest)
		y[i] = float32(e)
		sum += e
	}
	for i, e := range y {
		y[i] = float32(float64(e) / sum)
	}
}
