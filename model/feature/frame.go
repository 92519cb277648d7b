package feature

// Kind says what a [Value] holds.
type Kind uint8

// The kinds of values.
const (
	KindMissing Kind = iota
	KindNumber
	KindText
	KindBool
	KindVector
	KindCell // text of a file without types, such as a CSV cell: converted to the column's type
)

// A Value is one cell of a row as it was received, not yet checked against a
// schema. The zero Value is missing.
type Value struct {
	Kind   Kind
	Num    float64   // KindNumber; 0 or 1 with KindBool
	Text   string    // KindText, KindCell
	Vector []float32 // KindVector
}

// A Row is one instance or example. Values stand in schema order.
type Row struct {
	Values []Value
	Label  Value   // missing for an instance
	Weight float64 // of the example; an unlabelled frame ignores it
}

// A Frame holds rows in typed columns. Number columns are float64, vector
// columns float32 (Size a row), category columns indices into the strings
// seen by this frame.
type Frame struct {
	schema *Schema
}

// NewFrame returns an empty frame. With labels, every row must have one.
func NewFrame(s *Schema, labels bool) *Frame { panic("unbuilt") }

// Schema returns the frame's schema.
func (f *Frame) Schema() *Schema { return f.schema }

// Labeled reports whether rows carry labels.
func (f *Frame) Labeled() bool { panic("unbuilt") }

// Len returns the number of rows.
func (f *Frame) Len() int { panic("unbuilt") }

// Reset empties f and keeps its memory.
func (f *Frame) Reset() { panic("unbuilt") }

// Truncate drops all rows from n on, 0 ≤ n ≤ Len.
func (f *Frame) Truncate(n int) { panic("unbuilt") }

// Append adds a copy of the row. If a value is of the wrong kind, not finite,
// or missing where the schema has no policy for it, Append returns an error
// that wraps [ErrInvalid] and names the column and the value, and f is as it
// was. (An unknown category is noticed by [Pipeline.Transform].)
func (f *Frame) Append(row Row) error { panic("unbuilt") }

// AppendFlat adds rows of an all-numeric schema ([Schema.Numeric]) from a
// row-major matrix (rows, Width) without allocating once f has grown; the
// labels are missing, so f must be unlabelled. Errors are as for Append.
func (f *Frame) AppendFlat(rows int, flat []float32) error { panic("unbuilt") }

// Range returns a view of rows [lo, hi) that shares memory with f.
func (f *Frame) Range(lo, hi int) *Frame { panic("unbuilt") }

// Row returns row i as it was appended, for messages and for writing it out.
func (f *Frame) Row(i int) Row { panic("unbuilt") }

// Weight returns the weight of row i, 1 where none was given.
func (f *Frame) Weight(i int) float64 { panic("unbuilt") }
