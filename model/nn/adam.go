package nn

import (
	"cmp"
	"math"
	"slices"

	"github.com/modelbus/modelbus/model/kernel"
)

// Adam is Kingma and Ba 2015, Adam: A Method for Stochastic Optimization, in
// the form before section 2.1 ("epsilon hat"), as Keras has it: the bias
// correction is part of the step size and Epsilon is not corrected.
type Adam struct {
	LearningRate float64  // default 0.001
	Schedule     Schedule // if not nil, in place of LearningRate

	Beta1   *float64 // default 0.9
	Beta2   *float64 // default 0.999
	Epsilon float64  // default 1e-7
	AMSGrad bool     // divide by the largest second moment so far (Reddi et al. 2018)

	WeightDecay float64 // decoupled; default 0
	Clip        Clip
}

// AdamW is [Adam] with weight decay: Loshchilov and Hutter 2019, Decoupled
// Weight Decay Regularization.
type AdamW struct {
	LearningRate float64  // default 0.001
	Schedule     Schedule // if not nil, in place of LearningRate

	Beta1   *float64 // default 0.9
	Beta2   *float64 // default 0.999
	Epsilon float64  // default 1e-7
	AMSGrad bool     // divide by the largest second moment so far

	WeightDecay *float64 // default 0.004
	Clip        Clip
}

func parseAdam(a *arguments) Adam {
	s := a.settings()
	return Adam{
		LearningRate: s.learningRate, Schedule: s.schedule, WeightDecay: s.weightDecay, Clip: s.clip,
		Beta1:   a.optional("beta_1", 0.9, fraction()),
		Beta2:   a.optional("beta_2", 0.999, fraction()),
		Epsilon: a.unlessStandard("epsilon", 1e-7, positive()),
		AMSGrad: a.boolean("amsgrad", false),
	}
}

func parseAdamW(a *arguments) AdamW {
	o := parseAdam(a)
	return AdamW{
		LearningRate: o.LearningRate, Schedule: o.Schedule, Clip: o.Clip,
		Beta1: o.Beta1, Beta2: o.Beta2, Epsilon: o.Epsilon, AMSGrad: o.AMSGrad,
		WeightDecay: a.optional("weight_decay", 0.004, nonNegative()),
	}
}

// Config implements [Optimizer].
func (o Adam) Config() Config {
	return settings{o.LearningRate, o.Schedule, o.WeightDecay, o.Clip}.config("Adam",
		"epsilon", o.Epsilon, "amsgrad", o.AMSGrad).with("beta_1", o.Beta1).with("beta_2", o.Beta2)
}

// Config implements [Optimizer].
func (o AdamW) Config() Config {
	c := o.adam().Config()
	delete(c.Args, "weight_decay")
	c.Name = "AdamW"
	return c.with("weight_decay", o.WeightDecay)
}

// adam returns o as an Adam of the same steps.
func (o AdamW) adam() Adam {
	return Adam{
		LearningRate: o.LearningRate, Schedule: o.Schedule, Clip: o.Clip,
		Beta1: o.Beta1, Beta2: o.Beta2, Epsilon: o.Epsilon, AMSGrad: o.AMSGrad,
		WeightDecay: or(o.WeightDecay, 0.004),
	}
}

func (o Adam) settings() settings {
	return settings{cmp.Or(o.LearningRate, 0.001), o.Schedule, o.WeightDecay, o.Clip}
}

func (o AdamW) settings() settings { return o.adam().settings() }

func (o AdamW) new(w *weights) stepper { return o.adam().new(w) }

func (o Adam) new(w *weights) stepper {
	s := &adam{
		weights: w,
		beta1:   or(o.Beta1, 0.9), beta2: or(o.Beta2, 0.999), epsilon: float32(cmp.Or(o.Epsilon, 1e-7)),
		m: w.slot("momentum"), v: w.slot("velocity"),
	}
	if o.AMSGrad {
		s.vmax = w.slot("velocity_hat")
	}
	return s
}

type adam struct {
	*weights

	m, v, vmax   slot // no vmax without AMSGrad
	beta1, beta2 float64
	epsilon      float32

	rate float32 // of the step in hand, with the bias correction
}

func (s *adam) state() []*Param { return slices.Concat(s.m.params, s.v.params, s.vmax.params) }

func (s *adam) begin(lr float64, t int64) {
	s.rate = float32(lr * math.Sqrt(correction(s.beta2, t)) / correction(s.beta1, t))
}

func (s *adam) update(lo, hi int) {
	c1, c2 := float32(1-s.beta1), float32(1-s.beta2)
	kernel.Adam(s.value[lo:hi], s.m.part(lo, hi), s.v.part(lo, hi), s.grad[lo:hi], s.vmax.part(lo, hi), c1, c2, s.rate, s.epsilon)
}

// correction returns 1 − beta^t, which is 1 to the bit from where on the power is below
// 2⁻⁶⁴: finding the power takes longer than many a small step.
func correction(beta float64, t int64) float64 {
	if float64(t)*(1-beta) > 64*math.Ln2 { // ln(beta) ≤ beta − 1
		return 1
	}
	return 1 - math.Pow(beta, float64(t))
}
