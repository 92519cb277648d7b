package nn

// ParseLayer returns the layer that c describes. Unknown names and arguments
// are errors that say which there are; Keras's arguments that change nothing
// here (name, dtype, trainable, batch_input_shape …) are accepted.
func ParseLayer(c Config) (Layer, error) { panic("unbuilt") }
