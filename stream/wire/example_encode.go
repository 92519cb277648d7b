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
	e := newExampleEncoder(f, lo, hi)
	e.begin(msg)
	if flat, ok := f.Floats(nil, lo, hi); ok {
		return e.tensors(msg, flat, f.Schema().Width())
	}
	return e.encodeRows(msg)
}

// An exampleEncoder writes rows [lo, hi) of a frame as one message.
type exampleEncoder struct {
	frame    *feature.Frame
	lo, hi   int
	weighted bool
}

func newExampleEncoder(f *feature.Frame, lo, hi int) exampleEncoder {
	e := exampleEncoder{frame: f, lo: lo, hi: hi}
	for i := lo; i < hi && !e.weighted; i++ {
		e.weighted = f.Weight(i) != 1
	}
	return e
}

// begin removes what a message says of another body.
func (e *exampleEncoder) begin(msg *nats.Msg) {
	if msg.Header == nil {
		msg.Header = nats.Header{}
	}
	msg.Header.Del(HeaderContentLength)
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

// tensors writes features (rows, width), and labels and weights, as binary
// tensors.
func (e *exampleEncoder) tensors(msg *nats.Msg, features []float64, width int) error {
	d := narrowest(features)
	labels, labelType, err := e.labels()
	if err != nil {
		return err
	}
	n := e.hi - e.lo
	tail := len(features)*d.size() + len(labels) + 8*n
	doc := append(make([]byte, 0, tail+256), `{"inputs":[`...)
	doc = appendInput(doc, inputFeatures, []int{n, width}, d, len(features)*d.size())
	doc = append(doc, ',')
	doc = appendInput(doc, inputLabels, []int{n}, labelType, len(labels))
	if e.weighted {
		doc = append(doc, ',')
		doc = appendInput(doc, inputWeights, []int{n}, typeFP64, 8*n)
	}
	doc = append(doc, "]}"...)
	msg.Header.Set(HeaderContentLength, strconv.Itoa(len(doc)))
	doc = appendElements(doc, d, features)
	doc = append(doc, labels...)
	if e.weighted {
		for i := e.lo; i < e.hi; i++ {
			doc = binary.LittleEndian.AppendUint64(doc, math.Float64bits(e.frame.Weight(i)))
		}
	}
	msg.Data = doc
	return nil
}

// appendElements appends values as elements of d, one of what narrowest returns.
func appendElements(b []byte, d datatype, values []float64) []byte {
	from := len(b)
	b = slices.Grow(b, len(values)*d.size())[:from+len(values)*d.size()]
	out := b[from:]
	switch d { //nolint:exhaustive // what narrowest returns
	case typeUint8:
		for i, v := range values {
			out[i] = uint8(v)
		}
	case typeFP32:
		for i, v := range values {
			binary.LittleEndian.PutUint32(out[4*i:], math.Float32bits(float32(v)))
		}
	default:
		for i, v := range values {
			binary.LittleEndian.PutUint64(out[8*i:], math.Float64bits(v))
		}
	}
	return b
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
func (e *exampleEncoder) labels() ([]byte, datatype, error) {
	out := make([]byte, 0, 8*(e.hi-e.lo))
	d := typeFP64
	for i := e.lo; i < e.hi; i++ {
		switch v := e.frame.Label(i); v.Kind {
		case feature.KindNumber:
			out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v.Num))
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

func (e *exampleEncoder) encodeRows(msg *nats.Msg) error {
	out, err := e.list([]byte(`{"instances":`), func(out []byte, row *feature.Row) ([]byte, error) {
		return appendRow(out, row.Values)
	})
	if err != nil {
		return fmt.Errorf("encoding examples: %w", err)
	}
	out, err = e.list(append(out, `,"labels":`...), func(out []byte, row *feature.Row) ([]byte, error) {
		if row.Label.Kind == feature.KindMissing {
			return nil, invalidf("missing label")
		}
		return appendValue(out, row.Label)
	})
	if err == nil && e.weighted {
		out, err = e.list(append(out, `,"weights":`...), func(out []byte, row *feature.Row) ([]byte, error) {
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
func (e *exampleEncoder) list(out []byte, one func([]byte, *feature.Row) ([]byte, error)) ([]byte, error) {
	out = append(out, '[')
	var err error
	for i := e.lo; i < e.hi; i++ {
		if i > e.lo {
			out = append(out, ',')
		}
		row := e.frame.Row(i)
		if out, err = one(out, &row); err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
	}
	return append(out, ']'), nil
}
