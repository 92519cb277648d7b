package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/modelbus/modelbus/model/feature"
)

// Bounds of what an array may ask for.
const (
	maxNPYHeader = 64 << 10
	maxNPYWidth  = 1 << 20 // numbers in a row
	maxNPYText   = 1 << 16 // bytes of a string
)

// An npyReader reads an array in the NPY format, versions 1 to 3
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
type npyReader struct {
	src    io.Reader
	dtype  string // without the byte order: "u1", "f4", "U10", …
	order  binary.ByteOrder
	item   int  // bytes of an element
	scalar bool // no dimensions
	rows   int
	width  int // elements in a row
	buf    []byte
	vector []float32
}

func newNPYReader(src io.Reader) (*npyReader, error) {
	header, err := npyHeader(src)
	if err != nil {
		return nil, err
	}
	r := &npyReader{src: src}
	if err := r.parse(header); err != nil {
		return nil, err
	}
	r.buf = make([]byte, r.item*r.width)
	if r.width > 1 {
		r.vector = make([]float32, r.width)
	}
	return r, nil
}

// npyHeader reads magic and header.
func npyHeader(src io.Reader) (string, error) {
	fixed := make([]byte, 8, 12)
	if _, err := io.ReadFull(src, fixed); err != nil {
		return "", invalidf("not an array: %v", err)
	}
	if !bytes.HasPrefix(fixed, []byte("\x93NUMPY")) {
		return "", invalidf("not an array: it begins with %q", fixed[:6])
	}
	length := fixed[8:10]
	if fixed[6] > 1 {
		length = fixed[8:12]
	}
	if fixed[6] < 1 || fixed[6] > 3 {
		return "", invalidf("format version %d: 1, 2 or 3 is due", fixed[6])
	}
	if _, err := io.ReadFull(src, length); err != nil {
		return "", invalidf("the header is cut short: %v", err)
	}
	n := uint32(binary.LittleEndian.Uint16(length))
	if len(length) == 4 {
		n = binary.LittleEndian.Uint32(length)
	}
	if n > maxNPYHeader {
		return "", invalidf("the header has %d bytes: %d at most are allowed", n, maxNPYHeader)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(src, header); err != nil {
		return "", invalidf("the header is cut short: %v", err)
	}
	return string(header), nil
}

// parse reads the header, a Python dictionary of three keys.
func (r *npyReader) parse(header string) error {
	descr := regexp.MustCompile(`'descr':\s*'([<>|=]?)([a-zA-Z])(\d*)'`).FindStringSubmatch(header)
	fortran := regexp.MustCompile(`'fortran_order':\s*(True|False)`).FindStringSubmatch(header)
	shape := regexp.MustCompile(`'shape':\s*\(([\d, ]*)\)`).FindStringSubmatch(header)
	if descr == nil || fortran == nil || shape == nil {
		return invalidf("header %.80q: one with the keys descr (a plain type), fortran_order and shape is due", header)
	}
	if err := r.element(descr[1], descr[2], descr[3]); err != nil {
		return err
	}
	dims, err := r.shape(shape[1])
	if err != nil {
		return err
	}
	if fortran[1] == "True" && dims > 1 {
		return invalidf("it is in Fortran order: C order is due (numpy.ascontiguousarray)")
	}
	return nil
}

func (r *npyReader) element(order, kind, size string) error {
	r.order = binary.LittleEndian
	if order == ">" {
		r.order = binary.BigEndian
	}
	n, err := strconv.Atoi(size)
	if err != nil {
		n = 0
	}
	r.dtype, r.item = kind+size, n
	switch kind {
	case "U":
		r.dtype, r.item = kind, 4*n
	case "S":
		r.dtype = kind
	}
	known := []string{"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"}
	text := (kind == "U" || kind == "S") && n > 0 && r.item <= maxNPYText
	if !text && !slices.Contains(known, r.dtype) {
		return invalidf("its type is %q: integers, f4, f8, booleans or strings are due", order+kind+size)
	}
	return nil
}

// shape reads the dimensions and returns how many there are.
func (r *npyReader) shape(text string) (int, error) {
	r.width = 1
	dims := 0
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		n, err := strconv.Atoi(word)
		if err != nil {
			return 0, invalidf("shape (%s): %v", text, err)
		}
		if dims++; dims == 1 {
			r.rows = n
			continue
		}
		if n < 1 || n > maxNPYWidth/r.width {
			return 0, invalidf("shape (%s): a row has 1 to %d numbers", text, maxNPYWidth)
		}
		r.width *= n
	}
	r.scalar = dims == 0
	if r.item > 8*maxNPYWidth/r.width || r.width > 1 && (r.dtype == "U" || r.dtype == "S") {
		return 0, invalidf("shape (%s): strings are read one a row", text)
	}
	return dims, nil
}

// read returns the next row, a vector valid until the next call.
func (r *npyReader) read() (feature.Value, error) {
	if _, err := io.ReadFull(r.src, r.buf); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return feature.Value{}, invalidf("the array is cut short")
		}
		return feature.Value{}, fmt.Errorf("reading: %w", err)
	}
	switch {
	case r.dtype == "U" || r.dtype == "S":
		return r.text(), nil
	case r.dtype == "b1" && r.width == 1:
		return feature.Value{Kind: feature.KindBool, Num: float64(min(r.buf[0], 1))}, nil
	case r.width == 1:
		return value(r.number(r.buf)), nil
	}
	r.numbers()
	return feature.Value{Kind: feature.KindVector, Vector: r.vector}, nil
}

// numbers decodes buf into vector.
func (r *npyReader) numbers() {
	switch {
	case r.dtype == "u1":
		for j, b := range r.buf {
			r.vector[j] = float32(b)
		}
	case r.dtype == "f4" && r.order == binary.LittleEndian:
		for j := range r.vector {
			r.vector[j] = math.Float32frombits(binary.LittleEndian.Uint32(r.buf[4*j:]))
		}
	default:
		for j := range r.vector {
			r.vector[j] = float32(r.number(r.buf[j*r.item:]))
		}
	}
}

func (r *npyReader) number(b []byte) float64 {
	switch r.dtype {
	case "u1", "b1":
		return float64(b[0])
	case "i1":
		return float64(int8(b[0]))
	case "u2":
		return float64(r.order.Uint16(b))
	case "i2":
		return float64(int16(r.order.Uint16(b)))
	case "u4":
		return float64(r.order.Uint32(b))
	case "i4":
		return float64(int32(r.order.Uint32(b)))
	case "u8":
		return float64(r.order.Uint64(b))
	case "i8":
		return float64(int64(r.order.Uint64(b)))
	case "f4":
		return float64(math.Float32frombits(r.order.Uint32(b)))
	}
	return math.Float64frombits(r.order.Uint64(b))
}

// text returns the string in buf, which zeros pad.
func (r *npyReader) text() feature.Value {
	s := strings.TrimRight(string(r.buf), "\x00")
	if r.dtype == "U" {
		var b strings.Builder
		for i := 0; i < len(r.buf); i += 4 {
			if c := r.order.Uint32(r.buf[i:]); c != 0 {
				b.WriteRune(rune(min(c, math.MaxInt32)))
			}
		}
		s = b.String()
	}
	return feature.Value{Kind: feature.KindText, Text: s}
}
