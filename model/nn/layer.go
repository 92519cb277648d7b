package nn

import "github.com/modelbus/modelbus/model/kernel"

// A Layer is the configuration of one layer: a plain value such as
// Dense{Units: 16, Activation: "relu"}. The implementations are the exported
// layer types of this package.
type Layer interface {
	// Config returns the layer in its neutral form, defaults left out.
	Config() Config

	// check returns an error if a field is out of its range.
	check() error

	// build returns the operators that compute the layer on inputs of width
	// in, in order; none if the layer changes nothing. Errors are
	// [*ConfigError].
	build(in int, b *builder) ([]operator, error)
}

// An operator computes a step of a network and its derivative. It holds
// parameters only; what one run needs is in a memory, so an operator may be used
// by several goroutines at once as long as nobody changes its parameters.
type operator interface {
	// width returns the output width.
	width() int

	// params returns the parameters and state in a fixed order, nil for none.
	params() []*Param

	// infer returns the outputs (rows, width) for x, valid until the next call
	// with m. It may return x. A row's outputs depend on that row alone.
	infer(m *memory, x []float32, rows int) []float32

	// forward is infer in training mode. It keeps in m what backward needs; x
	// and the outputs must stay as they are until then.
	forward(m *memory, x []float32, rows int) []float32

	// backward takes the derivative dy of the loss by forward's outputs, sets
	// the gradients of all trainable parameters and returns the derivative by
	// the inputs, nil unless m.inputGradient. It may return or overwrite dy.
	backward(m *memory, dy []float32, rows int) []float32
}

// A memory is what one operator keeps during one run of a network.
type memory struct {
	x    []float32 // inputs of the latest forward, by reference
	y    []float32 // outputs
	dx   []float32 // derivative by the inputs
	keep []float32 // what the operator itself needs: a mask, normalized values, scales
	sums []float64 // accumulators

	inputGradient bool   // whether backward must return the derivative by the inputs
	stream        uint64 // names the random draws of this step and operator

	gemm *kernel.Gemm // shared by the operators of a run, which come one after the other
}

// grow returns b with length n, allocating if it is too small. The content is
// undefined.
func grow[T float32 | float64](b []T, n int) []T {
	if cap(b) < n {
		return make([]T, n)
	}
	return b[:n]
}
