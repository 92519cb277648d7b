package nn

import (
	"cmp"
	"math"
)

// CosineDecay falls along half a cosine from InitialLearningRate to Alpha times
// it over DecaySteps, and stays there (Loshchilov and Hutter 2017, SGDR). With
// WarmupTarget it first rises from InitialLearningRate to WarmupTarget over
// WarmupSteps, in a line, and then falls from there.
type CosineDecay struct {
	InitialLearningRate float64 // may be 0 with a warm-up
	DecaySteps          int
	Alpha               float64  // default 0
	WarmupTarget        *float64 // nil: no warm-up
	WarmupSteps         int
}

func parseCosineDecay(a *arguments) CosineDecay {
	a.require("initial_learning_rate", "decay_steps")
	s := CosineDecay{
		InitialLearningRate: a.float("initial_learning_rate", 0, nonNegative()),
		DecaySteps:          a.integer("decay_steps", 1, 1),
		Alpha:               a.float("alpha", 0, closedFraction()),
		WarmupTarget:        a.optional("warmup_target", 0, positive()),
		WarmupSteps:         a.integer("warmup_steps", 0, 0),
	}
	switch {
	case s.WarmupTarget == nil && s.WarmupSteps > 0:
		a.fail("warmup_steps", "needs a warmup_target, got %d steps without", s.WarmupSteps)
	case s.WarmupTarget == nil && s.InitialLearningRate == 0:
		a.fail("initial_learning_rate", "must be greater than 0 without a warmup_target, got 0")
	}
	return s
}

// Config implements [Schedule].
func (s CosineDecay) Config() Config {
	return newConfig("CosineDecay", "decay_steps", s.DecaySteps, "alpha", s.Alpha, "warmup_steps", s.WarmupSteps).
		with("initial_learning_rate", &s.InitialLearningRate).with("warmup_target", s.WarmupTarget)
}

// Rate implements [Schedule].
func (s CosineDecay) Rate(step int64) float64 {
	from := s.InitialLearningRate
	if s.WarmupTarget != nil {
		warm := int64(s.WarmupSteps)
		if step < warm {
			return from + (*s.WarmupTarget-from)*float64(step)/float64(warm)
		}
		from, step = *s.WarmupTarget, step-warm
	}
	p := min(1, float64(step)/float64(s.DecaySteps))
	return from * ((1-s.Alpha)*0.5*(1+math.Cos(math.Pi*p)) + s.Alpha)
}

// CosineDecayRestarts falls along half a cosine and starts again (Loshchilov and
// Hutter 2017, SGDR): each period is TMul times as long as the one before and
// starts at MMul times its rate.
type CosineDecayRestarts struct {
	InitialLearningRate float64
	FirstDecaySteps     int
	TMul                float64  // at least 1; default 2
	MMul                *float64 // default 1
	Alpha               float64  // lowest rate as a share of the initial one; default 0
}

func parseCosineDecayRestarts(a *arguments) CosineDecayRestarts {
	a.require("initial_learning_rate", "first_decay_steps")
	return CosineDecayRestarts{
		InitialLearningRate: a.float("initial_learning_rate", 0, positive()),
		FirstDecaySteps:     a.integer("first_decay_steps", 1, 1),
		TMul:                a.unlessStandard("t_mul", 2, interval{min: 1, max: math.MaxFloat64}),
		MMul:                a.optional("m_mul", 1, nonNegative()),
		Alpha:               a.float("alpha", 0, closedFraction()),
	}
}

// Config implements [Schedule].
func (s CosineDecayRestarts) Config() Config {
	return newConfig("CosineDecayRestarts", "initial_learning_rate", s.InitialLearningRate,
		"first_decay_steps", s.FirstDecaySteps, "t_mul", s.TMul, "alpha", s.Alpha).with("m_mul", s.MMul)
}

// Rate implements [Schedule].
func (s CosineDecayRestarts) Rate(step int64) float64 {
	p := float64(step) / float64(s.FirstDecaySteps)
	t := cmp.Or(s.TMul, 2)
	restart := math.Floor(p)
	start, period := restart, 1.0
	if t != 1 {
		begin := func(n float64) float64 { return (math.Pow(t, n) - 1) / (t - 1) }
		restart = math.Floor(math.Log(1+p*(t-1)) / math.Log(t))
		// The logarithm of a step that begins a period may round to either side.
		switch {
		case p < begin(restart):
			restart--
		case p >= begin(restart+1):
			restart++
		}
		start, period = begin(restart), math.Pow(t, restart)
	}
	cosine := 0.5 * math.Pow(or(s.MMul, 1), restart) * (1 + math.Cos(math.Pi*(p-start)/period))
	return s.InitialLearningRate * ((1-s.Alpha)*cosine + s.Alpha)
}
