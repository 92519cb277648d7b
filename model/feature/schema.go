package feature

import "slices"

// Type says what values a feature holds.
type Type string

// The types of features and labels. A label is a number, category or boolean.
const (
	Number   Type = "number"   // one finite number
	Category Type = "category" // one of a set of strings
	Boolean  Type = "boolean"  // false or true, 0 or 1 in the matrix
	Vector   Type = "vector"   // Size finite numbers, such as the pixels of an image
)

// Scale names a fitted transform of numbers.
type Scale string

// The scales of number and vector features and of number labels, applied in
// the order listed in the schema, each at most once. The default is
// [standardize] for features and none for labels. Statistics are of the values
// present in the training rows; for a vector they are kept by position, but for
// rescale.
const (
	None        Scale = "none"        // x
	Standardize Scale = "standardize" // (x − mean) / standard deviation (ddof 0); a constant column gives 0
	MinMax      Scale = "min_max"     // (x − min) / (max − min); a constant column gives 0
	Rescale     Scale = "rescale"     // as min_max, with one min and max for all positions of a vector: pixels 0 … 255 become 0 … 1
	Robust      Scale = "robust"      // (x − median) / (q75 − q25), quartiles by linear interpolation; x − median where they are equal
	Log1p       Scale = "log1p"       // ln(1 + x); x ≤ −1 is an error
)

// Encoding names how a category becomes numbers.
type Encoding string

// The encodings of category features; the default is one_hot.
const (
	OneHot    Encoding = "one_hot"   // a column a category
	Hashing   Encoding = "hashing"   // Buckets columns, the one at FNV-1a 64 of the UTF-8 text modulo Buckets is 1: knows no unknown category
	Embedding Encoding = "embedding" // one column, the category's index from 1, for the network's embedding of Units numbers; index 0 means unknown
)

// Missing names what stands for a missing value.
type Missing string

// The policies for missing values; the default is error.
const (
	MissingError    Missing = "error"    // a missing value is an error
	MissingMean     Missing = "mean"     // number, vector: the training rows' mean
	MissingMedian   Missing = "median"   // number, vector: the training rows' median
	MissingConstant Missing = "constant" // number, vector, boolean, category: Fill
	MissingCategory Missing = "category" // category: a category of its own, after the others (a further column, with embedding a further index)
)

// Unknown names what becomes of a category the training rows did not show.
type Unknown string

// The policies for unknown categories; the default is error.
const (
	UnknownError Unknown = "error" // an unknown category is an error
	UnknownZeros Unknown = "zeros" // all its columns are 0 (one_hot), index 0 (embedding)
)

// A Feature declares one input of a model. Zero fields mean the default.
type Feature struct {
	Name       string   `json:"name" yaml:"name"`
	Type       Type     `json:"type" yaml:"type"`
	Size       int      `json:"size,omitempty" yaml:"size,omitempty"`             // vector: how many numbers
	Scale      []Scale  `json:"scale,omitempty" yaml:"scale,omitempty"`           // number, vector
	Encode     Encoding `json:"encode,omitempty" yaml:"encode,omitempty"`         // category
	Buckets    int      `json:"buckets,omitempty" yaml:"buckets,omitempty"`       // category, hashing: how many columns
	Units      int      `json:"units,omitempty" yaml:"units,omitempty"`           // category, embedding: its width
	Vocabulary []string `json:"vocabulary,omitempty" yaml:"vocabulary,omitempty"` // category: fixed categories; default: those of the training rows, sorted
	Missing    Missing  `json:"missing,omitempty" yaml:"missing,omitempty"`
	Fill       any      `json:"fill,omitempty" yaml:"fill,omitempty"`           // with missing: constant
	Indicator  bool     `json:"indicator,omitempty" yaml:"indicator,omitempty"` // add a column that is 1 where the value was missing
	Unknown    Unknown  `json:"unknown,omitempty" yaml:"unknown,omitempty"`     // category
}

// A Label declares what a model predicts.
type Label struct {
	Name    string   `json:"name" yaml:"name"`
	Type    Type     `json:"type" yaml:"type"`                           // number: regression; category, boolean: classification
	Scale   []Scale  `json:"scale,omitempty" yaml:"scale,omitempty"`     // number; predictions are scaled back
	Classes []string `json:"classes,omitempty" yaml:"classes,omitempty"` // category: fixed classes; default: those of the training rows, sorted
}

// A Schema declares the inputs and the output of a model.
type Schema struct {
	Features []Feature `json:"features" yaml:"features"`
	Label    Label     `json:"label" yaml:"label"`
}

// Index returns the position of the named feature, and whether there is one.
func (s *Schema) Index(name string) (int, bool) {
	i := slices.IndexFunc(s.Features, func(f Feature) bool { return f.Name == name })
	return max(i, 0), i >= 0
}

// Width returns how many values a row has when written as one flat list.
func (s *Schema) Width() int {
	width := 0
	for i := range s.Features {
		width += s.Features[i].places()
	}
	return width
}

// Numeric reports whether every feature is a number or vector, so that rows can
// be given as one float matrix.
func (s *Schema) Numeric() bool {
	for i := range s.Features {
		if t := s.Features[i].Type; t != Number && t != Vector {
			return false
		}
	}
	return true
}

// places returns how many places the feature takes in a flat list.
func (f *Feature) places() int {
	if f.Type == Vector {
		return f.Size
	}
	return 1
}

// title names the feature in errors.
func (f *Feature) title() string { return "feature " + quote(f.Name) }

// title names the label in errors.
func (l *Label) title() string { return "label " + quote(l.Name) }

// scales returns the feature's scales with the default filled in and without
// none.
func (f *Feature) scales() []Scale {
	switch {
	case f.Type != Number && f.Type != Vector:
		return nil
	case len(f.Scale) == 0:
		return []Scale{Standardize}
	case f.Scale[0] == None:
		return nil
	}
	return f.Scale
}

// scales returns the label's scales without none.
func (l *Label) scales() []Scale {
	if len(l.Scale) == 1 && l.Scale[0] == None {
		return nil
	}
	return l.Scale
}

// clone returns a copy of s that shares no memory with it.
func (s *Schema) clone() Schema {
	c := Schema{Features: slices.Clone(s.Features), Label: s.Label}
	for i := range c.Features {
		f := &c.Features[i]
		f.Scale = slices.Clone(f.Scale)
		f.Vocabulary = slices.Clone(f.Vocabulary)
		if fill, ok := f.Fill.([]any); ok {
			f.Fill = slices.Clone(fill)
		}
	}
	c.Label.Scale = slices.Clone(c.Label.Scale)
	c.Label.Classes = slices.Clone(c.Label.Classes)
	return c
}

// fits reports whether frames of o hold what pipelines of s read.
func (s *Schema) fits(o *Schema) bool {
	return slices.EqualFunc(s.Features, o.Features, func(a, b Feature) bool {
		return a.Name == b.Name && a.Type == b.Type && a.Size == b.Size
	}) && s.Label.Name == o.Label.Name && s.Label.Type == o.Label.Type
}
