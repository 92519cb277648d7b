package nn

import (
	"cmp"

	"github.com/modelbus/modelbus/model/kernel"
)

// SGD is stochastic gradient descent with momentum, in Keras's form: the buffer
// holds m = Momentum·m - lr·g, so a change of the learning rate leaves past
// momentum as it was.
type SGD struct {
	LearningRate float64  // default 0.01
	Schedule     Schedule // if not nil, in place of LearningRate

	Momentum float64 // in [0, 1); default 0
	Nesterov bool    // look ahead along the momentum

	WeightDecay float64 // decoupled; default 0
	Clip        Clip
}

func parseSGD(a *arguments) SGD {
	s := a.settings()
	return SGD{
		LearningRate: s.learningRate, Schedule: s.schedule, WeightDecay: s.weightDecay, Clip: s.clip,
		Momentum: a.float("momentum", 0, fraction()),
		Nesterov: a.boolean("nesterov", false),
	}
}

// Config implements [Optimizer].
func (o SGD) Config() Config {
	return settings{o.LearningRate, o.Schedule, o.WeightDecay, o.Clip}.config("SGD",
		"momentum", o.Momentum, "nesterov", o.Nesterov)
}

func (o SGD) settings() settings {
	return settings{cmp.Or(o.LearningRate, 0.01), o.Schedule, o.WeightDecay, o.Clip}
}

func (o SGD) new(w *weights) stepper {
	s := &sgd{weights: w, mu: float32(o.Momentum), nesterov: o.Nesterov}
	if o.Momentum != 0 {
		s.m = w.slot("momentum")
	}
	return s
}

type sgd struct {
	*weights

	m        slot // none without momentum
	mu       float32
	nesterov bool

	rate float32 // of the step in hand
}

func (s *sgd) state() []*Param { return s.m.params }

func (s *sgd) begin(lr float64, _ int64) { s.rate = float32(lr) }

func (s *sgd) update(lo, hi int) {
	if s.m.value == nil {
		kernel.Descend(s.value[lo:hi], s.grad[lo:hi], s.rate)
		return
	}
	kernel.Momentum(s.value[lo:hi], s.m.part(lo, hi), s.grad[lo:hi], s.rate, s.mu, s.nesterov)
}
