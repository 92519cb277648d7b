package feature

import (
	"fmt"
	"math"
)

// A batch is the rows that operations write to a matrix: those listed, or n
// from lo on.
type batch struct {
	dst    []float32
	stride int
	frame  *Frame
	lo     int
	rows   []int
	n      int
}

// row returns the i-th row's place in the frame.
func (b *batch) row(i int) int {
	if b.rows != nil {
		return b.rows[i]
	}
	return b.lo + i
}

// An operation writes the matrix columns of one feature.
type operation interface {
	apply(b batch) error
	describe(cols []Column) []Column
}

// A source is the part that operations have in common.
type source struct {
	name      string
	title     string
	column    int // in the frame
	at        int // in the matrix
	indicator bool
}

func (s *source) missingError(b batch, i int) error {
	return &RowError{Row: b.row(i), Err: invalidf("%s: the value is missing", s.title)}
}

func (s *source) describe(cols []Column, names ...string) []Column {
	for _, n := range names {
		cols = append(cols, Column{Feature: s.name, Name: s.name + n})
	}
	if s.indicator {
		cols = append(cols, Column{Feature: s.name, Name: s.name + ".missing"})
	}
	return cols
}

// A numberOp scales a number.
type numberOp struct {
	source

	scale  steps
	fill   float64
	filled bool
}

func (o *numberOp) apply(b batch) error {
	numbers := &b.frame.columns[o.column].numbers
	if len(o.scale) != 1 || o.scale[0].log || o.scale[0].div[0] == 0 || o.indicator {
		return o.general(b, numbers)
	}
	sub, div := o.scale[0].sub[0], o.scale[0].div[0]
	dst, at := b.dst, o.at
	for i := range b.n {
		y := (numbers.at(b.frame.first+b.row(i)) - sub) / div
		if !(math.Abs(y) <= math.MaxFloat32) { // missing, or too large
			return o.general(b, numbers)
		}
		dst[at] = float32(y)
		at += b.stride
	}
	return nil
}

// general is apply for any scale, and for values that are missing or too large.
func (o *numberOp) general(b batch, numbers *chunks[float64]) error {
	for i := range b.n {
		x := numbers.at(b.frame.first + b.row(i))
		out := b.dst[i*b.stride+o.at:]
		missing := math.IsNaN(x)
		if missing {
			if !o.filled {
				return o.missingError(b, i)
			}
			x = o.fill
		}
		y := o.scale.forward(x, 0)
		if !(math.Abs(y) <= math.MaxFloat32) {
			return &RowError{Row: b.row(i), Err: scaledError(o.title, x, y)}
		}
		out[0] = float32(y)
		if o.indicator {
			out[1] = truth(missing)
		}
	}
	return nil
}

func (o *numberOp) describe(cols []Column) []Column { return o.source.describe(cols, "") }

// A vectorOp scales each position of a vector. With one affine step it works in
// float32, as the values are; otherwise in float64.
type vectorOp struct {
	source

	size     int
	scale    steps
	sub, mul []float32 // the only step, if it is affine
	fill     []float64
	filled   []float32 // fill, scaled
}

func (o *vectorOp) apply(b batch) error {
	c := b.frame.columns[o.column]
	for i := range b.n {
		x := c.vectors.row(b.frame.first + b.row(i))
		out := b.dst[i*b.stride+o.at:]
		missing := x.missing()
		if missing && o.fill == nil {
			return o.missingError(b, i)
		}
		if missing {
			copy(out, o.filled)
		} else if bad := o.write(out[:o.size], x); bad >= 0 {
			v := float64(x.at(bad))
			title := fmt.Sprintf("%s at position %d", o.title, bad)
			return &RowError{Row: b.row(i), Err: scaledError(title, v, o.scale.forward(v, bad))}
		}
		if o.indicator {
			out[o.size] = truth(missing)
		}
	}
	return nil
}

// write writes the scaled x and returns the first position where that is no
// float32, or -1.
func (o *vectorOp) write(out []float32, x vector) int {
	switch {
	case len(o.scale) == 0:
		x.copyTo(out)
		return -1
	case o.mul != nil && x.floats != nil && affine(out, x.floats, o.sub, o.mul),
		o.mul != nil && x.bytes != nil && affine(out, x.bytes, o.sub, o.mul):
		return -1
	case x.floats != nil:
		return general(o.scale, out, x.floats)
	}
	return general(o.scale, out, x.bytes)
}

// affine writes (x − sub) · mul and reports whether all of it is finite.
func affine[T uint8 | float32](out []float32, x []T, sub, mul []float32) bool {
	out, sub, mul = out[:len(x)], sub[:len(x)], mul[:len(x)]
	for j, v := range x {
		y := (float32(v) - sub[j]) * mul[j]
		if !finite32(y) {
			return false
		}
		out[j] = y
	}
	return true
}

// general writes the scaled x and returns the first position where that is no
// float32, or -1.
func general[T uint8 | float32](scale steps, out []float32, x []T) int {
	for j, v := range x {
		y := scale.forward(float64(v), j)
		if !(math.Abs(y) <= math.MaxFloat32) {
			return j
		}
		out[j] = float32(y)
	}
	return -1
}

func (o *vectorOp) describe(cols []Column) []Column {
	names := make([]string, o.size)
	for j := range names {
		names[j] = fmt.Sprintf("[%d]", j)
	}
	return o.source.describe(cols, names...)
}

// A booleanOp writes 0 or 1.
type booleanOp struct {
	source

	fill uint8 // noTruth without a policy
}

func (o *booleanOp) apply(b batch) error {
	c := b.frame.columns[o.column]
	for i := range b.n {
		x := c.truths.row(b.frame.first + b.row(i))[0]
		out := b.dst[i*b.stride+o.at:]
		missing := x == noTruth
		if missing {
			if x = o.fill; x == noTruth {
				return o.missingError(b, i)
			}
		}
		out[0] = float32(x)
		if o.indicator {
			out[1] = truth(missing)
		}
	}
	return nil
}

func (o *booleanOp) describe(cols []Column) []Column { return o.source.describe(cols, "") }

func truth(b bool) float32 {
	if b {
		return 1
	}
	return 0
}
