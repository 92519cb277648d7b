package nn

import (
	"cmp"
	"math"
	"slices"

	"github.com/modelbus/modelbus/model/kernel"
)

// Nadam is Adam with Nesterov momentum: Dozat 2016, Incorporating Nesterov
// Momentum into Adam, with Keras's momentum schedule u(t) = β₁(1 - 0.96ᵗ/2).
type Nadam struct {
	LearningRate float64  // default 0.001
	Schedule     Schedule // if not nil, in place of LearningRate

	Beta1   *float64 // default 0.9
	Beta2   *float64 // default 0.999
	Epsilon float64  // default 1e-7

	WeightDecay float64 // decoupled; default 0
	Clip        Clip
}

func parseNadam(a *arguments) Nadam {
	s := a.settings()
	return Nadam{
		LearningRate: s.learningRate, Schedule: s.schedule, WeightDecay: s.weightDecay, Clip: s.clip,
		Beta1:   a.optional("beta_1", 0.9, fraction()),
		Beta2:   a.optional("beta_2", 0.999, fraction()),
		Epsilon: a.unlessStandard("epsilon", 1e-7, positive()),
	}
}

// Config implements [Optimizer].
func (o Nadam) Config() Config {
	return settings{o.LearningRate, o.Schedule, o.WeightDecay, o.Clip}.config("Nadam",
		"epsilon", o.Epsilon).with("beta_1", o.Beta1).with("beta_2", o.Beta2)
}

func (o Nadam) settings() settings {
	return settings{cmp.Or(o.LearningRate, 0.001), o.Schedule, o.WeightDecay, o.Clip}
}

func (o Nadam) new(w *weights) stepper {
	return &nadam{
		weights: w,
		beta1:   or(o.Beta1, 0.9), beta2: or(o.Beta2, 0.999), epsilon: float32(cmp.Or(o.Epsilon, 1e-7)),
		m: w.slot("momentum"), v: w.slot("velocity"),
		product: &Param{Name: "u_product", Shape: []int{1}, Value: []float32{1}},
	}
}

type nadam struct {
	*weights

	m, v         slot
	product      *Param // u(1)·…·u(t)
	beta1, beta2 float64
	epsilon      float32

	a, b, c, rate float32 // of the step in hand
}

func (s *nadam) state() []*Param { return slices.Concat([]*Param{s.product}, s.m.params, s.v.params) }

// momentum returns u(t).
func (s *nadam) momentum(t int64) float64 { return s.beta1 * (1 - 0.5*math.Pow(0.96, float64(t))) }

func (s *nadam) begin(lr float64, t int64) {
	u, next := s.momentum(t), s.momentum(t+1)
	s.product.Value[0] *= float32(u)
	product := float64(s.product.Value[0])
	s.a = float32(next / (1 - product*next))
	s.b = float32((1 - u) / (1 - product))
	s.c = float32(1 / (1 - math.Pow(s.beta2, float64(t))))
	s.rate = float32(lr)
}

func (s *nadam) update(lo, hi int) {
	c1, c2 := float32(1-s.beta1), float32(1-s.beta2)
	kernel.Nadam(s.value[lo:hi], s.m.part(lo, hi), s.v.part(lo, hi), s.grad[lo:hi], c1, c2, s.a, s.b, s.c, s.rate, s.epsilon)
}
