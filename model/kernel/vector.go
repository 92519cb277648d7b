package kernel

import "math"

// Axpy adds alpha·x to y, which has the length of x.
func Axpy(y []float32, alpha float32, x []float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] += alpha * v
	}
}

// Fill sets all of y to v.
func Fill(y []float32, v float32) {
	for i := range y {
		y[i] = v
	}
}

// Scale sets y to alpha·x.
func Scale(y []float32, alpha float32, x []float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = alpha * v
	}
}

// Add adds x to y.
func Add(y, x []float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] += v
	}
}

// Multiply multiplies y by x, element by element.
func Multiply(y, x []float32) {
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
	y = y[:len(x)]
	for i, v := range x {
		y[i] = max(v, 0)
	}
}

// MaskPositive sets dx to dy where y is positive, else to zero: the derivative of
// ReLU, from its results.
func MaskPositive(dx, dy, y []float32) {
	dx, y = dx[:len(dy)], y[:len(dy)]
	for i, v := range dy {
		if y[i] > 0 {
			dx[i] = v
		} else {
			dx[i] = 0
		}
	}
}

// Exp sets y to eˣ.
func Exp(y, x []float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = float32(math.Exp(float64(v)))
	}
}

// Tanh sets y to tanh x.
func Tanh(y, x []float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = float32(math.Tanh(float64(v)))
	}
}

// Sigmoid sets y to 1/(1+e⁻ˣ).
func Sigmoid(y, x []float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = float32(1 / (1 + math.Exp(-float64(v))))
	}
}

// Softmax sets y to the softmax of x. The largest element is subtracted first,
// so that no exponential overflows.
func Softmax(y, x []float32) {
	if len(x) == 0 {
		return
	}
	y = y[:len(x)]
	largest, sum := float64(Max(x)), 0.0
	for i, v := range x {
		e := math.Exp(float64(v) - largest)
		y[i] = float32(e)
		sum += e
	}
	for i, e := range y {
		y[i] = float32(float64(e) / sum)
	}
}

// GELU sets y to x·Φ(x), where Φ is the standard normal distribution function
// (Hendrycks and Gimpel, Gaussian Error Linear Units, 2016).
func GELU(y, x []float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = float32(float64(v) * math.Erfc(-float64(v)/math.Sqrt2) / 2)
	}
}
