package nn

import (
	"cmp"

	"github.com/modelbus/modelbus/model/kernel"
)

// Lion is Chen et al. 2023, Symbolic Discovery of Optimization Algorithms:
// every weight moves by the learning rate in the direction of a momentum's
// sign, so it wants a rate 3 to 10 times smaller than Adam's.
type Lion struct {
	LearningRate float64  // default 0.001
	Schedule     Schedule // if not nil, in place of LearningRate

	Beta1 *float64 // share of the momentum in the direction; default 0.9
	Beta2 *float64 // discount of the momentum; default 0.99

	WeightDecay float64 // decoupled; default 0
	Clip        Clip
}

func parseLion(a *arguments) Lion {
	s := a.settings()
	return Lion{
		LearningRate: s.learningRate, Schedule: s.schedule, WeightDecay: s.weightDecay, Clip: s.clip,
		Beta1: a.optional("beta_1", 0.9, closedFraction()),
		Beta2: a.optional("beta_2", 0.99, closedFraction()),
	}
}

// Config implements [Optimizer].
func (o Lion) Config() Config {
	return settings{o.LearningRate, o.Schedule, o.WeightDecay, o.Clip}.config("Lion").
		with("beta_1", o.Beta1).with("beta_2", o.Beta2)
}

func (o Lion) settings() settings {
	return settings{cmp.Or(o.LearningRate, 0.001), o.Schedule, o.WeightDecay, o.Clip}
}

func (o Lion) new(w *weights) stepper {
	return &lion{weights: w, m: w.slot("momentum"), beta1: or(o.Beta1, 0.9), beta2: or(o.Beta2, 0.99)}
}

type lion struct {
	*weights

	m            slot
	beta1, beta2 float64

	rate float32 // of the step in hand
}

func (s *lion) state() []*Param { return s.m.params }

func (s *lion) begin(lr float64, _ int64) { s.rate = float32(lr) }

func (s *lion) update(lo, hi int) {
	b1, c1 := float32(s.beta1), float32(1-s.beta1)
	b2, c2 := float32(s.beta2), float32(1-s.beta2)
	kernel.Lion(s.value[lo:hi], s.m.part(lo, hi), s.grad[lo:hi], s.rate, b1, c1, b2, c2)
}
