package dataset

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/modelbus/modelbus/model/feature"
)

// A jsonReader reads JSON Lines.
type jsonReader struct {
	buf     *bufio.Reader
	columns []Column
	index   map[jsonKey]int
	lists   int // the length of rows that are lists
	line    int
	row     []feature.Value
	err     error // of the first row, read ahead for its columns
	ahead   bool
}

// A jsonKey tells columns apart: a feature may be named "label".
type jsonKey struct {
	name string
	role Role
}

func newJSONReader(buf *bufio.Reader) (*jsonReader, error) {
	r := &jsonReader{buf: buf, index: make(map[jsonKey]int)}
	r.err = r.next()
	if errors.Is(r.err, io.EOF) {
		return nil, invalidf("the file is empty")
	}
	r.ahead = true
	return r, nil
}

// Columns implements Reader.
func (r *jsonReader) Columns() []Column { return r.columns }

// Line implements Reader.
func (r *jsonReader) Line() int { return r.line }

// Read implements Reader.
func (r *jsonReader) Read() ([]feature.Value, error) {
	err := r.err
	if !r.ahead {
		err = r.next()
	}
	r.ahead, r.err = false, nil
	return r.row, err
}

// next reads the next line that is not blank into row.
func (r *jsonReader) next() error {
	for {
		line, err := r.buf.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("reading: %w", err)
		}
		if len(line) == 0 {
			return io.EOF
		}
		r.line++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		clear(r.row)
		if err := r.parse(line); err != nil {
			return &RowError{Line: r.line, Err: err}
		}
		return nil
	}
}

// parse reads one row of any form.
func (r *jsonReader) parse(line []byte) error {
	if !json.Valid(line) {
		var v any
		return invalidf("malformed JSON: %v", json.Unmarshal(line, &v))
	}
	switch line[0] {
	case '[':
		return r.list(line)
	case '{':
		fields, err := members(line)
		if err != nil {
			return err
		}
		if features := trainingForm(fields); features != nil {
			return r.training(fields, features)
		}
		return r.object(fields)
	}
	return invalidf("got %.40s: an object or a list is due", line)
}

// A member is one key of an object with its value's text.
type member struct {
	key   string
	value json.RawMessage
}

// members splits an object, which must be valid JSON, in order.
func members(object []byte) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(object))
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("reading an object: %w", err)
	}
	var fields []member
	seen := make(map[string]bool)
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("reading a key: %w", err)
		}
		key, _ := token.(string) //nolint:errcheck // a key of valid JSON is text
		if seen[key] {
			return nil, invalidf("key %q is given twice", key)
		}
		seen[key] = true
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, fmt.Errorf("reading %q: %w", key, err)
		}
		fields = append(fields, member{key, value})
	}
	return fields, nil
}

// trainingForm returns the features of {"features": …, "label": …}, or nil if
// fields are something else.
func trainingForm(fields []member) json.RawMessage {
	var features json.RawMessage
	for _, f := range fields {
		switch f.key {
		case "features":
			features = f.value
		case "label", "weight":
		default:
			return nil
		}
	}
	if len(features) > 0 && (features[0] == '{' || features[0] == '[') {
		return features
	}
	return nil
}

func (r *jsonReader) training(fields []member, features json.RawMessage) error {
	var err error
	if features[0] == '[' {
		err = r.list(features)
	} else {
		var inner []member
		if inner, err = members(features); err == nil {
			err = r.object(inner)
		}
	}
	if err != nil {
		return err
	}
	for _, f := range fields {
		role := RoleLabel
		switch f.key {
		case "features":
			continue
		case "weight":
			role = RoleWeight
		}
		if err := r.put(f.key, role, f.value); err != nil {
			return err
		}
	}
	return nil
}

func (r *jsonReader) object(fields []member) error {
	for _, f := range fields {
		if err := r.put(f.key, RoleValue, f.value); err != nil {
			return err
		}
	}
	return nil
}

func (r *jsonReader) list(text []byte) error {
	var values []json.RawMessage
	if err := json.Unmarshal(text, &values); err != nil {
		return invalidf("malformed JSON: %v", err)
	}
	if r.lists == 0 {
		r.lists = len(values)
	}
	if len(values) != r.lists {
		return invalidf("got a list of %d values: %d are due", len(values), r.lists)
	}
	for i, v := range values {
		if err := r.put("c"+strconv.Itoa(i+1), RoleValue, v); err != nil {
			return err
		}
	}
	return nil
}

// put sets the value of a column, which it adds if it is new.
func (r *jsonReader) put(name string, role Role, text json.RawMessage) error {
	v, err := jsonValue(text)
	if err != nil {
		return fmt.Errorf("column %q: %w", name, err)
	}
	key := jsonKey{name, role}
	i, ok := r.index[key]
	if !ok {
		i = len(r.columns)
		r.index[key] = i
		r.columns = append(r.columns, Column{Name: name, Role: role})
		r.row = append(r.row, feature.Value{})
	}
	if v.Kind != feature.KindMissing && r.columns[i].Size == 0 {
		r.columns[i].Size = max(1, len(v.Vector))
	}
	r.row[i] = v
	return nil
}

// jsonValue reads a value of valid JSON.
func jsonValue(text json.RawMessage) (feature.Value, error) {
	switch text[0] {
	case 'n':
		return feature.Value{}, nil
	case 't':
		return feature.Value{Kind: feature.KindBool, Num: 1}, nil
	case 'f':
		return feature.Value{Kind: feature.KindBool}, nil
	case '"':
		var s string
		if err := json.Unmarshal(text, &s); err != nil {
			return feature.Value{}, invalidf("malformed JSON: %v", err)
		}
		return feature.Value{Kind: feature.KindText, Text: s}, nil
	case '[':
		return jsonVector(text)
	case '{':
		return feature.Value{}, invalidf("got an object: a value or a list of numbers is due")
	}
	x, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return feature.Value{}, invalidf("got %.40s: a number within ±%.2g is due", text, math.MaxFloat64)
	}
	return feature.Value{Kind: feature.KindNumber, Num: x}, nil
}

// jsonVector reads a list of numbers, flattening nested lists.
func jsonVector(text []byte) (feature.Value, error) {
	vector := make([]float32, 0, bytes.Count(text, []byte(","))+1)
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case '[', ']', ',', ' ', '\t':
			i++
			continue
		case '"', '{', 't', 'f', 'n':
			return feature.Value{}, invalidf("got a list with %.40s: a list of numbers is due", text[i:])
		}
		end := i
		for end < len(text) && bytes.IndexByte([]byte("], \t"), text[end]) < 0 {
			end++
		}
		x, err := strconv.ParseFloat(string(text[i:end]), 32)
		if err != nil {
			return feature.Value{}, invalidf("got a list with %s: a number within ±%.2g is due", text[i:end], math.MaxFloat32)
		}
		vector = append(vector, float32(x))
		i = end
	}
	return feature.Value{Kind: feature.KindVector, Vector: vector}, nil
}
