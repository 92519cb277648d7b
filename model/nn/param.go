package nn

// A Param is one named tensor of a network.
type Param struct {
	Name  string // "dense.kernel", "dense_1.bias", as Keras numbers layers of a kind
	Shape []int
	Value []float32
	Grad  []float32 // nil for state that is not trained, such as moving means

	// Regularizer adds to the loss; the zero value is none.
	Regularizer Regularizer
}

// Trainable reports whether an optimizer updates p.
func (p *Param) Trainable() bool { return p.Grad != nil }
