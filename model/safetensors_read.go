package model

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

const maxRank = 8

// readSafetensors reads a file's header strictly: it is one JSON object without
// doubled keys; tensors are F32 or F64 and fill the rest of the file without holes
// or overlaps. The tensors' data, which are not looked at, are parts of f; their
// order is that of the data. It allocates no more than a small multiple of the
// header.
func readSafetensors(f File) (map[string]string, []tensor, error) {
	b := f.Bytes()
	if len(b) < 8 {
		return nil, nil, fmt.Errorf("a safetensors file begins with 8 bytes of header length, got %d bytes", len(b))
	}
	if err := f.Verify(0, 8); err != nil {
		return nil, nil, err
	}
	size := binary.LittleEndian.Uint64(b)
	if size > maxHeader {
		return nil, nil, fmt.Errorf("the header length is %d, at most %d is allowed (is this a safetensors file?)", size, maxHeader)
	}
	if size > uint64(len(b)-8) {
		return nil, nil, fmt.Errorf("the header length is %d, but only %d bytes follow: the file is cut off", size, len(b)-8)
	}
	start := 8 + int(size) //nolint:gosec // at most len(b)
	if err := f.Verify(8, start); err != nil {
		return nil, nil, fmt.Errorf("the header: %w", err)
	}
	header, data := b[8:start], b[start:]
	if len(header) == 0 || header[0] != '{' {
		return nil, nil, errors.New("the header is not a JSON object (is this a safetensors file?)")
	}
	if !utf8.Valid(header) {
		return nil, nil, errors.New("the header is not UTF-8")
	}
	h := headerReader{decoder: json.NewDecoder(bytes.NewReader(header)), names: map[string]bool{}}
	h.decoder.UseNumber()
	if err := h.read(); err != nil {
		return nil, nil, fmt.Errorf("reading the header: %w", err)
	}
	tensors, err := placeTensors(h.entries, data)
	if err != nil {
		return nil, nil, err
	}
	for i := range tensors {
		tensors[i].from += start
	}
	return h.metadata, tensors, nil
}

// An entry is a tensor in the header.
type entry struct {
	tensor

	begin, end int
}

// placeTensors checks the entries against the data and gives each its part.
func placeTensors(entries []entry, data []byte) ([]tensor, error) {
	slices.SortStableFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end))
	})
	at := 0
	tensors := make([]tensor, 0, len(entries))
	for _, e := range entries {
		switch {
		case e.begin > at:
			return nil, fmt.Errorf("tensor %q begins at %d, which leaves a hole after %d", shorten(e.name), e.begin, at)
		case e.begin < at:
			return nil, fmt.Errorf("tensor %q begins at %d and overlaps the one that ends at %d", shorten(e.name), e.begin, at)
		case e.end < e.begin:
			return nil, fmt.Errorf("tensor %q ends at %d before it begins at %d", shorten(e.name), e.end, e.begin)
		case e.end > len(data):
			return nil, fmt.Errorf("tensor %q ends at %d, but there are %d bytes of data: the file is cut off", shorten(e.name), e.end, len(data))
		}
		bytes, err := byteCount(e.dtype, e.shape)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", shorten(e.name), err)
		}
		if bytes != e.end-e.begin {
			return nil, fmt.Errorf("tensor %q of %s %v needs %d bytes, got %d", shorten(e.name), e.dtype, e.shape, bytes, e.end-e.begin)
		}
		e.data, e.from = data[e.begin:e.end:e.end], e.begin
		tensors = append(tensors, e.tensor)
		at = e.end
	}
	if at != len(data) {
		return nil, fmt.Errorf("%d bytes follow after the last tensor", len(data)-at)
	}
	return tensors, nil
}

// byteCount returns the size of a tensor. Shapes whose product overflows are
// errors.
func byteCount(dtype string, shape []int) (int, error) {
	const most = min(1<<46, math.MaxInt) // far above any file, far below overflow where an int has 64 bits
	n := dtypeSize(dtype)
	for _, d := range shape {
		if d == 0 {
			n = 0
		}
	}
	for _, d := range shape {
		if n > 0 && d > most/n {
			return 0, fmt.Errorf("the shape %v is too large", shape)
		}
		n *= d
	}
	return n, nil
}

// A headerReader reads the JSON header token by token, so that a header cannot
// make it build more than the entries it needs.
type headerReader struct {
	decoder  *json.Decoder
	names    map[string]bool
	metadata map[string]string
	entries  []entry
}

func (h *headerReader) read() error {
	if err := h.object(h.member); err != nil {
		return err
	}
	if _, err := h.decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after the JSON object")
	}
	return nil
}

// object reads an object and calls member after each key.
func (h *headerReader) object(member func(key string) error) error {
	if err := h.delim('{'); err != nil {
		return err
	}
	for h.decoder.More() {
		key, err := h.text()
		if err != nil {
			return err
		}
		if err := member(key); err != nil {
			return err
		}
	}
	return h.delim('}')
}

func (h *headerReader) member(key string) error {
	if h.names[key] {
		return fmt.Errorf("the key %q is doubled", shorten(key))
	}
	h.names[key] = true
	if key != "__metadata__" {
		return h.tensor(key)
	}
	h.metadata = map[string]string{}
	return h.object(func(key string) error {
		if _, doubled := h.metadata[key]; doubled {
			return fmt.Errorf("the metadata key %q is doubled", shorten(key))
		}
		value, err := h.text()
		h.metadata[key] = value
		return err
	})
}

func (h *headerReader) tensor(name string) error {
	e := entry{tensor: tensor{name: name}}
	seen := map[string]bool{}
	err := h.object(func(key string) (err error) {
		if seen[key] {
			return fmt.Errorf("the key %q is doubled", shorten(key))
		}
		seen[key] = true
		switch key {
		case "dtype":
			e.dtype, err = h.text()
		case "shape":
			e.shape, err = h.naturals(maxRank)
		case "data_offsets":
			var offsets []int
			if offsets, err = h.naturals(2); err == nil && len(offsets) != 2 {
				err = fmt.Errorf("data_offsets must be two numbers, got %v", offsets)
			}
			if err == nil {
				e.begin, e.end = offsets[0], offsets[1]
			}
		default:
			err = fmt.Errorf("unknown key %q", shorten(key))
		}
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("tensor %q: %w", shorten(name), err)
	case len(seen) != 3:
		return fmt.Errorf("tensor %q must have dtype, shape and data_offsets", shorten(name))
	case dtypeSize(e.dtype) == 0:
		return fmt.Errorf("tensor %q: a model has tensors of dtype F32 and F64, got %q", shorten(name), shorten(e.dtype))
	}
	h.entries = append(h.entries, e)
	return nil
}

// naturals reads a list of whole numbers from 0 on, as many as most.
func (h *headerReader) naturals(most int) ([]int, error) {
	if err := h.delim('['); err != nil {
		return nil, err
	}
	out := []int{}
	for h.decoder.More() {
		t, err := h.token()
		if err != nil {
			return nil, err
		}
		number, ok := t.(json.Number)
		if !ok {
			return nil, fmt.Errorf("want a list of numbers, got %v in it", t)
		}
		n, err := strconv.ParseUint(number.String(), 10, 48)
		if err != nil {
			return nil, fmt.Errorf("want a whole number below 2^48, got %s", shorten(number.String()))
		}
		if n > math.MaxInt {
			return nil, fmt.Errorf("%d is too large for a machine of 32 bits", n)
		}
		if len(out) == most {
			return nil, fmt.Errorf("a list has more than %d numbers", most)
		}
		out = append(out, int(n))
	}
	return out, h.delim(']')
}

func (h *headerReader) delim(want json.Delim) error {
	t, err := h.token()
	if err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("want %v, got %s", want, shorten(fmt.Sprint(t)))
	}
	return nil
}

func (h *headerReader) text() (string, error) {
	t, err := h.token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("want a string, got %s", shorten(fmt.Sprint(t)))
	}
	return s, nil
}

func (h *headerReader) token() (json.Token, error) {
	t, err := h.decoder.Token()
	if errors.Is(err, io.EOF) {
		return nil, io.ErrUnexpectedEOF
	}
	return t, err
}
