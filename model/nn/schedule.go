package nn

import (
	"math"
	"slices"
)

// A Schedule is the configuration of a learning rate that changes from step to
// step: a plain value such as ExponentialDecay{…}.
type Schedule interface {
	// Config returns the schedule in its neutral form.
	Config() Config

	// Rate returns the learning rate after step steps, from 0.
	Rate(step int64) float64
}

type scheduleKind struct {
	name  string
	parse func(*arguments) Schedule
}

func schedule[T Schedule](name string, parse func(*arguments) T) scheduleKind {
	return scheduleKind{name, func(a *arguments) Schedule { return parse(a) }}
}

func scheduleKinds() []scheduleKind {
	return []scheduleKind{
		schedule("ExponentialDecay", parseExponentialDecay),
		schedule("CosineDecay", parseCosineDecay),
		schedule("CosineDecayRestarts", parseCosineDecayRestarts),
		schedule("InverseTimeDecay", parseInverseTimeDecay),
		schedule("PolynomialDecay", parsePolynomialDecay),
		schedule("PiecewiseConstantDecay", parsePiecewiseConstantDecay),
	}
}

// ParseSchedule returns the schedule that c describes, by Keras's class name and
// arguments. Unknown names and arguments are a [*ConfigError] that says which
// there are.
func ParseSchedule(c Config) (Schedule, error) {
	kinds := scheduleKinds()
	i := slices.IndexFunc(kinds, func(k scheduleKind) bool { return fold(k.name) == fold(c.Name) })
	if i < 0 {
		names := make([]string, len(kinds))
		for j, k := range kinds {
			names[j] = k.name
		}
		return nil, &ConfigError{Name: "schedule", Msg: unknownWord("learning-rate schedule", c.Name, names)}
	}
	a := Config{Name: kinds[i].name, Args: c.Args}.arguments()
	s := kinds[i].parse(a)
	a.ignore("name")
	if err := a.done(); err != nil {
		return nil, err
	}
	return s, nil
}

// require fails unless the argument key is there.
func (a *arguments) require(keys ...string) {
	for _, key := range keys {
		if v, ok := a.config.Args[key]; !ok || v == nil {
			a.fail(key, "is required")
		}
	}
}

// ExponentialDecay is InitialLearningRate·DecayRate^(step/DecaySteps).
type ExponentialDecay struct {
	InitialLearningRate float64
	DecaySteps          int
	DecayRate           float64
	Staircase           bool // step/DecaySteps is rounded down
}

func parseExponentialDecay(a *arguments) ExponentialDecay {
	a.require("initial_learning_rate", "decay_steps", "decay_rate")
	return ExponentialDecay{
		InitialLearningRate: a.float("initial_learning_rate", 0, positive()),
		DecaySteps:          a.integer("decay_steps", 1, 1),
		DecayRate:           a.float("decay_rate", 0, positive()),
		Staircase:           a.boolean("staircase", false),
	}
}

// Config implements [Schedule].
func (s ExponentialDecay) Config() Config {
	return newConfig("ExponentialDecay", "initial_learning_rate", s.InitialLearningRate,
		"decay_steps", s.DecaySteps, "decay_rate", s.DecayRate, "staircase", s.Staircase)
}

// Rate implements [Schedule].
func (s ExponentialDecay) Rate(step int64) float64 {
	return s.InitialLearningRate * math.Pow(s.DecayRate, progress(step, s.DecaySteps, s.Staircase))
}

// InverseTimeDecay is InitialLearningRate/(1 + DecayRate·step/DecaySteps).
type InverseTimeDecay struct {
	InitialLearningRate float64
	DecaySteps          int
	DecayRate           float64
	Staircase           bool // step/DecaySteps is rounded down
}

func parseInverseTimeDecay(a *arguments) InverseTimeDecay {
	a.require("initial_learning_rate", "decay_steps", "decay_rate")
	return InverseTimeDecay{
		InitialLearningRate: a.float("initial_learning_rate", 0, positive()),
		DecaySteps:          a.integer("decay_steps", 1, 1),
		DecayRate:           a.float("decay_rate", 0, positive()),
		Staircase:           a.boolean("staircase", false),
	}
}

// Config implements [Schedule].
func (s InverseTimeDecay) Config() Config {
	return newConfig("InverseTimeDecay", "initial_learning_rate", s.InitialLearningRate,
		"decay_steps", s.DecaySteps, "decay_rate", s.DecayRate, "staircase", s.Staircase)
}

// Rate implements [Schedule].
func (s InverseTimeDecay) Rate(step int64) float64 {
	return s.InitialLearningRate / (1 + s.DecayRate*progress(step, s.DecaySteps, s.Staircase))
}

// progress returns step/steps, rounded down for a staircase.
func progress(step int64, steps int, staircase bool) float64 {
	p := float64(step) / float64(steps)
	if staircase {
		return math.Floor(p)
	}
	return p
}

// PolynomialDecay falls from InitialLearningRate to EndLearningRate as
// (1 - step/DecaySteps)^Power, and stays there.
type PolynomialDecay struct {
	InitialLearningRate float64
	DecaySteps          int
	EndLearningRate     *float64 // default 0.0001
	Power               float64  // default 1
	Cycle               bool     // stretch DecaySteps to its next multiple in place of staying
}

func parsePolynomialDecay(a *arguments) PolynomialDecay {
	a.require("initial_learning_rate", "decay_steps")
	return PolynomialDecay{
		InitialLearningRate: a.float("initial_learning_rate", 0, positive()),
		DecaySteps:          a.integer("decay_steps", 1, 1),
		EndLearningRate:     a.optional("end_learning_rate", 0.0001, nonNegative()),
		Power:               a.unlessStandard("power", 1, positive()),
		Cycle:               a.boolean("cycle", false),
	}
}

// Config implements [Schedule].
func (s PolynomialDecay) Config() Config {
	return newConfig("PolynomialDecay", "initial_learning_rate", s.InitialLearningRate,
		"decay_steps", s.DecaySteps, "power", s.Power, "cycle", s.Cycle).
		with("end_learning_rate", s.EndLearningRate)
}

// Rate implements [Schedule].
func (s PolynomialDecay) Rate(step int64) float64 {
	p := progress(step, s.DecaySteps, false)
	if s.Cycle {
		p /= max(1, math.Ceil(p))
	}
	end, power := or(s.EndLearningRate, 0.0001), s.Power
	if power == 0 {
		power = 1
	}
	return (s.InitialLearningRate-end)*math.Pow(1-min(p, 1), power) + end
}

// PiecewiseConstantDecay is Values[i] up to and including step Boundaries[i],
// and the last value after the last boundary.
type PiecewiseConstantDecay struct {
	Boundaries []int64   // ascending
	Values     []float64 // one more than boundaries
}

func parsePiecewiseConstantDecay(a *arguments) PiecewiseConstantDecay {
	a.require("boundaries", "values")
	var s PiecewiseConstantDecay
	for i, f := range a.numbers("boundaries") {
		if f != math.Trunc(f) || f < 0 || f > math.MaxInt32 || i > 0 && int64(f) <= s.Boundaries[i-1] {
			a.fail("boundaries", "must be whole numbers of steps in ascending order, got %v at %d", f, i)
			break
		}
		s.Boundaries = append(s.Boundaries, int64(f))
	}
	for i, f := range a.numbers("values") {
		if f < 0 {
			a.fail("values", "must be learning rates, got %v at %d", f, i)
		}
		s.Values = append(s.Values, f)
	}
	if len(s.Values) != len(s.Boundaries)+1 {
		a.fail("values", "must be one more than the boundaries, got %d for %d", len(s.Values), len(s.Boundaries))
	}
	return s
}

// numbers returns a list of numbers.
func (a *arguments) numbers(key string) []float64 {
	list := a.list(key)
	numbers := make([]float64, len(list))
	for i, v := range list {
		f, ok := number(v)
		if !ok {
			a.fail(key, "must be numbers, got %s at %d", describe(v), i)
		}
		numbers[i] = f
	}
	return numbers
}

// Config implements [Schedule].
func (s PiecewiseConstantDecay) Config() Config {
	boundaries, values := make([]any, len(s.Boundaries)), make([]any, len(s.Values))
	for i, b := range s.Boundaries {
		boundaries[i] = b
	}
	for i, v := range s.Values {
		values[i] = v
	}
	return Config{Name: "PiecewiseConstantDecay", Args: map[string]any{"boundaries": boundaries, "values": values}}
}

// Rate implements [Schedule].
func (s PiecewiseConstantDecay) Rate(step int64) float64 {
	for i, b := range s.Boundaries {
		if step <= b {
			return s.Values[i]
		}
	}
	return s.Values[len(s.Values)-1]
}
