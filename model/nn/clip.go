package nn

import (
	"math"

	"github.com/modelbus/modelbus/model/kernel"
)

// Clip bounds gradients before a step, as Keras's clipvalue, clipnorm and
// global_clipnorm. At most one may be set; 0 is off.
type Clip struct {
	Value      float64 // each derivative is kept within ±Value
	Norm       float64 // the gradient of each parameter is scaled to at most this Euclidean norm
	GlobalNorm float64 // all gradients together are scaled to at most this norm
}

// clip reads Keras's three arguments.
func (a *arguments) clip() Clip {
	c := Clip{
		Value:      a.float("clipvalue", 0, positive()),
		Norm:       a.float("clipnorm", 0, positive()),
		GlobalNorm: a.float("global_clipnorm", 0, positive()),
	}
	if c.count() > 1 {
		a.fail("clipnorm", "only one of clipvalue, clipnorm and global_clipnorm may be set, got %d", c.count())
	}
	return c
}

// count returns how many bounds are set.
func (c Clip) count() int {
	n := 0
	for _, v := range []float64{c.Value, c.Norm, c.GlobalNorm} {
		if v != 0 {
			n++
		}
	}
	return n
}

// apply clips the gradients of w in place.
func (c Clip) apply(w *weights) {
	switch {
	case c.Value > 0:
		v := float32(c.Value)
		for i, g := range w.grad {
			w.grad[i] = max(-v, min(v, g))
		}
	case c.Norm > 0:
		for _, p := range w.params {
			limitNorm(p.Grad, c.Norm)
		}
	case c.GlobalNorm > 0:
		limitNorm(w.grad, c.GlobalNorm)
	}
}

// limitNorm scales gradients to at most the Euclidean norm bound. The squares are
// float64, so that the norm is finite whenever the gradients are.
func limitNorm(grad []float32, bound float64) {
	if norm := math.Sqrt(squares(grad)); norm > bound {
		kernel.Scale(grad, float32(bound/norm), grad)
	}
}

// squares returns the sum of squares of v in a fixed order.
func squares(v []float32) float64 {
	var s0, s1, s2, s3 float64
	i := 0
	for ; i+4 <= len(v); i += 4 {
		a, b, c, d := float64(v[i]), float64(v[i+1]), float64(v[i+2]), float64(v[i+3])
		s0, s1, s2, s3 = s0+a*a, s1+b*b, s2+c*c, s3+d*d
	}
	for ; i < len(v); i++ {
		s0 += float64(v[i]) * float64(v[i])
	}
	return s0 + s1 + s2 + s3
}
