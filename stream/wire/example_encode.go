package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model/feature"
)

// EncodeExamples fills msg with rows [lo, hi) of a labelled frame as one batch,
// in the most compact form: OIP with binary tensors where every feature is a
// number or vector and nothing is missing, else rows. Features are written in
// the narrowest of UINT8, FP32 and FP64 that loses nothing.
func EncodeExamples(msg *nats.Msg, f *feature.Frame, lo, hi int) error {
	b := exampleBatch{rows: make([]feature.Row, 0, hi-lo)}
	for i := lo; i < hi; i++ {
		row := f.Row(i)
		row.Weight = f.Weight(i)
		b.weighted = b.weighted || row.Weight != 1
		b.rows = append(b.rows, row)
	}
	if msg.Header == nil {
		msg.Header = nats.Header{}
	}
	msg.Header.Del(HeaderContentLength)
	if f.Schema().Numeric() && b.flatten(f.Schema().Width()) {
		return b.encodeTensors(msg)
	}
	return b.encodeRows(msg)
}

// An exampleBatch is what one message takes.
type exampleBatch struct {
	rows     []feature.Row
	weighted bool
	flat     []float64 // (rows, width)
	width    int
}

// flatten gathers the features of all rows in b.flat and reports whether all
// are there.
func (b *exampleBatch) flatten(width int) bool {
	b.width = width
	b.flat = make([]float64, 0, len(b.rows)*width)
	for _, row := range b.rows {
		for _, v := range row.Values {
			switch v.Kind {
			case feature.KindNumber:
				b.flat = append(b.flat, v.Num)
			case feature.KindVector:
				for _, x := range v.Vector {
					b.flat = append(b.flat, float64(x))
				}
			default:
				return false
			}
		}
	}
	return len(b.flat) == len(b.rows)*width
}

// narrowest returns the smallest datatype that holds all of values.
func narrowest(values []float64) datatype {
	d := typeUint8
	for _, v := range values {
		if d == typeUint8 && (v != float64(uint8(max(0, min(v, 255)))) || math.Signbit(v)) {
			d = typeFP32
		}
		if float64(float32(v)) != v {
			return typeFP64
		}
	}
	return d
}

func (b *exampleBatch) encodeTensors(msg *nats.Msg) error {
	d := narrowest(b.flat)
	labels, labelType, err := b.labels()
	if err != nil {
		return err
	}
	n := len(b.rows)
	doc := []byte(`{"inputs":[`)
	doc = appendInput(doc, inputFeatures, []int{n, b.width}, d, len(b.flat)*d.size())
	doc = append(doc, ',')
	doc = appendInput(doc, inputLabels, []int{n}, labelType, len(labels))
	if b.weighted {
		doc = append(doc, ',')
		doc = appendInput(doc, inputWeights, []int{n}, typeFP64, 8*n)
	}
	doc = append(doc, "]}"...)
	msg.Header.Set(HeaderContentLength, strconv.Itoa(len(doc)))
	doc = slices.Grow(doc, len(b.flat)*d.size()+len(labels)+8*n)
	for _, v := range b.flat {
		doc = appendElement(doc, d, v)
	}
	doc = append(doc, labels...)
	if b.weighted {
		for _, row := range b.rows {
			doc = appendElement(doc, typeFP64, row.Weight)
		}
	}
	msg.Data = doc
	return nil
}

func appendElement(b []byte, d datatype, v float64) []byte {
	switch d { //nolint:exhaustive // what narrowest returns
	case typeUint8:
		return append(b, uint8(v))
	case typeFP32:
		return binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v)))
	}
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
}

func appendInput(b []byte, name string, shape []int, d datatype, size int) []byte {
	b = append(b, `{"name":`...)
	b = appendQuoted(b, name)
	b = append(b, `,"shape":[`...)
	for i, n := range shape {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	b = append(b, `],"datatype":"`...)
	b = append(b, d.String()...)
	b = append(b, `","parameters":{"binary_data_size":`...)
	b = strconv.AppendInt(b, int64(size), 10)
	return append(b, "}}"...)
}

// labels returns the labels as a binary tensor.
func (b *exampleBatch) labels() ([]byte, datatype, error) {
	var out []byte
	d := typeFP64
	for i, row := range b.rows {
		switch v := row.Label; v.Kind {
		case feature.KindNumber:
			out = appendElement(out, typeFP64, v.Num)
		case feature.KindText:
			d = typeBytes
			out = binary.LittleEndian.AppendUint32(out, uint32(len(v.Text))) //nolint:gosec // in memory
			out = append(out, v.Text...)
		case feature.KindBool:
			d = typeBool
			out = append(out, uint8(v.Num))
		default:
			return nil, 0, invalidf("row %d has no label", i)
		}
	}
	return out, d, nil
}

func (b *exampleBatch) encodeRows(msg *nats.Msg) error {
	out, err := b.list([]byte(`{"instances":`), func(out []byte, row *feature.Row) ([]byte, error) {
		return appendRow(out, row.Values)
	})
	if err != nil {
		return fmt.Errorf("encoding examples: %w", err)
	}
	out, err = b.list(append(out, `,"labels":`...), func(out []byte, row *feature.Row) ([]byte, error) {
		if row.Label.Kind == feature.KindMissing {
			return nil, invalidf("missing label")
		}
		return appendValue(out, row.Label)
	})
	if err == nil && b.weighted {
		out, err = b.list(append(out, `,"weights":`...), func(out []byte, row *feature.Row) ([]byte, error) {
			return appendNumber(out, row.Weight, 64)
		})
	}
	if err != nil {
		return fmt.Errorf("encoding examples: %w", err)
	}
	msg.Data = append(out, '}')
	return nil
}

// list appends a list with what one returns for each row.
func (b *exampleBatch) list(out []byte, one func([]byte, *feature.Row) ([]byte, error)) ([]byte, error) {
	out = append(out, '[')
	var err error
	for i := range b.rows {
		if i > 0 {
			out = append(out, ',')
		}
		if out, err = one(out, &b.rows[i]); err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
	}
	return append(out, ']'), nil
}
