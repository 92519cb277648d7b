package wire

import (
	"math"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model/feature"
)

// split separates the JSON of a message from the binary tensors behind it, and
// reports whether the header that says where is there.
func split(header nats.Header, body []byte) (doc, tail []byte, isBinary bool, err error) {
	values := header[HeaderContentLength]
	if len(values) == 0 {
		return body, nil, false, nil
	}
	n, err := strconv.ParseUint(values[0], 10, 63)
	if err != nil {
		return nil, nil, false, invalidf("header %s: want a number of bytes, got %s", HeaderContentLength, quote(values[0]))
	}
	if n > uint64(len(body)) {
		return nil, nil, false, invalidf("header %s: %d is more than the message's %d bytes", HeaderContentLength, n, len(body))
	}
	return body[:n], body[n:], true, nil
}

// readInputs reads the list "inputs" into the memory of inputs, without data.
func readInputs(s *scanner, inputs []tensor) ([]tensor, error) {
	inputs = inputs[:0]
	if next := s.next(); next != tokenArray && next != tokenNone {
		return inputs, invalidf("inputs: want a list of tensors, got %s", s.got())
	}
	n, err := s.elements(func(i int) error {
		if i < cap(inputs) {
			inputs = inputs[:i+1]
		} else {
			inputs = append(inputs, tensor{})
		}
		t := &inputs[i]
		if err := t.header(s); err != nil {
			return invalidf("inputs[%d]: %w", i, err)
		}
		for k := range i {
			if inputs[k].name == t.name {
				return invalidf("input %s is there twice", quote(t.name))
			}
		}
		return nil
	})
	if err == nil && n == 0 {
		return inputs, invalidf("inputs: want at least one tensor, got none")
	}
	return inputs, err
}

// loadInputs reads the data of all inputs, from the JSON in s or from tail.
func loadInputs(s *scanner, inputs []tensor, tail []byte, isBinary bool) error {
	size := len(tail)
	for i := range inputs {
		t := &inputs[i]
		var raw []byte
		if t.parsed.size {
			if !isBinary {
				return t.wrap(invalidf("binary_data_size without the header %s", HeaderContentLength))
			}
			if t.size > len(tail) {
				return t.wrap(invalidf("binary_data_size %d: only %d of %d bytes are left behind the JSON", t.size, len(tail), size))
			}
			raw, tail = tail[:t.size:t.size], tail[t.size:]
		}
		if err := t.read(s, raw); err != nil {
			return err
		}
	}
	if len(tail) > 0 {
		return invalidf("%d of %d bytes behind the JSON belong to no input", len(tail), size)
	}
	return nil
}

// A column says where a feature's values stand among the inputs.
type column struct {
	input *tensor // nil: missing in every row
	at    int     // first element within the input's row
	size  int
}

// A columnReader reads rows out of tensors. Its memory is reused.
type columnReader struct {
	schema  *feature.Schema
	rows    int
	whole   *tensor // the one input that holds complete rows, if there is one
	columns []column
	values  []feature.Value // of the last row, in schema order
	vector  []float32
}

// bind maps features to inputs: one input of complete rows for a schema of
// numbers, or one input a feature.
func (r *columnReader) bind(s *feature.Schema, inputs []*tensor) error {
	r.schema, r.whole = s, nil
	r.columns = resize(r.columns, len(s.Features))
	r.values = resize(r.values, len(s.Features))
	r.vector = resize(r.vector, s.Width())
	clear(r.columns)
	if len(inputs) == 0 {
		return invalidf("inputs: want features, got none")
	}
	r.rows = inputs[0].rows
	for _, t := range inputs {
		if t.rows != r.rows {
			return invalidf("inputs %s and %s have %d and %d rows", quote(inputs[0].name), quote(t.name), r.rows, t.rows)
		}
	}
	if len(inputs) == 1 && s.Numeric() {
		if _, ok := s.Index(inputs[0].name); !ok || len(s.Features) == 1 {
			return r.bindWhole(inputs[0])
		}
	}
	return r.bindEach(inputs)
}

func (r *columnReader) bindWhole(t *tensor) error {
	if t.width != r.schema.Width() {
		return t.wrap(invalidf("want shape [rows, %d], got %v", r.schema.Width(), t.shape))
	}
	if t.datatype == typeBytes || t.datatype == typeBool {
		return t.wrap(invalidf("want a datatype of numbers, got %s", t.datatype))
	}
	at := 0
	for k := range r.columns {
		size := flatSize(&r.schema.Features[k])
		r.columns[k] = column{t, at, size}
		at += size
	}
	r.whole = t
	return nil
}

func (r *columnReader) bindEach(inputs []*tensor) error {
	for _, t := range inputs {
		k, ok := r.schema.Index(t.name)
		if !ok {
			hint := ""
			if r.schema.Numeric() {
				hint = ", or one input of shape [rows, " + strconv.Itoa(r.schema.Width()) + "]"
			}
			return invalidf("unknown input %s: known are %s%s", quote(t.name), list(featureNames(r.schema)), hint)
		}
		f := &r.schema.Features[k]
		if size := flatSize(f); t.width != size {
			return t.wrap(invalidf("want shape [rows, %d], got %v", size, t.shape))
		}
		if err := holds(t.datatype, f.Type); err != nil {
			return t.wrap(err)
		}
		r.columns[k] = column{t, 0, t.width}
	}
	var missing []string
	for k := range r.columns {
		if f := &r.schema.Features[k]; r.columns[k].input == nil && !allowsMissing(f) {
			missing = append(missing, f.Name)
		}
	}
	if len(missing) > 0 {
		return invalidf("missing input %s", list(missing))
	}
	return nil
}

// holds returns an error if tensors of d are not for features of type t. Any
// can hold categories and, where all are 0 and 1, booleans.
func holds(d datatype, t feature.Type) error {
	switch {
	case t == feature.Boolean && d == typeBytes:
		return invalidf("want BOOL, got %s", d)
	case (t == feature.Number || t == feature.Vector) && (d == typeBytes || d == typeBool):
		return invalidf("want a datatype of numbers, got %s", d)
	}
	return nil
}

// read fills r.values with row i.
func (r *columnReader) read(i int) error {
	vector := r.vector
	for k, c := range r.columns {
		v := &r.values[k]
		if c.input == nil {
			*v = feature.Value{}
			continue
		}
		f := &r.schema.Features[k]
		first := i*c.input.width + c.at
		if f.Type != feature.Vector {
			var err error
			if *v, err = c.input.value(first); err != nil {
				return err
			}
			continue
		}
		for j := range c.size {
			x := c.input.number(first + j)
			vector[j] = float32(x)
			if math.IsInf(float64(vector[j]), 0) && !math.IsInf(x, 0) {
				return invalidf("feature %q: element %d: number %v is out of range for 32 bits", f.Name, j, x)
			}
		}
		*v = feature.Value{Kind: feature.KindVector, Vector: vector[:c.size:c.size]}
		vector = vector[c.size:]
	}
	return nil
}

// value returns element i.
func (t *tensor) value(i int) (feature.Value, error) {
	switch t.datatype { //nolint:exhaustive // the rest are numbers
	case typeBytes:
		text, err := t.text(i)
		return feature.Value{Kind: feature.KindText, Text: text}, err
	case typeBool:
		return boolValue(t.number(i) != 0), nil
	}
	return feature.Value{Kind: feature.KindNumber, Num: t.number(i)}, nil
}

// tensors appends the rows of the request's inputs to dst.
func (r *Request) tensors(dst *feature.Frame, maxRows int) error {
	r.bound = r.bound[:0]
	for i := range r.inputs {
		r.bound = append(r.bound, &r.inputs[i])
	}
	c := &r.columns
	if err := c.bind(dst.Schema(), r.bound); err != nil {
		return err
	}
	if maxRows > 0 && c.rows > maxRows {
		return tooManyRows(maxRows)
	}
	if c.whole != nil && c.whole.datatype.single() {
		if err := dst.AppendFlat(c.rows, c.whole.floats(&r.flat)); err != nil {
			return c.whole.wrap(err)
		}
		return nil
	}
	for i := range c.rows {
		err := c.read(i)
		if err == nil {
			err = dst.Append(feature.Row{Values: c.values})
		}
		if err != nil {
			return invalidf("row %d: %w", i, err)
		}
	}
	return nil
}

// floats returns all elements of a tensor of numbers: where they are, or in the
// memory of scratch.
func (t *tensor) floats(scratch *[]float32) []float32 {
	n := t.rows * t.width
	if t.raw != nil && t.datatype == typeFP32 {
		return singles(scratch, t.raw)
	}
	*scratch = resize(*scratch, n)
	for i := range *scratch {
		(*scratch)[i] = float32(t.number(i))
	}
	return *scratch
}

// raw decodes a raw binary request: the FP32 values of one row, nothing else.
func (r *Request) raw(dst *feature.Frame, body []byte) error {
	s := dst.Schema()
	if !s.Numeric() {
		return invalidf("a raw binary request is for models whose features are all numbers: name the inputs in JSON")
	}
	if len(body) != 4*s.Width() {
		return invalidf("raw binary request: want %d bytes (FP32 shape [1, %d]), got %d", 4*s.Width(), s.Width(), len(body))
	}
	r.Form, r.BinaryOutput = FormBinary, true
	return dst.AppendFlat(1, singles(&r.flat, body))
}
