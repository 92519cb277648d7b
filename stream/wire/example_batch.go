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
	flat   []float64       // (rows, width)
	labels []feature.Value // of the rows in flat
	frame  *feature.Frame  // all rows, if it has any
}

// NewExampleBatch returns an empty batch. The schema must be valid and must not
// be changed while the batch is in use.
func NewExampleBatch(s *feature.Schema) *ExampleBatch {
	return &ExampleBatch{schema: s, width: s.Width(), frame: feature.NewFrame(s, true)}
}

// Len returns the number of examples.
func (b *ExampleBatch) Len() int { return len(b.labels) + b.frame.Len() }

// Append adds a copy of an example; errors are those of [feature.Frame.Append],
// and leave b as it was.
func (b *ExampleBatch) Append(row feature.Row) error {
	if b.frame.Len() > 0 {
		return b.frame.Append(row)
	}
	label, ok := b.plainLabel(&row)
	if !ok || !b.appendFlat(row.Values) {
		return b.unpack(row)
	}
	b.labels = append(b.labels, label)
	return nil
}

// plainLabel returns the label of a row as the schema has it, and whether the
// row is plain but for its features.
func (b *ExampleBatch) plainLabel(row *feature.Row) (feature.Value, bool) {
	if row.Weight != 0 && row.Weight != 1 {
		return feature.Value{}, false
	}
	v := &row.Label
	switch b.schema.Label.Type {
	case feature.Number:
		return feature.Value{Kind: feature.KindNumber, Num: v.Num}, v.Kind == feature.KindNumber && v.Num-v.Num == 0
	case feature.Boolean:
		return feature.Value{Kind: feature.KindBool, Num: v.Num}, v.Kind == feature.KindBool
	case feature.Category:
		if v.Kind != feature.KindText && v.Kind != feature.KindNumber {
			return feature.Value{}, false
		}
		text, err := v.Category()
		known := b.schema.Label.Classes
		ok := err == nil && text != "" && (len(known) == 0 || slices.Contains(known, text))
		return feature.Value{Kind: feature.KindText, Text: text}, ok
	case feature.Vector: // no label is one
	}
	return feature.Value{}, false
}

// appendFlat appends values to flat if all are what the schema has there, finite
// numbers and vectors of them, and reports whether they are.
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
	for i := range b.labels {
		b.mustAppend(b.row(i))
	}
	if err := b.frame.Append(row); err != nil {
		b.frame.Reset()
		return err
	}
	b.flat = b.flat[:0]
	b.labels = b.labels[:0]
	return nil
}

// row returns row i of those in flat.
func (b *ExampleBatch) row(i int) feature.Row {
	row := feature.Row{Values: make([]feature.Value, len(b.schema.Features)), Label: b.labels[i]}
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
	t := exampleTensors{features: b.flat[lo*b.width : hi*b.width], width: b.width, labels: b.labels[lo:hi]}
	return t.encode(msg)
}

// Drop removes the first n examples and keeps the memory.
func (b *ExampleBatch) Drop(n int) {
	if b.frame.Len() == 0 {
		b.flat = slices.Delete(b.flat, 0, n*b.width)
		b.labels = slices.Delete(b.labels, 0, n)
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

// mustAppend adds a row that was in a frame of the schema, or would fit one.
func (b *ExampleBatch) mustAppend(row feature.Row) {
	if err := b.frame.Append(row); err != nil {
		panic(fmt.Sprintf("wire: a row of a batch does not fit its own schema: %v", err))
	}
}
