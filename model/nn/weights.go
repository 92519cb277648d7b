package nn

import "slices"

// weights are the trainable parameters of a network with their values, and their
// gradients, end to end in memory: a step is one loop over all of them, however
// many tensors there are. Without memory, as [StateShapes] has them, their slots
// have none either.
type weights struct {
	params      []*Param
	value, grad []float32
}

// newWeights moves the values and gradients of params to memory of its own.
func newWeights(params []*Param) *weights {
	n := 0
	for _, p := range params {
		n += len(p.Value)
	}
	w := &weights{params: params, value: make([]float32, 0, n), grad: make([]float32, 0, n)}
	for _, p := range params {
		begin := len(w.value)
		w.value, w.grad = append(w.value, p.Value...), append(w.grad, p.Grad[:len(p.Value)]...)
		end := len(w.value)
		p.Value, p.Grad = w.value[begin:end:end], w.grad[begin:end:end]
	}
	return w
}

// A slot is what an optimizer keeps for every weight, such as a moment. The zero
// value is a slot that it does not have.
type slot struct {
	value  []float32
	params []*Param // value by parameter, by reference
}

// part returns what s keeps for the weights [lo, hi), nil if it has no values.
func (s slot) part(lo, hi int) []float32 {
	if s.value == nil {
		return nil
	}
	return s.value[lo:hi]
}

// slot returns a zeroed slot, whose parts are named after the parameters:
// "dense.kernel.velocity" for the slot "velocity" of "dense.kernel".
func (w *weights) slot(name string) slot {
	s := slot{value: make([]float32, len(w.value))}
	begin := 0
	for _, p := range w.params {
		part := &Param{Name: p.Name + "." + name, Shape: slices.Clone(p.Shape)}
		if len(w.value) > 0 {
			end := begin + len(p.Value)
			part.Value = s.value[begin:end:end]
			begin = end
		}
		s.params = append(s.params, part)
	}
	return s
}
