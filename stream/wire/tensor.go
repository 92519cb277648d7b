package wire

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"unicode/utf8"
)

// A tensor is one input of an Open Inference Protocol message.
type tensor struct {
	name     string
	datatype datatype
	shape    []int
	rows     int // shape[0]
	width    int // product of the other dimensions

	// The data is one of these, once read.
	raw   []byte    // numbers, little-endian
	nums  []float64 // numbers from JSON
	texts [][]byte  // BYTES

	parsed  parts
	from    int // JSON data is bytes [from, to)
	to      int
	size    int // binary_data_size
	scratch []byte
	words   words
}

// parts says which keys of a tensor were there.
type parts struct{ name, shape, datatype, data, size bool }

// number returns element i of a tensor that is not BYTES.
func (t *tensor) number(i int) float64 {
	if t.raw != nil {
		return t.datatype.number(t.raw, i)
	}
	return t.nums[i]
}

// header reads an element of "inputs".
func (t *tensor) header(s *scanner) error {
	*t = tensor{nums: t.nums[:0], texts: t.texts[:0], shape: t.shape[:0], scratch: t.scratch[:0], words: t.words}
	err := s.object(tensorKeys(), func(key int) error {
		switch key {
		case 0:
			name, err := s.str()
			t.name, t.parsed.name = t.words.of(name), true
			return err
		case 1:
			t.parsed.shape = true
			return t.readShape(s)
		case 2:
			name, err := s.str()
			if err != nil {
				return err
			}
			t.parsed.datatype = true
			t.datatype, err = parseDatatype(name)
			return err
		case 3:
			return t.parameters(s)
		}
		t.parsed.data = true
		s.space()
		t.from = s.off
		err := s.skip()
		t.to = s.off
		return err
	})
	if err != nil {
		return t.wrap(err)
	}
	return t.check()
}

func tensorKeys() []string {
	return []string{"name", "shape", "datatype", "parameters", "data"}
}

// wrap names the tensor in an error.
func (t *tensor) wrap(err error) error {
	if !t.parsed.name {
		return err
	}
	return invalidf("input %s: %w", quote(t.name), err)
}

func (t *tensor) readShape(s *scanner) error {
	_, err := s.elements(func(i int) error {
		if s.next() != tokenNumber {
			return invalidf("shape: want a number, got %s", s.got())
		}
		at := s.off
		v, err := s.float()
		if err != nil {
			return err
		}
		if v < 0 || v != math.Trunc(v) || v > math.MaxInt32 {
			return invalidf("shape: dimension %d: want an integer from 0 to %d, got %s",
				i, math.MaxInt32, cut(string(s.data[at:s.off]), 64))
		}
		t.shape = append(t.shape, int(v))
		return nil
	})
	return err
}

func (t *tensor) parameters(s *scanner) error {
	return s.parameters(func(name []byte) (bool, error) {
		if string(name) != "binary_data_size" {
			return false, nil
		}
		v, err := s.float()
		if err != nil {
			return true, err
		}
		if v < 0 || v != math.Trunc(v) || v > math.MaxInt32 {
			return true, invalidf("binary_data_size: want a number of bytes, got %v", v)
		}
		t.size, t.parsed.size = int(v), true
		return true, nil
	})
}

// parameters reads a parameters object: strings, numbers and booleans by name.
// fn reads those it knows and reports whether it did.
func (s *scanner) parameters(fn func(name []byte) (bool, error)) error {
	return s.members(func(name []byte) error {
		known, err := fn(name)
		if err != nil || known {
			return err
		}
		switch s.next() {
		case tokenObject, tokenArray, tokenNull:
			return invalidf("parameter %s: want a string, number or boolean, got %s", quote(string(name)), s.got())
		case tokenString, tokenNumber, tokenTrue, tokenFalse, tokenNone:
		}
		return s.skip()
	})
}

// check checks that the header is whole and its shape is one of rows.
func (t *tensor) check() error {
	switch {
	case !t.parsed.name:
		return invalidf("missing key %q", "name")
	case !t.parsed.shape:
		return t.wrap(invalidf("missing key %q", "shape"))
	case !t.parsed.datatype:
		return t.wrap(invalidf("missing key %q", "datatype"))
	case t.parsed.data && t.parsed.size:
		return t.wrap(invalidf("has both %q and %q", "data", "binary_data_size"))
	case !t.parsed.data && !t.parsed.size:
		return t.wrap(invalidf("missing key %q, or parameter %q", "data", "binary_data_size"))
	case t.parsed.data && (t.datatype == typeFP16 || t.datatype == typeBF16):
		return t.wrap(invalidf("%s has no JSON form: send it as binary data", t.datatype))
	case len(t.shape) == 0:
		return t.wrap(invalidf("shape: want [rows, …], got []"))
	}
	t.rows, t.width = t.shape[0], 1
	for _, n := range t.shape[1:] {
		hi, lo := bits.Mul64(uint64(t.width), uint64(n)) //nolint:gosec // neither is negative
		if hi != 0 || lo > math.MaxInt32 {
			return t.wrap(invalidf("shape %v: more than %d elements", t.shape, math.MaxInt32))
		}
		t.width = int(lo) //nolint:gosec // checked above
	}
	if t.rows > 0 && t.width > math.MaxInt32/t.rows {
		return t.wrap(invalidf("shape %v: more than %d elements", t.shape, math.MaxInt32))
	}
	if t.rows == 0 || t.width == 0 {
		return t.wrap(invalidf("shape %v: no elements", t.shape))
	}
	return nil
}

// read reads the data, whose JSON is in s, or which is raw.
func (t *tensor) read(s *scanner, raw []byte) error {
	var err error
	switch {
	case t.parsed.data:
		err = t.readJSON(s)
	case t.datatype == typeBytes:
		err = t.readTexts(raw)
	default:
		err = t.readRaw(raw)
	}
	if err != nil {
		return t.wrap(err)
	}
	return nil
}

func (t *tensor) readRaw(raw []byte) error {
	if want := int64(t.rows) * int64(t.width) * int64(t.datatype.size()); int64(len(raw)) != want {
		return invalidf("shape %v of %s: want %d bytes, got binary_data_size %d", t.shape, t.datatype, want, len(raw))
	}
	t.raw = raw
	if t.datatype != typeBool {
		return nil
	}
	for i, c := range raw {
		if c > 1 {
			return invalidf("data[%d]: want 0 or 1 for BOOL, got %d", i, c)
		}
	}
	return nil
}

func (t *tensor) readTexts(raw []byte) error {
	for i := range t.rows * t.width {
		if len(raw) < 4 {
			return invalidf("data[%d]: want 4 bytes of length, got %d", i, len(raw))
		}
		n := binary.LittleEndian.Uint32(raw)
		raw = raw[4:]
		if uint64(n) > uint64(len(raw)) {
			return invalidf("data[%d]: want %d bytes, got %d", i, n, len(raw))
		}
		t.texts = append(t.texts, raw[:n:n])
		raw = raw[n:]
	}
	if len(raw) > 0 {
		return invalidf("shape %v of BYTES: %d bytes left over", t.shape, len(raw))
	}
	return nil
}

// readJSON reads data as a flat list or nested to the shape.
func (t *tensor) readJSON(s *scanner) error {
	data := s.at(t.from, t.to)
	if data.next() != tokenArray {
		return invalidf("data: want a list, got %s", data.got())
	}
	look := data
	if err := look.open('['); err != nil {
		return err
	}
	if look.next() == tokenArray {
		return t.readNested(&data, 0)
	}
	ahead, want := 0, t.rows*t.width
	n, err := data.elements(func(i int) error {
		ahead += t.run(&data, want-i-ahead)
		return t.readElement(&data)
	})
	if n += ahead; err == nil && n != want {
		err = invalidf("shape %v: want %d elements, got %d", t.shape, want, n)
	}
	return err
}

func (t *tensor) readNested(s *scanner, dim int) error {
	if s.next() != tokenArray {
		return invalidf("data: want lists nested to shape %v, got %s", t.shape, s.got())
	}
	if err := s.open('['); err != nil {
		return err
	}
	n := 0
	for ; ; n++ { // not by elements, whose function would be made anew for each list
		more, err := s.more(']', n == 0)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if dim+1 < len(t.shape) {
			err = t.readNested(s, dim+1)
		} else {
			n += t.run(s, t.shape[dim]-n)
			err = t.readElement(s)
		}
		if err != nil {
			return err
		}
	}
	if n != t.shape[dim] {
		return invalidf("data: want %d elements in dimension %d of shape %v, got %d", t.shape[dim], dim, t.shape, n)
	}
	return nil
}

// run reads fewer than most elements of FP32 as far as they are plain.
func (t *tensor) run(s *scanner, most int) int {
	if t.datatype != typeFP32 || most < 2 {
		return 0
	}
	have := len(t.nums)
	// An element takes two bytes at least: a shape alone makes no memory.
	t.nums = slices.Grow(t.nums, min(most, (len(s.data)-s.off)/2+1))
	n := run(s, t.nums[have:min(have+most-1, cap(t.nums))])
	t.nums = t.nums[:have+n]
	return n
}

func (t *tensor) count() int { return len(t.nums) + len(t.texts) }

func (t *tensor) readElement(s *scanner) error {
	next := s.next()
	switch {
	case next == tokenNone:
		return s.fail("a value")
	case t.datatype == typeBytes && next == tokenString:
		text, err := s.str()
		start := len(t.scratch)
		t.scratch = append(t.scratch, text...)
		t.texts = append(t.texts, t.scratch[start:len(t.scratch):len(t.scratch)])
		return err
	case t.datatype == typeBool && (next == tokenTrue || next == tokenFalse):
		b, err := s.boolean()
		t.nums = append(t.nums, boolValue(b).Num)
		return err
	case t.datatype < typeBytes && t.datatype != typeBool && next == tokenNumber:
		v, err := t.readNumber(s)
		t.nums = append(t.nums, v)
		return err
	}
	return invalidf("data[%d]: want %s, got %s", t.count(), t.wanted(), s.got())
}

func (t *tensor) readNumber(s *scanner) (float64, error) {
	at := s.off
	if t.datatype == typeFP32 {
		v, err := s.single()
		if err == nil && math.IsInf(float64(v), 0) {
			err = invalidf("data[%d]: %s is out of range for FP32", t.count(), cut(string(s.data[at:s.off]), 64))
		}
		return float64(v), err
	}
	v, err := s.float()
	if err == nil && t.datatype != typeFP64 {
		if err = t.datatype.check(s.data[at:s.off], v); err != nil {
			err = invalidf("data[%d]: %w", t.count(), err)
		}
	}
	return v, err
}

func (t *tensor) wanted() string {
	switch t.datatype { //nolint:exhaustive // the rest are numbers
	case typeBytes:
		return "a string for BYTES"
	case typeBool:
		return "true or false for BOOL"
	}
	return "a number for " + t.datatype.String()
}

// text returns element i of a BYTES tensor.
func (t *tensor) text(i int) (string, error) {
	if !utf8.Valid(t.texts[i]) {
		return "", invalidf("input %s: data[%d]: %s is not UTF-8", quote(t.name), i, quote(string(t.texts[i])))
	}
	return t.words.of(t.texts[i]), nil
}
