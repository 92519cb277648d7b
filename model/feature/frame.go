package feature

import (
	"fmt"
	"math"
	"slices"
)

// A Frame holds rows in typed columns. Number columns are float64, vector
// columns float32 (Size a row), category columns indices into the strings
// seen by this frame. Columns grow in pieces of at most 256 KiB (or one row), so
// that appending never holds a second copy of the rows. A piece of vectors that
// are all whole numbers from 0 to 255 takes a byte a number; with other numbers
// it has up to 512 KiB.
type Frame struct {
	schema  *Schema
	columns []*column
	label   *column          // nil in an unlabelled frame
	weights *chunks[float64] // nil in an unlabelled frame
	first   int              // the first row of a view
	rows    int
	view    bool
}

// NewFrame returns an empty frame. With labels, every row must have one: no empty
// class, and where the schema lists classes, one of them. The schema must be valid and must not be changed while the frame is in use.
func NewFrame(s *Schema, labels bool) *Frame {
	f := &Frame{schema: s, columns: make([]*column, len(s.Features))}
	for i := range s.Features {
		ft := &s.Features[i]
		allowed := ft.Missing != "" && ft.Missing != MissingError
		f.columns[i] = newColumn(ft.title(), ft.Type, ft.Size, allowed)
	}
	if labels {
		f.label = newColumn(s.Label.title(), s.Label.Type, 1, false)
		f.label.classes, f.label.nonempty = s.Label.Classes, true
		w := newChunks[float64](1, 8)
		f.weights = &w
	}
	return f
}

// Schema returns the frame's schema.
func (f *Frame) Schema() *Schema { return f.schema }

// Labeled reports whether rows carry labels.
func (f *Frame) Labeled() bool { return f.label != nil }

// Len returns the number of rows.
func (f *Frame) Len() int { return f.rows }

// Reset empties f and keeps its memory.
func (f *Frame) Reset() {
	f.rows = 0
	if f.view {
		return
	}
	for _, c := range f.columns {
		c.reset()
	}
	if f.label != nil {
		f.label.reset()
	}
}

// Truncate drops all rows from n on, 0 ≤ n ≤ Len.
func (f *Frame) Truncate(n int) {
	if n < 0 || n > f.rows {
		panic(fmt.Sprintf("feature: truncating a frame of %d rows to %d", f.rows, n))
	}
	f.rows = n
}

// Append adds a copy of the row. If a value is of the wrong kind, not finite,
// or missing where the schema has no policy for it, Append returns an error
// that wraps [ErrInvalid] and names the column and the value, and f is as it
// was. (An unknown category is noticed by [Pipeline.Transform].)
func (f *Frame) Append(row Row) error {
	if f.view {
		return invalidf("a view of a frame takes no rows")
	}
	if len(row.Values) != len(f.columns) {
		return invalidf("got %d values: %d features are due", len(row.Values), len(f.columns))
	}
	for i, c := range f.columns {
		if err := c.set(f.rows, &row.Values[i]); err != nil {
			return err
		}
	}
	if f.label != nil {
		if err := f.label.set(f.rows, &row.Label); err != nil {
			return err
		}
		if !(row.Weight >= 0) || math.IsInf(row.Weight, 0) {
			return invalidf("got weight %v: a finite number above 0 is due", row.Weight)
		}
		w := row.Weight
		if w == 0 {
			w = 1
		}
		f.weights.grow(f.rows)[0] = w
	}
	f.rows++
	return nil
}

// AppendFlat adds rows of an all-numeric schema ([Schema.Numeric]) from a
// row-major matrix (rows, Width) without allocating once f has grown; the
// labels are missing, so f must be unlabelled. Errors are as for Append, those
// about a value within a [*RowError].
func (f *Frame) AppendFlat(rows int, flat []float32) error {
	width := f.schema.Width()
	switch {
	case f.view:
		return invalidf("a view of a frame takes no rows")
	case f.label != nil:
		return invalidf("rows of a labelled frame need a label")
	case !f.schema.Numeric():
		return invalidf("a matrix was given: the schema has features that are neither number nor vector")
	case rows < 0 || width == 0 || len(flat)%width != 0 || len(flat)/width != rows:
		return invalidf("got %d numbers: %d rows of %d are due", len(flat), rows, width)
	}
	at := 0
	for _, c := range f.columns {
		for i := range rows {
			from := i*width + at
			if err := c.setFlat(f.rows+i, flat[from:from+c.size]); err != nil {
				return &RowError{Row: i, Err: err}
			}
		}
		at += c.size
	}
	f.rows += rows
	return nil
}

// Range returns a view of rows [lo, hi) that shares memory with f. A view takes
// no rows, and truncating it leaves f alone.
func (f *Frame) Range(lo, hi int) *Frame {
	if lo < 0 || hi < lo || hi > f.rows {
		panic(fmt.Sprintf("feature: range [%d, %d) of a frame of %d rows", lo, hi, f.rows))
	}
	v := *f
	v.first, v.rows, v.view = f.first+lo, hi-lo, true
	return &v
}

// Row returns row i with its values in the types of their columns (a CSV cell
// of a number feature is a number), for messages and for writing it out. A
// vector may share memory with f.
func (f *Frame) Row(i int) Row {
	f.check(i)
	r := Row{Values: make([]Value, len(f.columns))}
	for j, c := range f.columns {
		r.Values[j] = c.value(f.first + i)
	}
	if f.label != nil {
		r.Label = f.label.value(f.first + i)
		r.Weight = f.Weight(i)
	}
	return r
}

// Floats appends the features of rows [lo, hi) to dst, row-major (hi−lo, Width),
// and reports whether it could: every feature is a number or vector, and no
// value is missing.
func (f *Frame) Floats(dst []float64, lo, hi int) ([]float64, bool) {
	if lo < 0 || hi < lo || hi > f.rows {
		panic(fmt.Sprintf("feature: floats of rows [%d, %d) of a frame of %d rows", lo, hi, f.rows))
	}
	if !f.schema.Numeric() {
		return dst, false
	}
	width, n := f.schema.Width(), hi-lo
	from := len(dst)
	dst = slices.Grow(dst, n*width)[:from+n*width]
	at := from
	for _, c := range f.columns {
		if !c.spread(dst[at:], width, f.first+lo, n) {
			return dst[:from], false
		}
		at += c.size
	}
	return dst, true
}

// Label returns the label of row i of a labelled frame. Its text may share
// memory with f.
func (f *Frame) Label(i int) Value {
	f.check(i)
	if f.label == nil {
		return Value{}
	}
	return f.label.value(f.first + i)
}

// Weight returns the weight of row i, 1 where none was given.
func (f *Frame) Weight(i int) float64 {
	f.check(i)
	if f.weights == nil {
		return 1
	}
	return f.weights.row(f.first + i)[0]
}

func (f *Frame) check(i int) {
	if i < 0 || i >= f.rows {
		panic(fmt.Sprintf("feature: row %d of a frame of %d rows", i, f.rows))
	}
}

// Number returns the number in row i of a number column, or 0 or 1 in that of a
// boolean one, and whether there is one: it is false for a missing value and for
// columns of other types. Columns are counted as the schema's features.
func (f *Frame) Number(column, i int) (x float64, ok bool) {
	f.check(i)
	switch c := f.columns[column]; c.kind {
	case Number:
		x = c.numbers.row(f.first + i)[0]
		return x, !math.IsNaN(x)
	case Boolean:
		truth := c.truths.row(f.first + i)[0]
		return float64(truth), truth != noTruth
	case Category, Vector:
	}
	return 0, false
}

// Category returns the category in row i of a category column and whether there
// is one. The text is the frame's own.
func (f *Frame) Category(column, i int) (word string, ok bool) {
	f.check(i)
	c := f.columns[column]
	if c.kind != Category {
		return "", false
	}
	code := c.codes.row(f.first + i)[0]
	if code == noCode {
		return "", false
	}
	return c.words[code], true
}

// Vector writes the vector in row i of a vector column to dst, which must have
// its size, and reports whether there is one.
func (f *Frame) Vector(dst []float64, column, i int) bool {
	f.check(i)
	c := f.columns[column]
	return c.kind == Vector && c.floats(dst[:c.size], f.first+i)
}
