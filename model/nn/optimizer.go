package nn

import (
	"slices"

	"github.com/modelbus/modelbus/model/kernel"
)

// An Optimizer is the configuration of an optimizer: a plain value such as
// Adam{LearningRate: 0.001}. Zero fields mean the default given; a field that
// is a pointer is one for which zero is a meaning of its own.
//
// A step, as in Keras, first clips the gradients, then shrinks the weights by
// the decay (decoupled from the gradient, for every optimizer), then updates.
type Optimizer interface {
	// Config returns the optimizer in its neutral form, defaults left out.
	Config() Config

	// settings returns what every optimizer has, defaults filled in.
	settings() settings

	// new returns a stepper for w with zero state.
	new(w *weights) stepper
}

// A stepper applies gradients to weights.
type stepper interface {
	// begin prepares a step; lr is its learning rate, t its number from 1.
	begin(lr float64, t int64)

	// update takes the step for the weights [lo, hi) from their gradients. Several
	// goroutines may update different weights at once.
	update(lo, hi int)

	// state returns the moments and counters by name, by reference, in a fixed
	// order; restoring them and the step count resumes training bit for bit.
	state() []*Param
}

// settings are what every optimizer has.
type settings struct {
	learningRate float64
	schedule     Schedule // nil: learningRate
	weightDecay  float64
	clip         Clip
}

// rate returns the learning rate of step t from 1. A schedule counts the steps
// done before it, as Keras's sees the iterations.
func (s settings) rate(t int64) float64 {
	if s.schedule != nil {
		return s.schedule.Rate(t - 1)
	}
	return s.learningRate
}

// decay shrinks weights: w -= w·weightDecay·lr (Loshchilov and Hutter 2019,
// Decoupled Weight Decay Regularization, with Keras's factor lr).
func (s settings) decay(w []float32, lr float64) {
	if s.weightDecay == 0 {
		return
	}
	kernel.Decay(w, float32(s.weightDecay*lr))
}

// An optimizerKind is one optimizer by Keras's class name.
type optimizerKind struct {
	name  string
	parse func(*arguments) Optimizer
}

func optimizer[T Optimizer](name string, parse func(*arguments) T) optimizerKind {
	return optimizerKind{name, func(a *arguments) Optimizer { return parse(a) }}
}

func optimizerKinds() []optimizerKind {
	return []optimizerKind{
		optimizer("Adam", parseAdam),
		optimizer("AdamW", parseAdamW),
		optimizer("SGD", parseSGD),
		optimizer("RMSprop", parseRMSprop),
		optimizer("Adagrad", parseAdagrad),
		optimizer("Nadam", parseNadam),
		optimizer("Lion", parseLion),
	}
}

// ParseOptimizer returns the optimizer that c describes, by Keras's class name
// in any case and Keras's arguments. Unknown names and arguments are a
// [*ConfigError] that says which there are. Arguments of Keras that change
// nothing here (name, jit_compile, and those that switch a feature off) are
// accepted.
func ParseOptimizer(c Config) (Optimizer, error) {
	kinds := optimizerKinds()
	i := slices.IndexFunc(kinds, func(k optimizerKind) bool { return fold(k.name) == fold(c.Name) })
	if i < 0 {
		names := make([]string, len(kinds))
		for j, k := range kinds {
			names[j] = k.name
		}
		return nil, &ConfigError{Name: "optimizer", Msg: unknownWord("optimizer", c.Name, names)}
	}
	a := Config{Name: kinds[i].name, Args: c.Args}.arguments()
	o := kinds[i].parse(a)
	a.refuseUnbuilt()
	if err := a.done(); err != nil {
		return nil, err
	}
	return o, nil
}

// settings reads the arguments that every optimizer has. The learning rate and
// weight decay are 0 if they are not given.
func (a *arguments) settings() settings {
	s := settings{
		weightDecay: a.float("weight_decay", 0, nonNegative()),
		clip:        a.clip(),
	}
	v, ok := a.value("learning_rate")
	if !ok {
		return s
	}
	if _, scalar := number(v); scalar {
		s.learningRate = a.float("learning_rate", 0, positive())
		return s
	}
	if text, ok := v.(string); ok {
		a.fail("learning_rate", "must be a number or a schedule {Name: {…}}, got %s", describe(text))
		return s
	}
	c, ok := a.object("learning_rate")
	if !ok {
		return s
	}
	schedule, err := ParseSchedule(c)
	a.wrap("learning_rate", err)
	s.schedule = schedule
	return s
}

// optional returns the number key within r, nil if it is absent or the standard.
func (a *arguments) optional(key string, standard float64, r interval) *float64 {
	if f := a.float(key, standard, r); f != standard {
		return &f
	}
	return nil
}

// unlessStandard returns the number key within r, 0 if it is absent or the standard.
func (a *arguments) unlessStandard(key string, standard float64, r interval) float64 {
	if f := a.float(key, standard, r); f != standard {
		return f
	}
	return 0
}

// refuseUnbuilt accepts those arguments of Keras's optimizers that are switched
// off, as a saved configuration always writes them, and refuses them otherwise.
func (a *arguments) refuseUnbuilt() {
	a.ignore("name", "jit_compile", "ema_momentum", "is_legacy_optimizer")
	for _, key := range []string{
		"use_ema", "ema_overwrite_frequency", "loss_scale_factor", "gradient_accumulation_steps",
	} {
		if v, ok := a.value(key); ok && v != false {
			a.fail(key, "is not supported, got %s; leave it out", describe(v))
		}
	}
	for key, instead := range map[string]string{"lr": "write learning_rate", "decay": "write a learning_rate schedule such as InverseTimeDecay"} {
		if v, ok := a.config.Args[key]; ok {
			a.fail(key, "is an old name, got %s; %s", describe(v), instead)
		}
	}
}

// config returns the neutral form of an optimizer: the settings that are not
// zero and the pairs that are not.
func (s settings) config(name string, pairs ...any) Config {
	var schedule any
	if s.schedule != nil {
		s.learningRate, schedule = 0, s.schedule.Config().nested()
	}
	c := newConfig(name, append([]any{
		"learning_rate", s.learningRate, "learning_rate", schedule, "weight_decay", s.weightDecay,
		"clipvalue", s.clip.Value, "clipnorm", s.clip.Norm, "global_clipnorm", s.clip.GlobalNorm,
	}, pairs...)...)
	return c
}

// with returns c with the number *v under key, c itself if v is nil.
func (c Config) with(key string, v *float64) Config {
	if v == nil {
		return c
	}
	if c.Args == nil {
		c.Args = map[string]any{}
	}
	c.Args[key] = *v
	return c
}

// or returns *v, or standard if v is nil.
func or(v *float64, standard float64) float64 {
	if v == nil {
		return standard
	}
	return *v
}
