package kernel

// An Activation is a function that a product applies to its sums.
type Activation uint8

// The activations that a product knows; the zero value is none.
const (
	ThenReLU Activation = iota + 1
	ThenSigmoid
	ThenTanh
	ThenGELU
)

// activate applies a to y.
func activate(a Activation, y []float32) {
	switch a {
	case ThenReLU:
		ReLU(y, y)
	case ThenSigmoid:
		Sigmoid(y, y)
	case ThenTanh:
		Tanh(y, y)
	case ThenGELU:
		GELU(y, y)
	}
}

// An Epilogue is what a product does with each element of C besides the sum.
// The zero value overwrites C with the product.
type Epilogue struct {
	// Accumulate starts the sums from what C holds, else they start from Bias.
	Accumulate bool

	// Bias, if not nil, is where the sums of every row start; it has as many
	// elements as C has columns. It must be nil if Accumulate is set.
	Bias []float32

	// Activation is applied to the sums.
	Activation Activation
}
