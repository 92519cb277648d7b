package nn

import (
	"slices"

	"github.com/modelbus/modelbus/model/kernel"
)

// An activation is an element-wise function, or softmax over a row.
type activation struct {
	kind  string
	alpha float32 // slope of leaky_relu below zero, scale of elu below zero
}

// activationNames returns the activations by their Keras names.
func activationNames() []string {
	return []string{"linear", "relu", "leaky_relu", "elu", "gelu", "sigmoid", "tanh", "softplus", "softmax"}
}

// newActivation returns the activation name with Keras's defaults; the empty
// name is linear.
func newActivation(owner, name string) (activation, error) {
	if name == "" {
		name = "linear"
	}
	if !slices.Contains(activationNames(), name) {
		return activation{}, &ConfigError{Name: owner, Key: "activation", Msg: unknownWord("activation", name, activationNames())}
	}
	a := activation{kind: name}
	switch name {
	case "leaky_relu":
		a.alpha = 0.2
	case "elu":
		a.alpha = 1
	}
	return a, nil
}

// apply sets y to the activation of x, rows of width numbers.
func (a activation) apply(y, x []float32, width int) {
	y = y[:len(x)]
	switch a.kind {
	case "relu":
		kernel.ReLU(y, x)
	case "sigmoid":
		kernel.Sigmoid(y, x)
	case "tanh":
		kernel.Tanh(y, x)
	case "softmax":
		kernel.SoftmaxRows(y, x, width)
	case "gelu":
		kernel.GELU(y, x)
	case "leaky_relu":
		kernel.LeakyReLU(y, x, a.alpha)
	case "elu":
		kernel.ELU(y, x, a.alpha)
	case "softplus":
		kernel.Softplus(y, x)
	default:
		copy(y, x)
	}
}

// differentiate sets dx to the derivative by x, given dy, the derivative by y =
// apply(x). dx may be dy.
func (a activation) differentiate(dx, dy, x, y []float32, width int) {
	switch a.kind {
	case "relu":
		kernel.MaskPositive(dx, dy, y)
	case "softmax":
		for i := 0; i < len(y); i += width {
			differentiateSoftmax(dx[i:i+width], dy[i:i+width], y[i:i+width])
		}
	case "sigmoid":
		kernel.SigmoidSlope(dx, dy, y)
	case "tanh":
		kernel.TanhSlope(dx, dy, y)
	case "gelu":
		kernel.GELUSlope(dx, dy, x)
	case "leaky_relu":
		kernel.LeakyReLUSlope(dx, dy, x, a.alpha)
	case "elu":
		kernel.ELUSlope(dx, dy, y, a.alpha)
	case "softplus":
		kernel.SoftplusSlope(dx, dy, x)
	default:
		copy(dx, dy)
	}
}

// differentiateSoftmax sets dx to y·(dy - Σ dy·y).
func differentiateSoftmax(dx, dy, y []float32) {
	dot := 0.0
	for i, v := range y {
		dot += float64(dy[i]) * float64(v)
	}
	for i, v := range y {
		dx[i] = v * float32(float64(dy[i])-dot)
	}
}

// activationOperator is an activation of its own, not fused into the operator
// before.
type activationOperator struct {
	activation

	in int
}

func (o *activationOperator) width() int       { return o.in }
func (o *activationOperator) params() []*Param { return nil }

func (o *activationOperator) infer(m *memory, x []float32, rows int) []float32 {
	m.y = grow(m.y, rows*o.in)
	o.apply(m.y, x[:rows*o.in], o.in)
	return m.y
}

func (o *activationOperator) forward(m *memory, x []float32, rows int) []float32 {
	m.x = x
	return o.infer(m, x, rows)
}

func (o *activationOperator) backward(m *memory, dy []float32, rows int) []float32 {
	if !m.inputGradient {
		return nil
	}
	n := rows * o.in
	o.differentiate(dy[:n], dy[:n], m.x[:n], m.y[:n], o.in)
	return dy
}
