package nn

// A Loss is the configuration of a loss: a plain value such as
// MeanSquaredError{} or Huber{Delta: 1}.
type Loss interface {
	// Config returns the loss in its neutral form, its name in snake_case.
	Config() Config

	// gradient returns the loss summed over rows, each times its weight (1 if
	// w is nil), and writes its derivative by the outputs z to dz, divided by
	// rows (Keras's sum_over_batch_size). z and dz are (rows, width); y is
	// (rows, width), or (rows, 1) class indices for a sparse loss.
	gradient(dz, z, y, w []float32, rows, width int) float64

	// targets returns how many numbers of y belong to a row of width outputs.
	targets(width int) int
}

// ParseLoss returns the loss that c describes.
func ParseLoss(c Config) (Loss, error) { panic("unbuilt") }
