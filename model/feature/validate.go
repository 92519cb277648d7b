package feature

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Bounds that keep a schema from asking for more than a machine has.
const (
	maxName       = 256
	maxSize       = 1 << 20 // numbers in a vector, hashing buckets, matrix columns
	maxCategories = 1 << 24 // indices that are exact in a float32
	maxUnits      = 1 << 12
)

const labelKey = ".label" // the label's name in a State

// Validate reports, wrapping [ErrInvalid], every contradiction in s: doubled or
// empty names, unknown words, settings that do not fit the type. Each is a
// [*FieldError]; several are joined.
func (s *Schema) Validate() error {
	var c check
	if len(s.Features) == 0 {
		c.failf("features", "the schema has no features: one at least is due")
	}
	seen := make(map[string]bool, len(s.Features))
	for i := range s.Features {
		f := &s.Features[i]
		c.prefix, c.title = fmt.Sprintf("features[%d].", i), f.title()
		if c.name(f.Name) && seen[f.Name] {
			c.failf("name", "there are two features of this name")
		}
		seen[f.Name] = true
		c.feature(f)
	}
	c.prefix, c.title = "label.", s.Label.title()
	if c.name(s.Label.Name) && seen[s.Label.Name] {
		c.failf("name", "there is a feature of this name")
	}
	c.label(&s.Label)
	return errors.Join(c.errs...)
}

// A check collects what is wrong.
type check struct {
	prefix, title string
	errs          []error
}

func (c *check) failf(key, format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	if c.title != "" {
		msg = c.title + ": " + msg
	}
	c.errs = append(c.errs, &FieldError{Path: c.prefix + key, Msg: msg})
}

func (c *check) name(name string) bool {
	before := len(c.errs)
	switch {
	case name == "":
		c.failf("name", "the name is empty")
	case name == labelKey:
		c.failf("name", "the name is reserved")
	case len(name) > maxName:
		c.failf("name", "the name has %d bytes: %d at most are allowed", len(name), maxName)
	case !utf8.ValidString(name):
		c.failf("name", "the name is not UTF-8")
	}
	return len(c.errs) == before
}

// word checks that got is empty or one of those allowed.
func word[T ~string](c *check, key string, got T, allowed ...T) {
	if got == "" || slices.Contains(allowed, got) {
		return
	}
	words := make([]string, len(allowed))
	for i, w := range allowed {
		words[i] = string(w)
	}
	c.failf(key, "%s is %s: one of %s is due", key, quote(string(got)), list(words))
}

func (c *check) feature(f *Feature) {
	switch f.Type {
	case Number, Vector:
		c.scale(f.Scale)
		word(c, "missing", f.Missing, MissingError, MissingMean, MissingMedian, MissingConstant)
	case Boolean:
		word(c, "missing", f.Missing, MissingError, MissingConstant)
	case Category:
		word(c, "missing", f.Missing, MissingError, MissingConstant, MissingCategory)
		c.category(f)
	case "":
		c.failf("type", "the type is missing: one of %q, %q, %q, %q is due", Number, Category, Boolean, Vector)
		return
	default:
		word(c, "type", f.Type, Number, Category, Boolean, Vector)
		return
	}
	if f.Type == Vector && (f.Size < 1 || f.Size > maxSize) {
		c.failf("size", "size is %d: a vector has 1 to %d numbers", f.Size, maxSize)
	}
	numeric := f.Type == Number || f.Type == Vector
	c.foreign(f.Type, "size", f.Size != 0 && f.Type != Vector)
	c.foreign(f.Type, "scale", len(f.Scale) > 0 && !numeric)
	if f.Type != Category {
		c.foreign(f.Type, "encode", f.Encode != "")
		c.foreign(f.Type, "buckets", f.Buckets != 0)
		c.foreign(f.Type, "units", f.Units != 0)
		c.foreign(f.Type, "vocabulary", len(f.Vocabulary) > 0)
		c.foreign(f.Type, "unknown", f.Unknown != "")
	}
	c.fill(f)
}

// foreign reports a setting that the type does not have.
func (c *check) foreign(t Type, key string, set bool) {
	if set {
		c.failf(key, "a %s has no %s", t, key)
	}
}

func (c *check) scale(scales []Scale) {
	for i, s := range scales {
		word(c, "scale", s, None, Standardize, MinMax, Rescale, Robust, Log1p)
		switch {
		case s == "":
			c.failf("scale", "scale has an empty entry")
		case s == None && len(scales) > 1:
			c.failf("scale", "scale %q stands alone or not at all", None)
		case slices.Contains(scales[:i], s):
			c.failf("scale", "scale %q is listed twice", s)
		}
	}
}

func (c *check) category(f *Feature) {
	word(c, "encode", f.Encode, OneHot, Hashing, Embedding)
	word(c, "unknown", f.Unknown, UnknownError, UnknownZeros)
	hashing := f.Encode == Hashing
	switch {
	case hashing && (f.Buckets < 1 || f.Buckets > maxSize):
		c.failf("buckets", "buckets is %d: hashing needs 1 to %d", f.Buckets, maxSize)
	case !hashing && f.Buckets != 0:
		c.failf("buckets", "only encode %q has buckets", Hashing)
	}
	switch {
	case f.Encode == Embedding && (f.Units < 0 || f.Units > maxUnits):
		c.failf("units", "units is %d: an embedding has 1 to %d", f.Units, maxUnits)
	case f.Encode != Embedding && f.Units != 0:
		c.failf("units", "only encode %q has units", Embedding)
	}
	if hashing && len(f.Vocabulary) > 0 {
		c.failf("vocabulary", "encode %q has no vocabulary", Hashing)
	}
	if hashing && f.Unknown != "" {
		c.failf("unknown", "encode %q knows no unknown category", Hashing)
	}
	if len(f.Vocabulary) > 0 {
		c.words("vocabulary", f.Vocabulary)
	}
}

func (c *check) words(key string, words []string) {
	if msg := wordsProblem(words); msg != "" {
		c.failf(key, "%s %s", key, msg)
	}
}

// wordsProblem says what is wrong with a vocabulary, or nothing.
func wordsProblem(words []string) string {
	if len(words) > maxCategories-2 {
		return fmt.Sprintf("has %d entries: %d at most are allowed", len(words), maxCategories-2)
	}
	seen := make(map[string]bool, len(words))
	for _, w := range words {
		if !utf8.ValidString(w) {
			return "has an entry that is not UTF-8: " + quote(w)
		}
		if seen[w] {
			return "lists " + quote(w) + " twice"
		}
		seen[w] = true
	}
	return ""
}

func (c *check) fill(f *Feature) {
	if f.Missing != MissingConstant {
		if f.Fill != nil {
			c.failf("fill", "fill needs missing: %s", MissingConstant)
		}
		if f.Indicator && (f.Missing == "" || f.Missing == MissingError) {
			c.failf("indicator", "indicator needs a policy for missing values: missing is %q", MissingError)
		}
		if f.Indicator && f.Missing == MissingCategory {
			c.failf("indicator", "missing: %s already tells missing values apart", MissingCategory)
		}
		return
	}
	if err := f.fillError(); err != nil {
		c.failf("fill", "fill: %v", err)
	}
}

func (f *Feature) fillError() error {
	switch f.Type {
	case Number, Vector:
		fill, err := f.fillNumbers()
		if err == nil && len(f.Scale) > 0 && f.Scale[0] == Log1p && slices.Min(fill) <= -1 {
			return invalidf("got %v: scale %q needs values above -1", slices.Min(fill), Log1p)
		}
		return err
	case Boolean:
		v := fillValue(f.Fill)
		_, err := v.boolean()
		return err
	case Category:
		text, err := f.fillText()
		if err == nil && len(f.Vocabulary) > 0 && !slices.Contains(f.Vocabulary, text) {
			return invalidf("%s is not in the vocabulary", quote(text))
		}
		return err
	}
	return nil
}

// fillNumbers returns the constant of each position: one number for all, or a
// list.
func (f *Feature) fillNumbers() ([]float64, error) {
	fill := make([]float64, f.places())
	entries, listed := f.Fill.([]any)
	if listed && (f.Type != Vector || len(entries) != len(fill)) {
		return nil, invalidf("got a list of %d values: %d are due", len(entries), len(fill))
	}
	for i := range fill {
		entry := f.Fill
		if listed {
			entry = entries[i]
		}
		v := fillValue(entry)
		x, err := v.number()
		if err != nil {
			return nil, err
		}
		fill[i] = x
	}
	return fill, nil
}

func (f *Feature) fillText() (string, error) {
	v := fillValue(f.Fill)
	text, err := v.category(nil)
	return string(text), err
}

// fillValue takes what JSON and YAML decoders make of a scalar; anything else
// is missing.
func fillValue(fill any) Value {
	switch x := fill.(type) {
	case float64:
		return Value{Kind: KindNumber, Num: x}
	case float32:
		return Value{Kind: KindNumber, Num: float64(x)}
	case int:
		return Value{Kind: KindNumber, Num: float64(x)}
	case int64:
		return Value{Kind: KindNumber, Num: float64(x)}
	case uint64:
		return Value{Kind: KindNumber, Num: float64(x)}
	case json.Number:
		if n, err := x.Float64(); err == nil {
			return Value{Kind: KindNumber, Num: n}
		}
	case bool:
		if x {
			return Value{Kind: KindBool, Num: 1}
		}
		return Value{Kind: KindBool}
	case string:
		return Value{Kind: KindText, Text: x}
	}
	return Value{}
}

func (c *check) label(l *Label) {
	switch l.Type {
	case Number:
		c.scale(l.Scale)
	case Category, Boolean:
	case "":
		c.failf("type", "the type is missing: one of %q, %q, %q is due", Number, Category, Boolean)
		return
	case Vector:
		c.failf("type", "a label cannot be a vector: one of %q, %q, %q is due", Number, Category, Boolean)
		return
	default:
		word(c, "type", l.Type, Number, Category, Boolean)
		return
	}
	c.foreign(l.Type, "scale", len(l.Scale) > 0 && l.Type != Number)
	c.foreign(l.Type, "classes", len(l.Classes) > 0 && l.Type != Category)
	if len(l.Classes) == 1 {
		c.failf("classes", "classes has one entry: a classifier needs two or more")
	}
	if len(l.Classes) > 1 {
		c.words("classes", l.Classes)
	}
}
