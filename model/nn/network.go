package nn

import (
	"fmt"
	"slices"

	"github.com/modelbus/modelbus/model/kernel"
)

// A Network is a sequence of layers with their parameters.
type Network struct {
	inputs    int
	outputs   int
	layers    []Layer
	operators []operator
	params    []*Param
}

// New builds a network for inputs columns and initializes its parameters from
// seed. Every parameter draws from a stream of its own, named by the seed, the
// layer's place and the parameter's place in it. A configuration that cannot be
// built is a [*ConfigError].
func New(inputs int, layers []Layer, seed uint64) (*Network, error) {
	return build(inputs, layers, &builder{seed: seed, initialize: true})
}

// Restore builds a network whose parameters and state lie where value finds them,
// by name and shape, in the order of Params. They are used in place and never
// written. The network has no gradients, as after [Network.Freeze]. An
// error of value ends the building and is returned.
func Restore(inputs int, layers []Layer, value func(name string, shape []int) ([]float32, error)) (*Network, error) {
	return build(inputs, layers, &builder{restore: value})
}

func build(inputs int, layers []Layer, b *builder) (*Network, error) {
	if inputs < 1 || inputs > maxWidth {
		return nil, &ConfigError{Name: "network", Key: "inputs", Msg: fmt.Sprintf("must be from 1 to %d, got %d", maxWidth, inputs)}
	}
	n := &Network{inputs: inputs, outputs: inputs, layers: slices.Clone(layers)}
	for i, layer := range layers {
		if layer == nil {
			return nil, &ConfigError{Name: "network", Msg: fmt.Sprintf("layer %d is nil", i+1)}
		}
		b.enter(i, layer.Config().Name)
		operators, err := layer.build(n.outputs, b)
		if err == nil {
			err = b.err
		}
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", i+1, err)
		}
		for _, op := range operators {
			n.operators = append(n.operators, op)
			n.params = append(n.params, op.params()...)
			n.outputs = op.width()
		}
	}
	return n, nil
}

// Inputs returns the width of the input.
func (n *Network) Inputs() int { return n.inputs }

// Outputs returns the width of the output.
func (n *Network) Outputs() int { return n.outputs }

// Layers returns the layers. Callers must not change them.
func (n *Network) Layers() []Layer { return n.layers }

// Params returns all parameters and state, in a fixed order, by reference.
func (n *Network) Params() []*Param { return n.params }

// Logits returns whether the last activation is a softmax or sigmoid, which
// training leaves to the loss (from logits, in stable form).
func (n *Network) Logits() bool {
	last := n.finalActivation()
	return last == "softmax" || last == "sigmoid"
}

// finalActivation returns the name of the activation that the network ends
// with, empty if it ends with something else.
func (n *Network) finalActivation() string {
	if len(n.operators) == 0 {
		return ""
	}
	if last, ok := n.operators[len(n.operators)-1].(*activationOperator); ok {
		return last.kind
	}
	return ""
}

// fromLogits reports whether loss takes the outputs before the network's last
// activation, which must then be left out by forward. A loss with a field out of
// range and a crossentropy behind an activation that is not its own are
// [*ConfigError]s.
func (n *Network) fromLogits(loss Loss) (bool, error) {
	if err := loss.check(); err != nil {
		return false, err
	}
	last, own := n.finalActivation(), loss.absorbs()
	if own == "" || last != "softmax" && last != "sigmoid" {
		return false, nil
	}
	if last != own {
		return false, &ConfigError{
			Name: loss.Config().Name,
			Msg:  fmt.Sprintf("goes with a last activation of %s, or with outputs that are logits; the network ends with %s", own, last),
		}
	}
	return true, nil
}

// Clone returns a deep copy.
func (n *Network) Clone() *Network {
	clone, err := build(n.inputs, n.layers, &builder{})
	if err != nil {
		panic(fmt.Sprintf("nn: cloning a network that was built: %v", err))
	}
	for i, p := range n.params {
		copy(clone.params[i].Value, p.Value)
		copy(clone.params[i].Grad, p.Grad)
	}
	return clone
}

// packedWeights bounds the numbers that a network lays out again for predictions:
// 128 MiB of them.
const packedWeights = 32 << 20

// Freeze prepares n for predictions alone: it frees the gradients, as large as the
// parameters, and lays the weights of the first layers out for the kernels, up to
// 128 MiB of them; larger networks use the rest in place. The parameters must not
// change afterwards, nor move without another Freeze, and n must not be given to a
// trainer; a clone may. No prediction may run meanwhile.
func (n *Network) Freeze() {
	for _, p := range n.params {
		if p.Trainable() {
			p.Grad = []float32{}
		}
	}
	left := packedWeights
	for _, op := range n.operators {
		if d, ok := op.(*denseOperator); ok && len(d.kernel.Value) <= left {
			left -= len(d.kernel.Value)
			d.packed = kernel.PackWeights(d.weights())
		}
	}
}

// penalty returns the sum of all regularizers.
func (n *Network) penalty() float64 {
	sum := 0.0
	for _, p := range n.params {
		sum += p.Regularizer.penalty(p.Value)
	}
	return sum
}

// addPenaltyGradients adds the derivatives of all regularizers to the gradients.
func (n *Network) addPenaltyGradients() {
	for _, p := range n.params {
		if p.Trainable() {
			p.Regularizer.addGradient(p.Grad, p.Value)
		}
	}
}
