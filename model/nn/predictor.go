package nn

import "github.com/modelbus/modelbus/model/kernel"

// A Predictor runs a network forward with scratch memory of its own. It is not
// safe for concurrent use.
type Predictor struct {
	network  *Network
	memories []memory
	gemm     kernel.Gemm
}

// NewPredictor returns a predictor of n, whose parameters must not change while
// a prediction runs.
func (n *Network) NewPredictor() *Predictor {
	p := &Predictor{network: n, memories: make([]memory, len(n.operators))}
	for i := range p.memories {
		p.memories[i].gemm = &p.gemm
	}
	return p
}

// Predict computes y (rows, Outputs) from x (rows, Inputs). It allocates only
// when rows is larger than ever before. A row's result does not depend on the
// other rows of the batch, to the bit. It panics if x or y is too short.
func (p *Predictor) Predict(y, x []float32, rows int) {
	checkShape("Predict: y", y, rows, p.network.outputs)
	copy(y, p.run(x, rows, false)[:rows*p.network.outputs])
}

// run returns the outputs for x, before the last activation if fromLogits,
// valid until the next call. It may return x.
func (p *Predictor) run(x []float32, rows int, fromLogits bool) []float32 {
	checkShape("Predict: x", x, rows, p.network.inputs)
	operators := p.network.operators
	if fromLogits {
		operators = operators[:len(operators)-1]
	}
	for i := 0; i < len(operators); i++ {
		m := &p.memories[i]
		if d, ok := operators[i].(*denseOperator); ok && d.activation == 0 && i+1 < len(operators) {
			if a := fused(operators[i+1]); a != 0 {
				x = d.apply(m, x, rows, a)
				i++
				continue
			}
		}
		x = operators[i].infer(m, x, rows)
	}
	return x
}

// fused returns the activation that op is, if a product can apply it, else 0.
func fused(op operator) kernel.Activation {
	if a, ok := op.(*activationOperator); ok {
		switch a.kind {
		case "relu":
			return kernel.ThenReLU
		case "sigmoid":
			return kernel.ThenSigmoid
		case "tanh":
			return kernel.ThenTanh
		case "gelu":
			return kernel.ThenGELU
		}
	}
	return 0
}
