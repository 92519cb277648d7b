package nn

import (
	"math"

	"github.com/modelbus/modelbus/model/kernel"
)

// Regularizer is a penalty L1·Σ|w| + L2·Σw², as in Keras.
type Regularizer struct {
	L1, L2 float64
}

// penalty returns the penalty of w.
func (r Regularizer) penalty(w []float32) float64 {
	if r == (Regularizer{}) {
		return 0
	}
	sum := r.L2 * kernel.SumSquares(w)
	if r.L1 == 0 {
		return sum
	}
	absolute := 0.0
	for _, v := range w {
		absolute += math.Abs(float64(v))
	}
	return sum + r.L1*absolute
}

// addGradient adds the derivative of the penalty of w to grad: L1·sign(w) +
// 2·L2·w, with sign(0) = 0.
func (r Regularizer) addGradient(grad, w []float32) {
	if r.L2 != 0 {
		kernel.Descend(grad, w, float32(-2*r.L2))
	}
	if r.L1 == 0 {
		return
	}
	const sign = 1 << 31
	l1 := math.Float32bits(float32(r.L1))
	for i, v := range w {
		if v != 0 {
			grad[i] += math.Float32frombits(l1 | math.Float32bits(v)&sign) // signs are no pattern that a branch could follow
		}
	}
}

// parseRegularizer returns the regularizer that c describes: L1, L2 or L1L2.
func parseRegularizer(c Config) (Regularizer, error) {
	const standard = 0.01 // Keras's for L1 and L2
	a, r := c.arguments(), Regularizer{}
	switch fold(c.Name) {
	case "l1":
		r.L1 = a.float("l1", standard, nonNegative())
	case "l2":
		r.L2 = a.float("l2", standard, nonNegative())
	case "l1l2":
		r.L1, r.L2 = a.float("l1", 0, nonNegative()), a.float("l2", 0, nonNegative())
	default:
		return r, &ConfigError{Name: c.Name, Msg: unknownWord("regularizer", c.Name, []string{"L1", "L2", "L1L2"})}
	}
	return r, a.done()
}

// config returns the regularizer in its neutral form.
func (r Regularizer) config() Config {
	if r == (Regularizer{}) {
		return Config{}
	}
	return newConfig("L1L2", "l1", r.L1, "l2", r.L2)
}

// check returns an error if r is not a penalty.
func (r Regularizer) check(owner, key string) error {
	return firstError(inRange(owner, key+".l1", r.L1, nonNegative()), inRange(owner, key+".l2", r.L2, nonNegative()))
}
