package wire

import (
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model/feature"
)

// An ExampleBatch gathers examples of one schema and writes them as messages. As
// long as all features are finite numbers it keeps them row-major, as they are
// written; else in a frame. It is not safe for concurrent use.
type ExampleBatch struct {
	schema *feature.Schema
	width  int
	flat   []float64      // (rows, width)
	labels *feature.Frame // labels and weights of the rows in flat, without features
	frame  *feature.Frame // all rows, if it has any
}

// NewExampleBatch returns an empty batch. The schema must be valid and must not
// be changed while the batch is in use.
func NewExampleBatch(s *feature.Schema) *ExampleBatch {
	return &ExampleBatch{
		schema: s, width: s.Width(),
		labels: feature.NewFrame(&feature.Schema{Label: s.Label}, true),
		frame:  feature.NewFrame(s, true),
	}
}

// Len returns the number of examples.
func (b *ExampleBatch) Len() int { return b.labels.Len() + b.frame.Len() }

// Append adds a copy of an example; errors are those of [feature.Frame.Append],
// and leave b as it was.
func (b *ExampleBatch) Append(row feature.Row) error {
	if b.frame.Len() > 0 {
		return b.frame.Append(row)
	}
	from := len(b.flat)
	if !b.appendFlat(row.Values) {
		b.flat = b.flat[:from]
		return b.unpack(row)
	}
	if err := b.labels.Append(feature.Row{Label: row.Label, Weight: row.Weight}); err != nil {
		b.flat = b.flat[:from]
		return err
	}
	return nil
}

// appendFlat appends values to flat and reports whether all are what the schema
// has there: finite numbers, and vectors of them.
func (b *ExampleBatch) appendFlat(values []feature.Value) bool {
	if len(values) != len(b.schema.Features) {
		return false
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

// unpack moves all rows to the frame and adds row, or does neither.
func (b *ExampleBatch) unpack(row feature.Row) error {
	for i := range b.labels.Len() {
		if err := b.frame.Append(b.row(i)); err != nil {
			panic(fmt.Sprintf("wire: a row of a batch does not fit its own schema: %v", err))
		}
	}
	if err := b.frame.Append(row); err != nil {
		b.frame.Reset()
		return err
	}
	b.flat = b.flat[:0]
	b.labels.Reset()
	return nil
}

// row returns row i of those in flat.
func (b *ExampleBatch) row(i int) feature.Row {
	row := feature.Row{Values: make([]feature.Value, len(b.schema.Features)), Label: b.labels.Label(i), Weight: b.labels.Weight(i)}
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
	e := newExampleEncoder(b.labels, lo, hi)
	e.begin(msg)
	return e.tensors(msg, b.flat[lo*b.width:hi*b.width], b.width)
}

// Drop removes the first n examples and keeps the memory.
func (b *ExampleBatch) Drop(n int) {
	if b.frame.Len() > 0 {
		rest := b.rest(b.frame, n)
		b.frame.Reset()
		for _, row := range rest {
			if err := b.frame.Append(row); err != nil {
				panic(fmt.Sprintf("wire: a row of a batch does not fit its own schema: %v", err))
			}
		}
		return
	}
	rest := b.rest(b.labels, n)
	b.labels.Reset()
	for _, row := range rest {
		if err := b.labels.Append(row); err != nil {
			panic(fmt.Sprintf("wire: a label of a batch does not fit its own schema: %v", err))
		}
	}
	b.flat = slices.Delete(b.flat, 0, n*b.width)
}

// rest returns copies of the rows of f from n on.
func (b *ExampleBatch) rest(f *feature.Frame, n int) []feature.Row {
	var rows []feature.Row
	for i := n; i < f.Len(); i++ {
		row := f.Row(i)
		for k := range row.Values {
			row.Values[k].Vector = slices.Clone(row.Values[k].Vector)
		}
		rows = append(rows, row)
	}
	return rows
}
