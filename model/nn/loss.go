package nn

import "slices"

// A Loss is the configuration of a loss: a plain value such as
// MeanSquaredError{} or Huber{Delta: 1}.
//
// A crossentropy works on logits: a network's last softmax or sigmoid is left to
// it in training, and the outputs of a network without one are taken for logits.
type Loss interface {
	// Config returns the loss in its neutral form, its name in snake_case.
	Config() Config

	// check returns an error if a field is out of its range.
	check() error

	// gradient returns the loss summed over rows, each times its weight (1 if
	// w is nil), and, unless dz is nil, writes its derivative by the outputs z
	// to dz, divided by rows (Keras's sum_over_batch_size). z and dz are (rows,
	// width); y is (rows, targets(width)).
	gradient(dz, z, y, w []float32, rows, width int) float64

	// targets returns how many numbers of y belong to a row of width outputs:
	// width, or 1 for a loss on class indices.
	targets(width int) int

	// absorbs returns the name of the activation whose inputs (logits) gradient
	// takes instead of its outputs, empty if it takes the outputs.
	absorbs() string
}

// A lossKind is a kind of loss that a config can name.
type lossKind struct {
	name  string
	alias string // Keras's short name
	parse func(*arguments) Loss
}

// lossKinds returns all kinds of losses.
func lossKinds() []lossKind {
	return []lossKind{
		{"binary_crossentropy", "bce", func(a *arguments) Loss {
			return BinaryCrossentropy{LabelSmoothing: a.crossentropy()}
		}},
		{"categorical_crossentropy", "", func(a *arguments) Loss {
			return CategoricalCrossentropy{LabelSmoothing: a.crossentropy()}
		}},
		{"huber", "", func(a *arguments) Loss { return Huber{Delta: a.float("delta", 0, positive())} }},
		{"mean_absolute_error", "mae", func(*arguments) Loss { return MeanAbsoluteError{} }},
		{"mean_squared_error", "mse", func(*arguments) Loss { return MeanSquaredError{} }},
		{"sparse_categorical_crossentropy", "", func(a *arguments) Loss {
			a.refuse("ignore_class")
			return SparseCategoricalCrossentropy{LabelSmoothing: a.crossentropy()}
		}},
	}
}

// crossentropy reads the arguments of all crossentropies and returns the label
// smoothing. from_logits changes nothing: whether the outputs are logits follows
// from the network's last layer.
func (a *arguments) crossentropy() float64 {
	a.boolean("from_logits", false)
	a.lastAxis()
	return a.float("label_smoothing", 0, closedFraction())
}

// ParseLoss returns the loss that c describes, by Keras's function name
// (mean_squared_error), class name (MeanSquaredError) or short name (mse).
func ParseLoss(c Config) (Loss, error) {
	kinds, name := lossKinds(), fold(c.Name)
	i := slices.IndexFunc(kinds, func(k lossKind) bool {
		return name == fold(k.name) || k.alias != "" && name == k.alias
	})
	if i < 0 {
		names := make([]string, len(kinds))
		for i, k := range kinds {
			names[i] = k.name
		}
		return nil, &ConfigError{Name: c.Name, Msg: unknownWord("loss", c.Name, names)}
	}
	a := c.arguments()
	loss := kinds[i].parse(a)
	a.ignore("name", "dtype")
	if r := a.text("reduction"); r != "" && r != "sum_over_batch_size" && r != "auto" {
		a.fail("reduction", "must be sum_over_batch_size, got %q", r)
	}
	if err := a.done(); err != nil {
		return nil, err
	}
	return loss, nil
}

// weight returns the weight of row i.
func weight(w []float32, i int) float64 {
	if w == nil {
		return 1
	}
	return float64(w[i])
}
