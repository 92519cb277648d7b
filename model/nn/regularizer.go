package nn

import "math"

// Regularizer is a penalty L1·Σ|w| + L2·Σw², as in Keras.
type Regularizer struct {
	L1, L2 float64
}

// penalty returns the penalty of w.
func (r Regularizer) penalty(w []float32) float64 {
	if r == (Regularizer{}) {
		return 0
	}
	var absolute, square float64
	for _, v := range w {
		f := float64(v)
		absolute += math.Abs(f)
		square += f * f
	}
	return r.L1*absolute + r.L2*square
}

// addGradient adds the derivative of the penalty of w to grad: L1·sign(w) +
// 2·L2·w, with sign(0) = 0.
func (r Regularizer) addGradient(grad, w []float32) {
	if r == (Regularizer{}) {
		return
	}
	l1, l2 := float32(r.L1), float32(2*r.L2)
	for i, v := range w {
		g := l2 * v
		if v > 0 {
			g += l1
		} else if v < 0 {
			g -= l1
		}
		grad[i] += g
	}
}
