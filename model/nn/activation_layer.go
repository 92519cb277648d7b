package nn

import "strings"

// Activation applies an element-wise function, or softmax to each row.
type Activation struct {
	Activation string // by Keras's name: relu, softmax
}

// Config implements [Layer].
func (l Activation) Config() Config { return newConfig("Activation", "activation", l.Activation) }

func parseActivation(a *arguments) Activation {
	return Activation{Activation: a.text("activation")}
}

func (l Activation) check() error {
	if l.Activation == "" {
		return &ConfigError{Name: "Activation", Key: "activation", Msg: "is missing; want one of " + strings.Join(activationNames(), ", ")}
	}
	_, err := newActivation("Activation", l.Activation)
	return err
}

func (l Activation) build(in int, _ *builder) ([]operator, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	act, err := newActivation("Activation", l.Activation)
	return buildActivation(act, in), err
}

func buildActivation(act activation, in int) []operator {
	if act.kind == "linear" {
		return nil
	}
	return []operator{&activationOperator{act, in}}
}

// ReLU is max(x, 0), or NegativeSlope·x below zero.
type ReLU struct {
	NegativeSlope float64 // default 0
}

// Config implements [Layer].
func (l ReLU) Config() Config { return newConfig("ReLU", "negative_slope", l.NegativeSlope) }

func parseReLU(a *arguments) ReLU {
	l := ReLU{NegativeSlope: a.float("negative_slope", 0, nonNegative())}
	a.refuse("max_value")
	if threshold := a.float("threshold", 0, anyNumber()); threshold != 0 {
		a.fail("threshold", "is not supported, got %v; leave it out", threshold)
	}
	return l
}

func (l ReLU) check() error { return inRange("ReLU", "negative_slope", l.NegativeSlope, nonNegative()) }

func (l ReLU) build(in int, _ *builder) ([]operator, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	if l.NegativeSlope == 0 {
		return buildActivation(activation{kind: "relu"}, in), nil
	}
	return buildActivation(activation{kind: "leaky_relu", alpha: float32(l.NegativeSlope)}, in), nil
}

// LeakyReLU is x, or NegativeSlope·x below zero.
type LeakyReLU struct {
	NegativeSlope float64 // greater than 0, default 0.3; the activation called leaky_relu has 0.2
}

// Config implements [Layer].
func (l LeakyReLU) Config() Config { return newConfig("LeakyReLU", "negative_slope", l.NegativeSlope) }

func parseLeakyReLU(a *arguments) LeakyReLU {
	l := LeakyReLU{NegativeSlope: a.float("negative_slope", 0, positive())}
	if alpha := a.float("alpha", 0, positive()); alpha != 0 { // Keras 2's name
		l.NegativeSlope = alpha
	}
	return l
}

func (l LeakyReLU) check() error {
	return inRange("LeakyReLU", "negative_slope", l.NegativeSlope, nonNegative())
}

func (l LeakyReLU) build(in int, _ *builder) ([]operator, error) {
	slope := orDefault(l.NegativeSlope, 0.3)
	return buildActivation(activation{kind: "leaky_relu", alpha: float32(slope)}, in), l.check()
}

// ELU is x, or Alpha·(eˣ-1) below zero (Clevert, Unterthiner and Hochreiter, Fast
// and Accurate Deep Network Learning by Exponential Linear Units, 2016).
type ELU struct {
	Alpha float64 // greater than 0, default 1
}

// Config implements [Layer].
func (l ELU) Config() Config { return newConfig("ELU", "alpha", l.Alpha) }

func parseELU(a *arguments) ELU { return ELU{Alpha: a.float("alpha", 0, positive())} }

func (l ELU) check() error { return inRange("ELU", "alpha", l.Alpha, nonNegative()) }

func (l ELU) build(in int, _ *builder) ([]operator, error) {
	alpha := orDefault(l.Alpha, 1)
	return buildActivation(activation{kind: "elu", alpha: float32(alpha)}, in), l.check()
}

// Softmax turns each row into probabilities: eˣ divided by the row's sum.
type Softmax struct{}

// Config implements [Layer].
func (l Softmax) Config() Config { return newConfig("Softmax") }

func parseSoftmax(a *arguments) Softmax {
	a.lastAxis()
	return Softmax{}
}

func (l Softmax) check() error { return nil }

func (l Softmax) build(in int, _ *builder) ([]operator, error) {
	return buildActivation(activation{kind: "softmax"}, in), nil
}
