package nn

import "math/rand/v2"

// A source draws random numbers from a seed; every layer has a stream of its own.
type source struct{ *rand.Rand }

// A Network is a sequence of layers with their parameters.
type Network struct {
	inputs int
	layers []Layer
}

// New builds a network for inputs columns and initializes its parameters from
// seed. A configuration that cannot be built is a [*ConfigError].
func New(inputs int, layers []Layer, seed uint64) (*Network, error) { panic("unbuilt") }

// Inputs returns the width of the input.
func (n *Network) Inputs() int { return n.inputs }

// Outputs returns the width of the output.
func (n *Network) Outputs() int { panic("unbuilt") }

// Layers returns the layers. Callers must not change them.
func (n *Network) Layers() []Layer { return n.layers }

// Params returns all parameters and state, in a fixed order, by reference.
func (n *Network) Params() []*Param { panic("unbuilt") }

// Logits returns whether the last activation is a softmax or sigmoid, which
// training leaves to the loss (from logits, in stable form).
func (n *Network) Logits() bool { panic("unbuilt") }

// Clone returns a deep copy.
func (n *Network) Clone() *Network { panic("unbuilt") }

// A Predictor runs a network forward with scratch memory of its own. It is not
// safe for concurrent use.
type Predictor struct{}

// NewPredictor returns a predictor of n, whose parameters must not change while
// it is in use.
func (n *Network) NewPredictor() *Predictor { panic("unbuilt") }

// Predict computes y (rows, Outputs) from x (rows, Inputs). It allocates only
// when rows is larger than ever before. A row's result does not depend on the
// other rows of the batch, to the bit.
func (p *Predictor) Predict(y, x []float32, rows int) { panic("unbuilt") }
