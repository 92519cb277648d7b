package wire

import (
	"math"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/nn"
)

// A rowReader reads instances that are written as lists or objects. Its memory
// is reused from row to row.
type rowReader struct {
	schema  *feature.Schema
	numeric bool            // all features are numbers and vectors
	values  []feature.Value // of the last row, in schema order
	vector  []float32       // what vector values point to
	seen    []bool
	words   words
}

func (r *rowReader) reset(s *feature.Schema) {
	r.schema, r.numeric = s, s.Numeric()
	r.values = resize(r.values, len(s.Features))
	r.seen = resize(r.seen, len(s.Features))
	size := 0
	for i := range s.Features {
		size += vectorSize(&s.Features[i])
	}
	r.vector = resize(r.vector, size)
}

func vectorSize(f *feature.Feature) int {
	if f.Type == feature.Vector {
		return f.Size
	}
	return 0
}

// flatSize returns how many places f takes in a flat list.
func flatSize(f *feature.Feature) int { return max(1, vectorSize(f)) }

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// read reads one instance into r.values. An error about a feature names it.
func (r *rowReader) read(s *scanner) error {
	switch s.next() {
	case tokenArray:
		if r.numeric && r.plain(s) {
			return nil
		}
		return r.list(s)
	case tokenObject:
		return r.object(s)
	case tokenString, tokenNumber, tokenTrue, tokenFalse, tokenNull:
		if len(r.schema.Features) == 1 && r.schema.Features[0].Type != feature.Vector {
			return r.value(s, 0, r.vector)
		}
	case tokenNone:
		return s.fail("a value")
	}
	return invalidf("want a list of %d values or an object by feature, got %s", r.schema.Width(), s.got())
}

// plain reads a row written as a list of plain numbers (see run), vectors in place, as
// most rows of a numeric schema are. Of any other it reads nothing, and reports so.
func (r *rowReader) plain(s *scanner) bool {
	data, i := s.data, s.off+1
	left := r.schema.Width()
	vector := r.vector
	for k := range r.values {
		f := &r.schema.Features[k]
		size := flatSize(f)
		for p := range size {
			v, exact, end, ok := plainNumber(data, i)
			after := byte(',')
			if left--; left == 0 {
				after = ']'
			}
			if !ok || data[end] != after {
				return false
			}
			i = end + 1
			switch {
			case f.Type == feature.Vector && clear32(v):
				vector[p] = float32(v)
			case f.Type == feature.Number && exact:
				r.values[k] = feature.Value{Kind: feature.KindNumber, Num: v}
			default:
				return false
			}
		}
		if f.Type == feature.Vector {
			r.values[k] = feature.Value{Kind: feature.KindVector, Vector: vector[:size:size]}
			vector = vector[size:]
		}
	}
	s.off = i
	return left == 0
}

// list reads a row written as a list in schema order. A vector stands there as
// one nested list, or expanded in place; null stands for a whole missing vector.
func (r *rowReader) list(s *scanner) error {
	k, place := 0, 0 // feature, and place within an expanded vector
	ahead := 0       // elements read by run
	want := r.schema.Width()
	vector := r.vector
	n, err := s.elements(func(int) error {
		if k == len(r.values) {
			return s.skip() // counted for the error below
		}
		f := &r.schema.Features[k]
		size := vectorSize(f)
		if size == 0 {
			k++
			return r.value(s, k-1, vector)
		}
		if place == 0 && s.next() != tokenNumber {
			err := r.value(s, k, vector)
			want -= size - 1
			vector = vector[size:]
			k++
			return err
		}
		got := run(s, vector[place:size-1])
		place, ahead = place+got, ahead+got
		v, err := r.element(s, k, place)
		if err != nil {
			return err
		}
		vector[place] = v
		if place++; place == size {
			r.values[k] = feature.Value{Kind: feature.KindVector, Vector: vector[:size:size]}
			vector = vector[size:]
			k, place = k+1, 0
		}
		return nil
	})
	if err != nil {
		return err
	}
	if n += ahead; n != want {
		return invalidf("want %d values, got %d", want, n)
	}
	return nil
}

// object reads a row written by feature names. A feature that is not there is
// missing, which its policy must allow.
func (r *rowReader) object(s *scanner) error {
	clear(r.seen)
	next := 0
	err := s.members(func(name []byte) error {
		k := next
		if k >= len(r.values) || r.schema.Features[k].Name != string(name) {
			var ok bool
			if k, ok = r.schema.Index(string(name)); !ok {
				return unknownFeature(r.schema, string(name))
			}
		}
		if r.seen[k] {
			return invalidf("feature %q is there twice", name)
		}
		r.seen[k] = true
		next = k + 1
		return r.value(s, k, r.vector[r.vectorAt(k):])
	})
	if err != nil {
		return err
	}
	return r.absent()
}

// absent checks the features that an object did not name.
func (r *rowReader) absent() error {
	var missing []string
	for k := range r.values {
		if r.seen[k] {
			continue
		}
		r.values[k] = feature.Value{}
		if f := &r.schema.Features[k]; !allowsMissing(f) {
			missing = append(missing, f.Name)
		}
	}
	if len(missing) > 0 {
		return invalidf("missing feature %s", list(missing))
	}
	return nil
}

func allowsMissing(f *feature.Feature) bool {
	return f.Missing != "" && f.Missing != feature.MissingError
}

// vectorAt returns where in r.vector feature k's numbers stand.
func (r *rowReader) vectorAt(k int) int {
	at := 0
	for i := range k {
		at += vectorSize(&r.schema.Features[i])
	}
	return at
}

// value reads the value of feature k; a vector's numbers go to vector.
func (r *rowReader) value(s *scanner, k int, vector []float32) error {
	f := &r.schema.Features[k]
	v := &r.values[k]
	var err error
	switch next := s.next(); {
	case next == tokenNull:
		*v = feature.Value{}
		return s.null()
	case next == tokenNone:
		return s.fail("a value")
	case f.Type == feature.Vector && next == tokenArray:
		err = r.nested(s, k, vector[:f.Size:f.Size])
		*v = feature.Value{Kind: feature.KindVector, Vector: vector[:f.Size:f.Size]}
		return err
	case f.Type != feature.Vector && fits(f.Type, next):
		*v, err = scalar(s, &r.words)
		return err
	}
	return invalidf("feature %q: want %s, got %s", f.Name, wanted(f.Type, f.Size), s.got())
}

// nested reads a vector written as a list of its own.
func (r *rowReader) nested(s *scanner, k int, dst []float32) error {
	ahead := 0 // elements read by run
	n, err := s.elements(func(i int) error {
		if i += ahead; i >= len(dst) {
			return s.skip()
		}
		got := run(s, dst[i:len(dst)-1])
		ahead, i = ahead+got, i+got
		v, err := r.element(s, k, i)
		dst[i] = v
		return err
	})
	n += ahead
	if err == nil && n != len(dst) {
		return invalidf("feature %q: want %d numbers, got %d", r.schema.Features[k].Name, len(dst), n)
	}
	return err
}

// element reads element i of vector feature k.
func (r *rowReader) element(s *scanner, k, i int) (float32, error) {
	switch s.next() {
	case tokenNumber:
	case tokenNone:
		return 0, s.fail("a number")
	default:
		return 0, invalidf("feature %q: element %d: want a number, got %s", r.schema.Features[k].Name, i, s.got())
	}
	at := s.off
	x, err := s.single()
	if err == nil && math.IsInf(float64(x), 0) {
		err = invalidf("feature %q: element %d: number %s is out of range for 32 bits",
			r.schema.Features[k].Name, i, cut(string(s.data[at:s.off]), 64))
	}
	return x, err
}

// fits reports whether a value of type t can be written as next. What the
// value itself must be, such as a whole number for a category, a frame checks.
func fits(t feature.Type, next token) bool {
	boolean := next == tokenTrue || next == tokenFalse
	switch t {
	case feature.Number:
		return next == tokenNumber
	case feature.Category:
		return next == tokenString || next == tokenNumber || boolean
	case feature.Boolean:
		return boolean || next == tokenNumber
	case feature.Vector:
		return next == tokenArray
	}
	return false
}

func wanted(t feature.Type, size int) string {
	switch t {
	case feature.Number:
		return "a number"
	case feature.Category:
		return "a string"
	case feature.Boolean:
		return "true or false"
	case feature.Vector:
		return "a list of " + plural(size, "number")
	}
	return "a value"
}

// scalar reads a number, string, boolean or null.
func scalar(s *scanner, w *words) (feature.Value, error) {
	switch s.next() {
	case tokenNumber:
		v, err := s.float()
		return feature.Value{Kind: feature.KindNumber, Num: v}, err
	case tokenString:
		text, err := s.str()
		return feature.Value{Kind: feature.KindText, Text: w.of(text)}, err
	case tokenTrue, tokenFalse:
		b, err := s.boolean()
		return boolValue(b), err
	case tokenNull:
		return feature.Value{}, s.null()
	case tokenObject, tokenArray, tokenNone:
	}
	return feature.Value{}, s.fail("a number, string, boolean or null")
}

func boolValue(b bool) feature.Value {
	v := feature.Value{Kind: feature.KindBool}
	if b {
		v.Num = 1
	}
	return v
}

func unknownFeature(s *feature.Schema, name string) error {
	names := featureNames(s)
	if near := nn.Nearest(name, names); near != "" {
		return invalidf("unknown feature %s: did you mean %s? known are %s", quote(name), quote(near), list(names))
	}
	return invalidf("unknown feature %s: known are %s", quote(name), list(names))
}

func featureNames(s *feature.Schema) []string {
	names := make([]string, len(s.Features))
	for i := range s.Features {
		names[i] = s.Features[i].Name
	}
	return names
}
