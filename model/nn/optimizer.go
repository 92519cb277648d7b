package nn

// An Optimizer is the configuration of an optimizer: a plain value such as
// Adam{LearningRate: 0.001}.
type Optimizer interface {
	// Config returns the optimizer in its neutral form, defaults left out.
	Config() Config

	// new returns a stepper for params with zero state.
	new(params []*Param) stepper
}

// A stepper applies gradients to parameters.
type stepper interface {
	// step updates every trainable parameter from its gradient; lr is the
	// learning rate of this step, t the number of this step from 1.
	step(lr float64, t int64)

	// state returns the moments and counters by name, by reference, in a fixed
	// order; restoring them and the step count resumes training bit for bit.
	state() []*Param
}

// ParseOptimizer returns the optimizer that c describes.
func ParseOptimizer(c Config) (Optimizer, error) { panic("unbuilt") }
