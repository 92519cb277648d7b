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
// the narrowest of UINT8, FP32 and FP64 that loses nothing. It writes to the memory of
// msg.Data if there is room.
func EncodeExamples(msg *nats.Msg, f *feature.Frame, lo, hi int) error {
	if msg.Header == nil {
		msg.Header = nats.Header{}
	}
	msg.Header.Del(HeaderContentLength)
	weighted := false
	for i := lo; i < hi && !weighted; i++ {
		weighted = f.Weight(i) != 1
	}
	flat, ok := f.Floats(nil, lo, hi)
	if !ok {
		e := exampleRows{frame: f, lo: lo, hi: hi, weighted: weighted}
		return e.encode(msg)
	}
	t := exampleTensors{features: flat, width: f.Schema().Width(), rows: hi - lo, labels: make([]feature.Value, 0, hi-lo)}
	for i := lo; i < hi; i++ {
		t.labels = append(t.labels, f.Label(i))
		if weighted {
			t.weights = append(t.weights, f.Weight(i))
		}
	}
	return t.encode(msg)
}

// exampleTensors are the tensors of a batch.
type exampleTensors struct {
	features []float64 // (rows, width)
	width    int
	rows     int
	labels   []feature.Value // all of one kind: numbers, texts or booleans
	truths   []float64       // in place of labels, if they are numbers
	weights  []float64       // nil if all are 1
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

// encode writes the tensors as binary ones.
func (t *exampleTensors) encode(msg *nats.Msg) error {
	d := narrowest(t.features)
	labelType, size, err := t.labelType()
	if err != nil {
		return err
	}
	n := t.rows
	doc := slices.Grow(msg.Data[:0], len(t.features)*d.size()+size+8*len(t.weights)+256)
	doc = append(doc, `{"inputs":[`...)
	doc = appendInput(doc, inputFeatures, []int{n, t.width}, d, len(t.features)*d.size())
	doc = append(doc, ',')
	doc = appendInput(doc, inputLabels, []int{n}, labelType, size)
	if t.weights != nil {
		doc = append(doc, ',')
		doc = appendInput(doc, inputWeights, []int{n}, typeFP64, 8*n)
	}
	doc = append(doc, "]}"...)
	msg.Header.Set(HeaderContentLength, strconv.Itoa(len(doc)))
	doc = appendElements(doc, d, t.features)
	doc = appendDoubles(t.appendLabels(doc), t.truths)
	msg.Data = appendElements(doc, typeFP64, t.weights)
	return nil
}

// labelType returns the datatype of the labels and how many bytes they take.
func (t *exampleTensors) labelType() (d datatype, size int, err error) {
	d, size = typeFP64, 8*len(t.truths)
	for i := range t.labels {
		switch v := &t.labels[i]; v.Kind {
		case feature.KindNumber:
			size += 8
		case feature.KindText:
			d = typeBytes
			size += 4 + len(v.Text)
		case feature.KindBool:
			d = typeBool
			size++
		default:
			return d, 0, invalidf("row %d has no label", i)
		}
	}
	return d, size, nil
}

func (t *exampleTensors) appendLabels(b []byte) []byte {
	for i := range t.labels {
		switch v := &t.labels[i]; v.Kind {
		case feature.KindText:
			b = binary.LittleEndian.AppendUint32(b, uint32(len(v.Text))) //nolint:gosec // in memory
			b = append(b, v.Text...)
		case feature.KindBool:
			b = append(b, uint8(v.Num))
		default:
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v.Num))
		}
	}
	return b
}

// appendElements appends values as elements of d, one of what narrowest returns.
func appendElements(b []byte, d datatype, values []float64) []byte {
	if d == typeFP64 {
		return appendDoubles(b, values)
	}
	from := len(b)
	b = slices.Grow(b, len(values)*d.size())[:from+len(values)*d.size()]
	out := b[from:]
	if d == typeUint8 {
		for i, v := range values {
			out[i] = uint8(v)
		}
		return b
	}
	for i, v := range values {
		binary.LittleEndian.PutUint32(out[4*i:], math.Float32bits(float32(v)))
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

// exampleRows are rows [lo, hi) of a frame, to be written as a batch of rows.
type exampleRows struct {
	frame    *feature.Frame
	lo, hi   int
	weighted bool
}

func (e *exampleRows) encode(msg *nats.Msg) error {
	out, err := e.list(append(msg.Data[:0], `{"instances":`...), func(out []byte, row *feature.Row) ([]byte, error) {
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
func (e *exampleRows) list(out []byte, one func([]byte, *feature.Row) ([]byte, error)) ([]byte, error) {
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
