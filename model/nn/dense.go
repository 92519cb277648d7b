package nn

import (
	"fmt"

	"github.com/modelbus/modelbus/model/kernel"
)

// Dense is a fully connected layer: y = activation(x·W + b), with W of shape (in,
// Units).
type Dense struct {
	Units      int
	Activation string // by Keras's name; empty is linear
	NoBias     bool

	KernelInitializer Initializer // default glorot_uniform
	BiasInitializer   Initializer // default zeros
	KernelRegularizer Regularizer
	BiasRegularizer   Regularizer
}

// Config implements [Layer].
func (l Dense) Config() Config {
	c := newConfig("Dense",
		"units", l.Units,
		"activation", l.Activation,
		"kernel_initializer", l.KernelInitializer.config().nested(),
		"bias_initializer", l.BiasInitializer.config().nested(),
		"kernel_regularizer", l.KernelRegularizer.config().nested(),
		"bias_regularizer", l.BiasRegularizer.config().nested(),
	)
	return c.withoutDefault("use_bias", !l.NoBias)
}

func parseDense(a *arguments) Dense {
	l := Dense{
		Units:             a.integer("units", 0, 1),
		Activation:        a.text("activation"),
		NoBias:            !a.boolean("use_bias", true),
		KernelInitializer: a.initializer("kernel_initializer"),
		BiasInitializer:   a.initializer("bias_initializer"),
		KernelRegularizer: a.regularizer("kernel_regularizer"),
		BiasRegularizer:   a.regularizer("bias_regularizer"),
	}
	a.refuse("activity_regularizer", "kernel_constraint", "bias_constraint", "lora_rank", "lora_alpha", "quantization_config")
	return l
}

func (l Dense) check() error {
	if l.Units < 1 || l.Units > maxWidth {
		return &ConfigError{Name: "Dense", Key: "units", Msg: fmt.Sprintf("must be a whole number from 1 to %d, got %d", maxWidth, l.Units)}
	}
	if _, err := newActivation("Dense", l.Activation); err != nil {
		return err
	}
	return firstError(
		l.KernelInitializer.check("Dense", "kernel_initializer"),
		l.BiasInitializer.check("Dense", "bias_initializer"),
		l.KernelRegularizer.check("Dense", "kernel_regularizer"),
		l.BiasRegularizer.check("Dense", "bias_regularizer"),
	)
}

func (l Dense) build(in int, b *builder) ([]operator, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	if err := checkSize("Dense", "units", in, l.Units); err != nil {
		return nil, err
	}
	act, err := newActivation("Dense", l.Activation)
	if err != nil {
		return nil, err
	}
	o := &denseOperator{in: in, out: l.Units}
	if act.kind == "relu" {
		o.activation = kernel.ThenReLU
	}
	o.kernel = b.param("kernel", l.KernelInitializer.or("glorot_uniform"), l.KernelRegularizer, in, l.Units)
	if !l.NoBias {
		o.bias = b.param("bias", l.BiasInitializer.or("zeros"), l.BiasRegularizer, l.Units)
	}
	if act.kind == "linear" || act.kind == "relu" {
		return []operator{o}, nil
	}
	return []operator{o, &activationOperator{act, l.Units}}, nil
}

// A denseOperator computes x·W + b, with relu fused: its derivative needs the results
// alone.
type denseOperator struct {
	in, out      int
	kernel, bias *Param            // bias may be nil
	activation   kernel.Activation // relu or none
	packed       *kernel.Weights   // kernel, if the network is frozen
}

func (o *denseOperator) width() int { return o.out }

func (o *denseOperator) params() []*Param {
	if o.bias == nil {
		return []*Param{o.kernel}
	}
	return []*Param{o.kernel, o.bias}
}

func (o *denseOperator) infer(m *memory, x []float32, rows int) []float32 {
	return o.apply(m, x, rows, o.activation)
}

// apply is infer with the activation a.
func (o *denseOperator) apply(m *memory, x []float32, rows int, a kernel.Activation) []float32 {
	m.y = grow(m.y, rows*o.out)
	e := kernel.Epilogue{Activation: a}
	if o.bias != nil {
		e.Bias = o.bias.Value
	}
	y, in := kernel.Matrix(m.y, rows, o.out), kernel.Matrix(x, rows, o.in)
	if o.packed != nil {
		m.gemm.MultiplyPacked(y, in, o.packed, e)
	} else {
		m.gemm.Multiply(y, in, o.weights(), e)
	}
	return m.y
}

func (o *denseOperator) forward(m *memory, x []float32, rows int) []float32 {
	m.x = x
	return o.infer(m, x, rows)
}

func (o *denseOperator) backward(m *memory, dy []float32, rows int) []float32 {
	dy = dy[:rows*o.out]
	if o.activation == kernel.ThenReLU {
		kernel.MaskPositive(dy, dy, m.y)
	}
	x, d := kernel.Matrix(m.x, rows, o.in), kernel.Matrix(dy, rows, o.out)
	m.gemm.Multiply(kernel.Matrix(o.kernel.Grad, o.in, o.out), x.T(), d, kernel.Epilogue{})
	if o.bias != nil {
		kernel.SumColumns(o.bias.Grad, dy, rows)
	}
	if !m.inputGradient {
		return nil
	}
	m.dx = grow(m.dx, rows*o.in)
	m.gemm.Multiply(kernel.Matrix(m.dx, rows, o.in), d, o.weights().T(), kernel.Epilogue{})
	return m.dx
}

func (o *denseOperator) weights() kernel.View { return kernel.Matrix(o.kernel.Value, o.in, o.out) }
