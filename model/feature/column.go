package feature

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// keptWords bounds the dictionary that survives a Reset, so that callers who
// send ever new categories cannot make a reused frame grow without end.
const keptWords = 4096

const (
	noCode  = -1 // a missing category
	noTruth = 2  // a missing boolean
)

// A column holds the values of a feature or label. Which store is in use
// follows from the type. NaN stands for a missing number and, in the first
// place, for a missing vector.
type column struct {
	title   string // such as: feature "age"
	kind    Type
	size    int
	missing bool // missing values are allowed

	numbers chunks[float64]
	vectors vectors
	truths  chunks[uint8]
	codes   chunks[int32]

	dict  map[string]int32
	words []string // by code

	classes  []string // of a label: the only words allowed, if there are any
	nonempty bool     // an empty text is a missing value, as in a file
}

func newColumn(title string, kind Type, size int, missing bool) *column {
	c := &column{title: title, kind: kind, size: max(size, 1), missing: missing}
	switch kind {
	case Number:
		c.numbers = newChunks[float64](1, 8)
	case Vector:
		c.vectors = newVectors(c.size)
	case Boolean:
		c.truths = newChunks[uint8](1, 1)
	case Category:
		c.codes = newChunks[int32](1, 4)
		c.dict = make(map[string]int32)
	}
	return c
}

// set stores v as row i, which is at most one beyond the rows there are.
func (c *column) set(i int, v *Value) error {
	if c.kind == Number && v.Kind == KindNumber && v.Num-v.Num == 0 { // the common case: finite
		c.numbers.put(i, v.Num)
		return nil
	}
	var err error
	switch {
	case v.missing() && !c.missing:
		err = c.missingError()
	case v.missing():
		c.setMissing(i)
	default:
		err = c.setValue(i, v)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.title, err)
	}
	return nil
}

// missingError says what would be right in place of a missing value.
func (c *column) missingError() error {
	if strings.HasPrefix(c.title, "label") {
		return invalidf("the value is missing: an example needs one")
	}
	var policies string
	switch c.kind {
	case Number, Vector:
		policies = fmt.Sprintf("%s, %s or %s", MissingMean, MissingMedian, MissingConstant)
	case Boolean:
		policies = string(MissingConstant)
	case Category:
		policies = fmt.Sprintf("%s or %s", MissingConstant, MissingCategory)
	}
	return invalidf("the value is missing: the spec wants one, unless it says missing: %s", policies)
}

func (c *column) setMissing(i int) {
	switch c.kind {
	case Number:
		c.numbers.grow(i)[0] = math.NaN()
	case Vector:
		c.vectors.setMissing(i)
	case Boolean:
		c.truths.grow(i)[0] = noTruth
	case Category:
		c.codes.grow(i)[0] = noCode
	}
}

func (c *column) setValue(i int, v *Value) error {
	switch c.kind {
	case Number:
		x, err := v.number()
		if err != nil {
			return err
		}
		c.numbers.grow(i)[0] = x
	case Vector:
		if v.Kind != KindVector {
			return invalidf("got %s: a list of %d numbers is due", v.describe(), c.size)
		}
		return c.setVector(i, v.Vector)
	case Boolean:
		x, err := v.boolean()
		if err != nil {
			return err
		}
		c.truths.grow(i)[0] = x
	case Category:
		var buf [64]byte
		text, err := v.category(buf[:0])
		if err != nil {
			return err
		}
		if !utf8.Valid(text) {
			return invalidf("got %s: UTF-8 text is due", v.describe())
		}
		if c.nonempty && len(text) == 0 {
			return c.missingError()
		}
		code, ok := c.dict[string(text)]
		if !ok {
			if len(c.classes) > 0 && !slices.Contains(c.classes, string(text)) {
				return unknownClass(string(text), c.classes)
			}
			code = c.code(text)
		}
		c.codes.grow(i)[0] = code
	default:
		return invalidf("unknown type %q", c.kind)
	}
	return nil
}

func (c *column) setVector(i int, x []float32) error {
	if len(x) != c.size {
		return invalidf("got %d numbers: %d are due", len(x), c.size)
	}
	for j, v := range x {
		if !finite32(v) {
			return invalidf("got %v at position %d: a finite number is due", v, j)
		}
	}
	c.vectors.set(i, x)
	return nil
}

// setFlat stores x, size numbers, as row i.
func (c *column) setFlat(i int, x []float32) error {
	if c.kind == Vector {
		if err := c.setVector(i, x); err != nil {
			return fmt.Errorf("%s: %w", c.title, err)
		}
		return nil
	}
	if !finite32(x[0]) {
		return invalidf("%s: got %v: a finite number is due", c.title, x[0])
	}
	c.numbers.grow(i)[0] = float64(x[0])
	return nil
}

// code returns the code of text, a new one if it is new.
func (c *column) code(text []byte) int32 {
	if code, ok := c.dict[string(text)]; ok {
		return code
	}
	word := string(text)
	code := int32(len(c.words))
	c.dict[word] = code
	c.words = append(c.words, word)
	return code
}

// reset forgets the dictionary if it has grown large.
func (c *column) reset() {
	if len(c.words) > keptWords {
		c.dict = make(map[string]int32)
		c.words = nil
	}
}

// value returns row i.
func (c *column) value(i int) Value {
	switch c.kind {
	case Number:
		if x := c.numbers.row(i)[0]; !math.IsNaN(x) {
			return Value{Kind: KindNumber, Num: x}
		}
	case Vector:
		if x := c.vectors.row(i); !x.missing() {
			return Value{Kind: KindVector, Vector: x.slice()}
		}
	case Boolean:
		if x := c.truths.row(i)[0]; x != noTruth {
			return Value{Kind: KindBool, Num: float64(x)}
		}
	case Category:
		if code := c.codes.row(i)[0]; code != noCode {
			return Value{Kind: KindText, Text: c.words[code]}
		}
	}
	return Value{}
}

// floats writes row i of a number, boolean or vector column to dst and reports
// whether there is a value.
func (c *column) floats(dst []float64, i int) bool {
	switch c.kind {
	case Number:
		dst[0] = c.numbers.row(i)[0]
	case Boolean:
		dst[0] = float64(c.truths.row(i)[0])
		return dst[0] != noTruth
	case Vector:
		c.vectors.row(i).widenTo(dst)
	case Category:
		return false
	}
	return !math.IsNaN(dst[0])
}

// spread writes rows [first, first+n) of a number or vector column to dst, one
// every stride elements, and reports whether all have a value.
func (c *column) spread(dst []float64, stride, first, n int) bool {
	if c.kind != Number {
		for i := range n {
			if !c.floats(dst[i*stride:i*stride+c.size], first+i) {
				return false
			}
		}
		return true
	}
	missing := false
	for at := 0; n > 0; {
		piece := c.numbers.piece(first, n)
		for _, x := range piece {
			dst[at] = x
			at += stride
			missing = missing || x != x
		}
		first, n = first+len(piece), n-len(piece)
	}
	return !missing
}

// finite32 reports whether x is neither NaN nor infinite.
func finite32(x float32) bool {
	const exponent = 0x7f800000
	return math.Float32bits(x)&exponent != exponent
}
