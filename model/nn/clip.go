package nn

import (
	"math"
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

// apply clips the gradients of params in place.
func (c Clip) apply(params []*Param) {
	switch {
	case c.Value > 0:
		v := float32(c.Value)
		for _, p := range params {
			for i, g := range p.Grad {
				p.Grad[i] = max(-v, min(v, g))
			}
		}
	case c.Norm > 0:
		for _, p := range params {
			scaleTo(c.Norm, math.Sqrt(squares(p.Grad)), p)
		}
	case c.GlobalNorm > 0:
		scaleTo(c.GlobalNorm, globalNorm(params), params...)
	}
}

// scaleTo scales gradients whose norm is given by bound/max(norm, bound).
func scaleTo(bound, norm float64, params ...*Param) {
	if norm <= bound {
		return
	}
	f := float32(bound / norm)
	for _, p := range params {
		for i := range p.Grad {
			p.Grad[i] *= f
		}
	}
}

// globalNorm returns the Euclidean norm of all gradients together. The squares
// are float64, so that it is finite whenever the gradients are.
func globalNorm(params []*Param) float64 {
	var sum float64
	for _, p := range params {
		sum += squares(p.Grad)
	}
	return math.Sqrt(sum)
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
