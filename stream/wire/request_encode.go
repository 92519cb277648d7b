package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model/feature"
)

// inputRows is the name of the input that holds whole rows.
const inputRows = "input"

// EncodeRequest fills header and body of msg with a prediction request of form
// for rows [lo, hi) of f. The tensors of the two forms of the Open Inference
// Protocol are one input of all features where those are numbers and vectors, else
// one input a feature; numbers are FP32, rounded. A binary request asks for
// binary answers. A missing value, which tensors cannot express, is an error
// that wraps [ErrInvalid], as is a number out of FP32's range.
func EncodeRequest(msg *nats.Msg, form Form, f *feature.Frame, lo, hi int) error {
	msg.Header.Del(HeaderContentLength)
	if form == FormRows {
		body, err := EncodeInstances(f, lo, hi)
		msg.Data = body
		return err
	}
	columns, err := requestColumns(f, lo, hi)
	if err != nil {
		return fmt.Errorf("encoding a request: %w", err)
	}
	doc := []byte(`{"inputs":[`)
	for i := range columns {
		if i > 0 {
			doc = append(doc, ',')
		}
		doc = columns[i].append(doc, hi-lo, form)
	}
	doc = append(doc, ']')
	if form == FormBinary {
		doc = append(doc, `,"parameters":{"binary_data_output":true}}`...)
		if msg.Header == nil {
			msg.Header = nats.Header{}
		}
		msg.Header.Set(HeaderContentLength, strconv.Itoa(len(doc)))
		for i := range columns {
			doc = append(doc, columns[i].raw...)
		}
		msg.Data = doc
		return nil
	}
	msg.Data = append(doc, '}')
	return nil
}

// A requestColumn is one input tensor, as JSON values and as binary.
type requestColumn struct {
	name     string
	datatype datatype
	width    int
	text     []byte // the values, with commas between them
	raw      []byte
}

// requestColumns returns the inputs for rows [lo, hi) of f.
func requestColumns(f *feature.Frame, lo, hi int) ([]requestColumn, error) {
	s := f.Schema()
	whole := s.Numeric()
	columns := []requestColumn{{name: inputRows, datatype: typeFP32, width: s.Width()}}
	if whole {
		for { // a feature's name would mean that feature alone
			if _, taken := s.Index(columns[0].name); !taken {
				break
			}
			columns[0].name += "_"
		}
	} else {
		columns = columns[:0]
		for i := range s.Features {
			ft := &s.Features[i]
			columns = append(columns, requestColumn{name: ft.Name, datatype: tensorType(ft.Type), width: flatSize(ft)})
		}
	}
	for i := lo; i < hi; i++ {
		row := f.Row(i)
		for k := range row.Values {
			c := &columns[0]
			if !whole {
				c = &columns[k]
			}
			if err := c.add(&row.Values[k]); err != nil {
				return nil, invalidf("row %d: feature %q: %w", i, s.Features[k].Name, err)
			}
		}
	}
	return columns, nil
}

func tensorType(t feature.Type) datatype {
	switch t { //nolint:exhaustive // the rest are numbers
	case feature.Category:
		return typeBytes
	case feature.Boolean:
		return typeBool
	}
	return typeFP32
}

// add appends a value.
func (c *requestColumn) add(v *feature.Value) error {
	switch v.Kind {
	case feature.KindNumber:
		return c.number(v.Num)
	case feature.KindVector:
		for _, x := range v.Vector {
			if err := c.number(float64(x)); err != nil {
				return err
			}
		}
	case feature.KindBool:
		c.comma()
		c.text = strconv.AppendBool(c.text, v.Num != 0)
		c.raw = append(c.raw, uint8(v.Num))
	case feature.KindText, feature.KindCell:
		c.comma()
		c.text = appendQuoted(c.text, v.Text)
		c.raw = binary.LittleEndian.AppendUint32(c.raw, uint32(len(v.Text))) //nolint:gosec // in memory
		c.raw = append(c.raw, v.Text...)
	case feature.KindMissing:
		return invalidf("a missing value has no place in a tensor: ask in rows form")
	}
	return nil
}

func (c *requestColumn) number(v float64) error {
	x := float32(v)
	if math.IsInf(float64(x), 0) || x != x {
		return invalidf("%v is out of range for FP32", v)
	}
	c.comma()
	c.text = strconv.AppendFloat(c.text, float64(x), 'g', -1, 32)
	c.raw = binary.LittleEndian.AppendUint32(c.raw, math.Float32bits(x))
	return nil
}

func (c *requestColumn) comma() {
	if len(c.text) > 0 {
		c.text = append(c.text, ',')
	}
}

// append appends the input to the JSON of a request of that many rows.
func (c *requestColumn) append(b []byte, rows int, form Form) []byte {
	shape := []int{rows, c.width}
	if form == FormBinary {
		return appendInput(b, c.name, shape, c.datatype, len(c.raw))
	}
	b = append(b, `{"name":`...)
	b = appendQuoted(b, c.name)
	b = append(b, `,"shape":[`...)
	b = strconv.AppendInt(b, int64(shape[0]), 10)
	b = append(b, ',')
	b = strconv.AppendInt(b, int64(shape[1]), 10)
	b = append(b, `],"datatype":"`...)
	b = append(b, c.datatype.String()...)
	b = append(b, `","data":[`...)
	b = append(b, c.text...)
	return append(b, "]}"...)
}
