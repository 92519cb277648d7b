package nn

import (
	"cmp"
	"slices"

	"github.com/modelbus/modelbus/model/kernel"
)

// RMSprop divides the gradient by a running root mean square (Tieleman and
// Hinton 2012, lecture 6.5), as Keras has it: Epsilon is inside the root.
type RMSprop struct {
	LearningRate float64  // default 0.001
	Schedule     Schedule // if not nil, in place of LearningRate

	Rho      *float64 // discount of past squares; default 0.9
	Momentum float64  // in [0, 1); default 0
	Epsilon  float64  // default 1e-7
	Centered bool     // divide by the variance instead of the mean square (Graves 2013)

	WeightDecay float64 // decoupled; default 0
	Clip        Clip
}

func parseRMSprop(a *arguments) RMSprop {
	s := a.settings()
	return RMSprop{
		LearningRate: s.learningRate, Schedule: s.schedule, WeightDecay: s.weightDecay, Clip: s.clip,
		Rho:      a.optional("rho", 0.9, fraction()),
		Momentum: a.float("momentum", 0, fraction()),
		Epsilon:  a.unlessStandard("epsilon", 1e-7, positive()),
		Centered: a.boolean("centered", false),
	}
}

// Config implements [Optimizer].
func (o RMSprop) Config() Config {
	return settings{o.LearningRate, o.Schedule, o.WeightDecay, o.Clip}.config("RMSprop",
		"momentum", o.Momentum, "epsilon", o.Epsilon, "centered", o.Centered).with("rho", o.Rho)
}

func (o RMSprop) settings() settings {
	return settings{cmp.Or(o.LearningRate, 0.001), o.Schedule, o.WeightDecay, o.Clip}
}

func (o RMSprop) new(w *weights) stepper {
	s := &rmsprop{
		weights: w,
		rho:     or(o.Rho, 0.9), mu: float32(o.Momentum), epsilon: float32(cmp.Or(o.Epsilon, 1e-7)),
		v: w.slot("velocity"),
	}
	if o.Momentum != 0 {
		s.m = w.slot("momentum")
	}
	if o.Centered {
		s.mean = w.slot("average_gradient")
	}
	return s
}

type rmsprop struct {
	*weights

	v, m, mean  slot // no m without momentum, no mean unless centered
	rho         float64
	mu, epsilon float32

	rate float32 // of the step in hand
}

func (s *rmsprop) state() []*Param { return slices.Concat(s.v.params, s.m.params, s.mean.params) }

func (s *rmsprop) begin(lr float64, _ int64) { s.rate = float32(lr) }

func (s *rmsprop) update(lo, hi int) {
	kernel.RMSprop(s.value[lo:hi], s.v.part(lo, hi), s.grad[lo:hi], s.m.part(lo, hi), s.mean.part(lo, hi),
		float32(s.rho), float32(1-s.rho), s.rate, s.epsilon, s.mu)
}
