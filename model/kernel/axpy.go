package kernel

// shortVector is the length below which a call costs more than its vector
// instructions save.
const shortVector = 24

// Axpy adds alpha·x to y, which has the length of x. Each product is rounded
// before it is added, on every architecture.
func Axpy(y []float32, alpha float32, x []float32) {
	if len(x) >= shortVector {
		axpy(y[:len(x)], alpha, x)
		return
	}
	addScaled(y, alpha, x)
}

// addScaled is Axpy as a loop. The conversion keeps the compiler from fusing the
// multiplication and the addition.
func addScaled(y []float32, alpha float32, x []float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] += float32(alpha * v)
	}
}
