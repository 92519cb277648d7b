package nn

import (
	"fmt"
	"strings"
	"unicode"
)

const (
	maxWidth  = 1 << 20 // numbers in a row between two layers
	maxParams = 1 << 28 // numbers in all tensors: 1 GiB
)

// A builder names and initializes the parameters of the layer that is being
// built.
type builder struct {
	seed       uint64
	initialize bool // else the values stay zero

	// restore, if not nil, finds the values; there are no gradients then.
	restore func(name string, shape []int) ([]float32, error)

	layer  int    // place of the layer in the network
	name   string // its name: dense, dense_1
	drawn  uint64 // parameters of the layer so far
	counts map[string]int

	total int   // numbers in all tensors so far
	err   error // the first tensor that was too much, which is empty
}

// enter starts the layer at place i, of the class kind.
func (b *builder) enter(i int, kind string) {
	if b.counts == nil {
		b.counts = map[string]int{}
	}
	b.layer, b.name, b.drawn = i, snake(kind), 0
	if n := b.counts[kind]; n > 0 {
		b.name = fmt.Sprintf("%s_%d", b.name, n)
	}
	b.counts[kind]++
}

// param returns a trainable parameter, initialized by init.
func (b *builder) param(name string, init Initializer, r Regularizer, shape ...int) *Param {
	p := b.state(name, init, shape...)
	p.Grad, p.Regularizer = []float32{}, r
	if b.restore == nil {
		p.Grad = make([]float32, len(p.Value))
	}
	return p
}

// state returns a parameter that is not trained, initialized by init.
func (b *builder) state(name string, init Initializer, shape ...int) *Param {
	size := 1
	for _, n := range shape {
		size *= n
	}
	if b.total += size; b.total > maxParams && b.err == nil {
		b.err = &ConfigError{Name: b.name, Msg: fmt.Sprintf("the network has more than %d parameters", maxParams)}
	}
	if b.err != nil {
		size = 0
	}
	p := &Param{Name: b.name + "." + name, Shape: shape}
	if b.restore != nil {
		b.find(p, size)
		return p
	}
	p.Value = make([]float32, size)
	if b.initialize && b.err == nil {
		init.fill(p.Value, shape, newSource(b.seed, uint64(b.layer), b.drawn))
	}
	b.drawn++
	return p
}

// find sets the values of p, which are size numbers, to those that restore has.
func (b *builder) find(p *Param, size int) {
	if b.err != nil {
		return
	}
	p.Value, b.err = b.restore(p.Name, p.Shape)
	if b.err == nil && len(p.Value) != size {
		b.err = fmt.Errorf("restoring %s: %v needs %d numbers, got %d", p.Name, p.Shape, size, len(p.Value))
	}
}

// snake returns Keras's snake_case form of a class name.
func snake(class string) string {
	var s strings.Builder
	runes := []rune(class)
	for i, r := range runes {
		upper := unicode.IsUpper(r)
		if i > 0 && upper && (!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			s.WriteByte('_')
		}
		s.WriteRune(unicode.ToLower(r))
	}
	return s.String()
}
