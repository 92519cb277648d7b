package nn

import "slices"

// A layerKind is a kind of layer that a config can name.
type layerKind struct {
	name  string
	parse func(*arguments) Layer
}

func layerOf[T Layer](name string, parse func(*arguments) T) layerKind {
	return layerKind{name, func(a *arguments) Layer { return parse(a) }}
}

// layerKinds returns all kinds of layers.
func layerKinds() []layerKind {
	return []layerKind{
		layerOf("Activation", parseActivation),
		layerOf("BatchNormalization", parseBatchNormalization),
		layerOf("Dense", parseDense),
		layerOf("Dropout", parseDropout),
		layerOf("ELU", parseELU),
		layerOf("Embedding", parseEmbedding),
		layerOf("Flatten", parseFlatten),
		layerOf("InputLayer", parseInputLayer),
		layerOf("LayerNormalization", parseLayerNormalization),
		layerOf("LeakyReLU", parseLeakyReLU),
		layerOf("ReLU", parseReLU),
		layerOf("Softmax", parseSoftmax),
	}
}

// ParseLayer returns the layer that c describes. Unknown names and arguments
// are errors that say which there are; Keras's arguments that change nothing
// here (name, dtype, trainable, batch_input_shape …) are accepted, those that
// would change something only with the value that changes nothing.
func ParseLayer(c Config) (Layer, error) {
	kinds := layerKinds()
	i := slices.IndexFunc(kinds, func(k layerKind) bool { return k.name == c.Name })
	if i < 0 {
		names := make([]string, len(kinds))
		for i, k := range kinds {
			names[i] = k.name
		}
		return nil, &ConfigError{Name: c.Name, Msg: unknownWord("layer", c.Name, names)}
	}
	a := c.arguments()
	layer := kinds[i].parse(a)
	a.ignore("name", "dtype", "batch_input_shape", "batch_shape", "input_shape", "build_config")
	if !a.boolean("trainable", true) {
		a.fail("trainable", "must be true, got false: layers cannot be frozen")
	}
	if err := a.done(); err != nil {
		return nil, err
	}
	if err := layer.check(); err != nil {
		return nil, err
	}
	return layer, nil
}
