package wire

import (
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model/feature"
)

// An ExampleBatch gathers examples of one schema and writes them as messages. As
// long as all are plain it keeps them row-major, as they are written; else in a
// frame. Plain are finite numbers of the features, a label, and no weight but 1.
// It is not safe for concurrent use.
type ExampleBatch struct {
	schema *feature.Schema
	width  int
	scalar bool            // all features are of type Number
	flat   []float64       // (rows, width)
	labels []feature.Value // of the rows in flat, unless they are numbers
	truths []float64       // of the rows in flat, if they are
	frame  *feature.Frame  // all rows, if it has any
}

// NewExampleBatch returns an empty batch. The schema must be valid and must not
// be changed while the batch is in use.
func NewExampleBatch(s *feature.Schema) *ExampleBatch {
	scalar := !slices.ContainsFunc(s.Features, func(f feature.Feature) bool { return f.Type != feature.Number })
	return &ExampleBatch{schema: s, width: s.Width(), scalar: scalar, frame: feature.NewFrame(s, true)}
}

// Len returns the number of examples.
func (b *ExampleBatch) Len() int { return b.plain() + b.frame.Len() }

// plain returns how many rows there are in flat.
func (b *ExampleBatch) plain() int { return len(b.labels) + len(b.truths) }

// Append adds a copy of an example; errors are those of [feature.Frame.Append],
// and leave b as it was.
func (b *ExampleBatch) Append(row feature.Row) error {
	if b.frame.Len() > 0 {
		return b.frame.Append(row)
	}
	if !b.appendLabel(&row) {
		return b.unpack(row)
	}
	if !b.appendFlat(row.Values) {
		b.labels, b.truths = b.labels[:max(len(b.labels)-1, 0)], b.truths[:max(len(b.truths)-1, 0)]
		return b.unpack(row)
	}
	return nil
}

// appendLabel appends the label of a row as the schema has it, if the row is plain but
// for its features, and reports whether it is.
func (b *ExampleBatch) appendLabel(row *feature.Row) bool {
	if row.Weight != 0 && row.Weight != 1 {
		return false
	}
	v := &row.Label
	switch b.schema.Label.Type {
	case feature.Number:
		if v.Kind != feature.KindNumber || v.Num-v.Num != 0 { // not finite
			return false
		}
		b.truths = append(b.truths, v.Num)
	case feature.Boolean:
		if v.Kind != feature.KindBool {
			return false
		}
		b.labels = append(b.labels, feature.Value{Kind: feature.KindBool, Num: v.Num})
	case feature.Category:
		if v.Kind != feature.KindText && v.Kind != feature.KindNumber {
			return false
		}
		text, err := v.Category()
		known := b.schema.Label.Classes
		if err != nil || text == "" || len(known) > 0 && !slices.Contains(known, text) {
			return false
		}
		b.labels = append(b.labels, feature.Value{Kind: feature.KindText, Text: text})
	case feature.Vector: // no label is one
		return false
	}
	return true
}

// appendFlat appends values to flat if all are what the schema has there, finite
// numbers and vectors of them, and reports whether they are.
func (b *ExampleBatch) appendFlat(values []feature.Value) bool {
	if len(values) != len(b.schema.Features) {
		return false
	}
	if b.scalar {
		return b.appendNumbers(values)
	}
	flat := b.flat
	for i := range values {
		v := &values[i]
		switch f := &b.schema.Features[i]; {
		case f.Type == feature.Number && v.Kind == feature.KindNumber:
			if v.Num-v.Num != 0 { // not finite
				return false
			}
			flat = append(flat, v.Num)
		case f.Type == feature.Vector && v.Kind == feature.KindVector && len(v.Vector) == f.Size:
			for _, x := range v.Vector {
				if x-x != 0 {
					return false
				}
				flat = append(flat, float64(x))
			}
		default:
			return false
		}
	}
	b.flat = flat
	return true
}

// appendNumbers is appendFlat for numbers alone, which most examples are.
func (b *ExampleBatch) appendNumbers(values []feature.Value) bool {
	from := len(b.flat)
	flat := slices.Grow(b.flat, len(values))[:from+len(values)]
	row := flat[from:]
	values = values[:len(row)]
	off := 0.0 // NaN if a number is not finite
	var kinds feature.Kind
	for i := range row {
		v := &values[i]
		kinds |= v.Kind ^ feature.KindNumber
		off += v.Num - v.Num
		row[i] = v.Num
	}
	if kinds != 0 || off != 0 {
		return false
	}
	b.flat = flat
	return true
}

// unpack moves all rows to the frame and adds row, or does neither.
func (b *ExampleBatch) unpack(row feature.Row) error {
	for i := range b.plain() {
		b.mustAppend(b.row(i))
	}
	if err := b.frame.Append(row); err != nil {
		b.frame.Reset()
		return err
	}
	b.flat, b.labels, b.truths = b.flat[:0], b.labels[:0], b.truths[:0]
	return nil
}

// row returns row i of those in flat.
func (b *ExampleBatch) row(i int) feature.Row {
	row := feature.Row{Values: make([]feature.Value, len(b.schema.Features))}
	if len(b.truths) > 0 {
		row.Label = feature.Value{Kind: feature.KindNumber, Num: b.truths[i]}
	} else {
		row.Label = b.labels[i]
	}
	at := i * b.width
	for k := range b.schema.Features {
		f := &b.schema.Features[k]
		if f.Type == feature.Number {
			row.Values[k] = feature.Value{Kind: feature.KindNumber, Num: b.flat[at]}
			at++
			continue
		}
		x := make([]float32, f.Size)
		for j := range x {
			x[j] = float32(b.flat[at+j])
		}
		row.Values[k] = feature.Value{Kind: feature.KindVector, Vector: x}
		at += f.Size
	}
	return row
}

// Encode fills msg with examples [lo, hi), as [EncodeExamples] does.
func (b *ExampleBatch) Encode(msg *nats.Msg, lo, hi int) error {
	if b.frame.Len() > 0 {
		return EncodeExamples(msg, b.frame, lo, hi)
	}
	if msg.Header == nil {
		msg.Header = nats.Header{}
	}
	msg.Header.Del(HeaderContentLength)
	t := exampleTensors{features: b.flat[lo*b.width : hi*b.width], width: b.width, rows: hi - lo}
	if len(b.truths) > 0 {
		t.truths = b.truths[lo:hi]
	} else {
		t.labels = b.labels[lo:hi]
	}
	return t.encode(msg)
}

// Drop removes the first n examples and keeps the memory.
func (b *ExampleBatch) Drop(n int) {
	if b.frame.Len() == 0 {
		b.flat = drop(b.flat, n*b.width)
		b.labels = drop(b.labels, min(n, len(b.labels)))
		b.truths = drop(b.truths, min(n, len(b.truths)))
		return
	}
	var rest []feature.Row
	for i := n; i < b.frame.Len(); i++ {
		row := b.frame.Row(i)
		for k := range row.Values {
			row.Values[k].Vector = slices.Clone(row.Values[k].Vector)
		}
		rest = append(rest, row)
	}
	b.frame.Reset()
	for _, row := range rest {
		b.mustAppend(row)
	}
}

// drop removes the first n of list. What is left behind the rest is written anew soon.
func drop[T any](list []T, n int) []T { return list[:copy(list, list[n:])] }

// mustAppend adds a row that was in a frame of the schema, or would fit one.
func (b *ExampleBatch) mustAppend(row feature.Row) {
	if err := b.frame.Append(row); err != nil {
		panic(fmt.Sprintf("wire: a row of a batch does not fit its own schema: %v", err))
	}
}
