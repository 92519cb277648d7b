package nn

// A Layer is the configuration of one layer: a plain value such as
// Dense{Units: 16, Activation: "relu"}. The implementations are the exported
// layer types of this package.
type Layer interface {
	// Config returns the layer in its neutral form, defaults left out.
	Config() Config

	// build makes the layer's operator for inputs of width in.
	build(in int, r *source) (operator, error)
}

// An operator computes a layer and its derivative for one network.
type operator interface {
	// width returns the output width.
	width() int

	// params returns the parameters and state in a fixed order, nil for none.
	params() []*Param
}

// ParseLayer returns the layer that c describes. Unknown names and arguments
// are errors that say which there are; Keras's arguments that change nothing
// here (name, dtype, trainable, batch_input_shape …) are accepted.
func ParseLayer(c Config) (Layer, error) { panic("unbuilt") }
