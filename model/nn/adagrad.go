package nn

import (
	"cmp"

	"github.com/modelbus/modelbus/model/kernel"
)

// Adagrad divides the gradient by the root of all past squares (Duchi, Hazan
// and Singer 2011, Adaptive Subgradient Methods), as Keras has it: Epsilon is
// inside the root.
type Adagrad struct {
	LearningRate float64  // default 0.001
	Schedule     Schedule // if not nil, in place of LearningRate

	InitialAccumulator *float64 // what the sum of squares starts at; default 0.1
	Epsilon            float64  // default 1e-7

	WeightDecay float64 // decoupled; default 0
	Clip        Clip
}

func parseAdagrad(a *arguments) Adagrad {
	s := a.settings()
	return Adagrad{
		LearningRate: s.learningRate, Schedule: s.schedule, WeightDecay: s.weightDecay, Clip: s.clip,
		InitialAccumulator: a.optional("initial_accumulator_value", 0.1, nonNegative()),
		Epsilon:            a.unlessStandard("epsilon", 1e-7, positive()),
	}
}

// Config implements [Optimizer].
func (o Adagrad) Config() Config {
	return settings{o.LearningRate, o.Schedule, o.WeightDecay, o.Clip}.config("Adagrad",
		"epsilon", o.Epsilon).with("initial_accumulator_value", o.InitialAccumulator)
}

func (o Adagrad) settings() settings {
	return settings{cmp.Or(o.LearningRate, 0.001), o.Schedule, o.WeightDecay, o.Clip}
}

func (o Adagrad) new(w *weights) stepper {
	s := &adagrad{weights: w, sum: w.slot("accumulator"), epsilon: float32(cmp.Or(o.Epsilon, 1e-7))}
	kernel.Fill(s.sum.value, float32(or(o.InitialAccumulator, 0.1)))
	return s
}

type adagrad struct {
	*weights

	sum     slot
	epsilon float32

	rate float32 // of the step in hand
}

func (s *adagrad) state() []*Param { return s.sum.params }

func (s *adagrad) begin(lr float64, _ int64) { s.rate = float32(lr) }

func (s *adagrad) update(lo, hi int) {
	kernel.Adagrad(s.value[lo:hi], s.sum.part(lo, hi), s.grad[lo:hi], s.rate, s.epsilon)
}
