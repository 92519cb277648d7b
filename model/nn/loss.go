package nn

// A Loss is the configuration of a loss: a plain value such as
// MeanSquaredError{} or Huber{Delta: 1}.
type Loss interface {
	// Config returns the loss in its neutral form, its name in snake_case.
	Config() Config

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

// ParseLoss returns the loss that c describes.
func ParseLoss(c Config) (Loss, error) { panic("unbuilt") }
