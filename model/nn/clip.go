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
		kernel.Clamp(w.grad, float32(c.Value))
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
	if norm := math.Sqrt(kernel.SumSquares(grad)); norm > bound {
		kernel.Scale(grad, float32(bound/norm), grad)
	}
}
