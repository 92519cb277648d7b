package feature_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/kernel/kerneltest"
)

func num(x float64) feature.Value { return feature.Value{Kind: feature.KindNumber, Num: x} }

func text(s string) feature.Value { return feature.Value{Kind: feature.KindText, Text: s} }

func cell(s string) feature.Value { return feature.Value{Kind: feature.KindCell, Text: s} }

func vec(x ...float32) feature.Value { return feature.Value{Kind: feature.KindVector, Vector: x} }

func yes(b bool) feature.Value {
	if b {
		return feature.Value{Kind: feature.KindBool, Num: 1}
	}
	return feature.Value{Kind: feature.KindBool}
}

var none = feature.Value{}

// regression is a schema of the feature given and a number label.
func regression(f ...feature.Feature) *feature.Schema {
	return &feature.Schema{Features: f, Label: feature.Label{Name: "y", Type: feature.Number}}
}

// frameOf returns a frame of one-feature rows, all labelled 0.
func frameOf(tb testing.TB, s *feature.Schema, values ...feature.Value) *feature.Frame {
	tb.Helper()
	f := feature.NewFrame(s, true)
	for i, v := range values {
		if err := f.Append(feature.Row{Values: []feature.Value{v}, Label: num(0)}); err != nil {
			tb.Fatalf("Append(row %d) = %v", i, err)
		}
	}
	return f
}

func fit(tb testing.TB, f *feature.Frame) *feature.Pipeline {
	tb.Helper()
	p, err := feature.Fit(f)
	if err != nil {
		tb.Fatalf("Fit() = %v", err)
	}
	return p
}

func transform(tb testing.TB, p *feature.Pipeline, f *feature.Frame) []float32 {
	tb.Helper()
	dst := make([]float32, f.Len()*p.Width())
	for i := range dst {
		dst[i] = float32(math.NaN()) // every place must be written
	}
	if err := p.Transform(dst, f, 0, f.Len()); err != nil {
		tb.Fatalf("Transform() = %v", err)
	}
	return dst
}

func near(got, want, tolerance float64) bool {
	return kerneltest.Tolerance{Abs: tolerance}.Near(got, want)
}

func TestTransform(t *testing.T) {
	n := func(f feature.Feature) feature.Feature {
		f.Name, f.Type = "x", feature.Number
		return f
	}
	v := func(size int, scale ...feature.Scale) feature.Feature {
		return feature.Feature{Name: "x", Type: feature.Vector, Size: size, Scale: scale}
	}
	c := func(f feature.Feature) feature.Feature {
		f.Name, f.Type = "x", feature.Category
		return f
	}
	scale := func(s ...feature.Scale) []feature.Scale { return s }
	tests := []struct {
		name    string
		feature feature.Feature
		train   []feature.Value
		rows    []feature.Value
		want    []float32
		columns string
	}{
		{
			name: "number unscaled", feature: n(feature.Feature{Scale: scale(feature.None)}),
			train: []feature.Value{num(1), num(3)}, rows: []feature.Value{num(-7.5)}, want: []float32{-7.5}, columns: "x",
		},
		{
			name: "standardize by default", feature: n(feature.Feature{}),
			train: []feature.Value{num(1), num(3)}, rows: []feature.Value{num(1), num(2), num(5)}, want: []float32{-1, 0, 3}, columns: "x",
		},
		{
			name: "constant standardized", feature: n(feature.Feature{}),
			train: []feature.Value{num(0.1), num(0.1), num(0.1)}, rows: []feature.Value{num(0.1), num(9)}, want: []float32{0, 0}, columns: "x",
		},
		{
			name: "min_max", feature: n(feature.Feature{Scale: scale(feature.MinMax)}),
			train: []feature.Value{num(2), num(4), num(3)}, rows: []feature.Value{num(2), num(3), num(6)}, want: []float32{0, 0.5, 2}, columns: "x",
		},
		{
			name: "constant min_max", feature: n(feature.Feature{Scale: scale(feature.MinMax)}),
			train: []feature.Value{num(2), num(2)}, rows: []feature.Value{num(2), num(6)}, want: []float32{0, 0}, columns: "x",
		},
		{
			name: "robust", feature: n(feature.Feature{Scale: scale(feature.Robust)}), // quartiles of 1 2 3 4: 1.75, 2.5, 3.25
			train: []feature.Value{num(4), num(1), num(3), num(2)}, rows: []feature.Value{num(2.5), num(4)}, want: []float32{0, 1}, columns: "x",
		},
		{
			name: "robust with equal quartiles", feature: n(feature.Feature{Scale: scale(feature.Robust)}),
			train: []feature.Value{num(5), num(5), num(5), num(5), num(90)}, rows: []feature.Value{num(5), num(7)}, want: []float32{0, 2}, columns: "x",
		},
		{
			name: "log1p then min_max", feature: n(feature.Feature{Scale: scale(feature.Log1p, feature.MinMax)}),
			train: []feature.Value{num(0), num(math.E - 1)}, rows: []feature.Value{num(math.E*math.E - 1)}, want: []float32{2}, columns: "x",
		},
		{
			name: "missing mean with indicator", feature: n(feature.Feature{Scale: scale(feature.None), Missing: feature.MissingMean, Indicator: true}),
			train: []feature.Value{num(1), none, num(3)}, rows: []feature.Value{none, num(7)}, want: []float32{2, 1, 7, 0}, columns: "x x.missing",
		},
		{
			name: "missing median", feature: n(feature.Feature{Scale: scale(feature.None), Missing: feature.MissingMedian}),
			train: []feature.Value{num(1), none, num(3), num(40), num(4)}, rows: []feature.Value{cell("")}, want: []float32{3.5}, columns: "x",
		},
		{
			name: "missing constant before the scale", feature: n(feature.Feature{Missing: feature.MissingConstant, Fill: 5}),
			train: []feature.Value{num(1), num(3)}, rows: []feature.Value{none}, want: []float32{3}, columns: "x",
		},
		{
			name: "vector by position", feature: v(3),
			train: []feature.Value{vec(1, 7, 0), vec(3, 7, 10)}, rows: []feature.Value{vec(5, 9, 0)}, want: []float32{3, 0, -1}, columns: "x[0] x[1] x[2]",
		},
		{
			name: "vector rescaled as a whole", feature: v(2, feature.Rescale),
			train: []feature.Value{vec(0, 51), vec(102, 255)}, rows: []feature.Value{vec(51, 255)}, want: []float32{0.2, 1}, columns: "x[0] x[1]",
		},
		{
			name: "vector log1p", feature: v(2, feature.Log1p),
			train: []feature.Value{vec(0, 1), vec(0, 2)}, rows: []feature.Value{vec(0, math.E-1)}, want: []float32{0, 1}, columns: "x[0] x[1]",
		},
		{
			name:    "vector missing mean",
			feature: feature.Feature{Name: "x", Type: feature.Vector, Size: 2, Scale: scale(feature.MinMax), Missing: feature.MissingMean, Indicator: true},
			train:   []feature.Value{vec(0, 1), none, vec(4, 3)}, rows: []feature.Value{none, vec(4, 1)}, want: []float32{0.5, 0.5, 1, 1, 0, 0}, columns: "x[0] x[1] x.missing",
		},
		{
			name: "boolean", feature: feature.Feature{Name: "x", Type: feature.Boolean, Missing: feature.MissingConstant, Fill: true, Indicator: true},
			train: []feature.Value{yes(true), yes(false)}, rows: []feature.Value{yes(false), none, cell("Yes"), num(1)},
			want: []float32{0, 0, 1, 1, 1, 0, 1, 0}, columns: "x x.missing",
		},
		{
			name: "one_hot sorted", feature: c(feature.Feature{}),
			train: []feature.Value{text("b"), text("a")}, rows: []feature.Value{text("a"), cell("b")}, want: []float32{1, 0, 0, 1}, columns: "x=a x=b",
		},
		{
			name: "one_hot whole numbers in their order", feature: c(feature.Feature{}),
			train: []feature.Value{num(10), cell("9")}, rows: []feature.Value{text("10"), num(9)}, want: []float32{0, 1, 1, 0}, columns: "x=9 x=10",
		},
		{
			name: "one_hot with zeros and a category for missing", feature: c(feature.Feature{Unknown: feature.UnknownZeros, Missing: feature.MissingCategory}),
			train: []feature.Value{text("b"), text("a")}, rows: []feature.Value{text("?"), none}, want: []float32{0, 0, 0, 0, 0, 1}, columns: "x=a x=b x.missing",
		},
		{
			name: "one_hot with constant", feature: c(feature.Feature{Missing: feature.MissingConstant, Fill: "z", Indicator: true}),
			train: []feature.Value{text("a")}, rows: []feature.Value{none, text("a")}, want: []float32{0, 1, 1, 1, 0, 0}, columns: "x=a x=z x.missing",
		},
		{
			name: "fixed vocabulary", feature: c(feature.Feature{Vocabulary: []string{"z", "a"}}),
			train: []feature.Value{text("a")}, rows: []feature.Value{text("z")}, want: []float32{1, 0}, columns: "x=z x=a",
		},
		{
			name: "embedding", feature: c(feature.Feature{Encode: feature.Embedding, Unknown: feature.UnknownZeros, Missing: feature.MissingCategory}),
			train: []feature.Value{text("b"), text("a")}, rows: []feature.Value{text("a"), text("b"), text("c"), none}, want: []float32{1, 2, 0, 3}, columns: "x",
		},
		{
			// FNV-1a 64 of "a" is af63dc4c8601ec8c, of "foobar" 85944171f73967e8 (RFC 9923).
			name: "hashing", feature: c(feature.Feature{Encode: feature.Hashing, Buckets: 3}),
			train: []feature.Value{text("b")}, rows: []feature.Value{text("a"), text("foobar")},
			want: append(hot(3, 0xaf63dc4c8601ec8c%3), hot(3, 0x85944171f73967e8%3)...), columns: "x[0] x[1] x[2]",
		},
		{
			name: "hashing with a category for missing", feature: c(feature.Feature{Encode: feature.Hashing, Buckets: 1, Missing: feature.MissingCategory}),
			train: []feature.Value{text("b")}, rows: []feature.Value{none, text("q")}, want: []float32{0, 1, 1, 0}, columns: "x[0] x.missing",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := regression(tt.feature)
			if err := s.Validate(); err != nil {
				t.Fatalf("Validate() = %v", err)
			}
			p := fit(t, frameOf(t, s, tt.train...))
			got := transform(t, p, frameOf(t, s, tt.rows...))
			for i := range got {
				// Results are rounded to float32 once or twice.
				if !near(float64(got[i]), float64(tt.want[i]), 1e-6) {
					t.Fatalf("Transform() = %v, want %v", got, tt.want)
				}
			}
			var names []string
			for _, c := range p.Columns() {
				names = append(names, c.Name)
			}
			if got := strings.Join(names, " "); got != tt.columns {
				t.Errorf("Columns() = %q, want %q", got, tt.columns)
			}
		})
	}
}

func hot(n int, at uint64) []float32 {
	v := make([]float32, n)
	v[at] = 1
	return v
}

func TestEmbeddingColumn(t *testing.T) {
	s := regression(feature.Feature{Name: "x", Type: feature.Category, Encode: feature.Embedding})
	c := fit(t, frameOf(t, s, text("a"), text("b"), text("c"))).Columns()[0]
	if c.Categories != 4 || c.Units != 2 {
		t.Errorf("Categories, Units = %d, %d, want 4 (unknown included), 2 (half the categories)", c.Categories, c.Units)
	}
}

func TestPublishedScalers(t *testing.T) {
	var published struct {
		Standardize struct{ X, Transformed [][]float64 }
		MinMax      struct {
			X    []float64
			Want []float64 `json:"learn_then_transform_one"`
		} `json:"min_max"`
	}
	raw, err := os.ReadFile("testdata/scalers.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &published); err != nil {
		t.Fatal(err)
	}
	t.Run("standardize", func(t *testing.T) {
		s := regression(feature.Feature{Name: "x", Type: feature.Number})
		s.Features = append(s.Features, feature.Feature{Name: "z", Type: feature.Number})
		f := feature.NewFrame(s, true)
		for _, x := range published.Standardize.X {
			if err := f.Append(feature.Row{Values: []feature.Value{num(x[0]), num(x[1])}, Label: num(0)}); err != nil {
				t.Fatal(err)
			}
		}
		got := transform(t, fit(t, f), f)
		for i, want := range slices.Concat(published.Standardize.Transformed...) {
			if !near(float64(got[i]), want, 2e-7) { // half a float32 unit at 2
				t.Errorf("place %d = %v, want %v", i, got[i], want)
			}
		}
	})
	t.Run("min_max", func(t *testing.T) {
		s := regression(feature.Feature{Name: "x", Type: feature.Number, Scale: []feature.Scale{feature.MinMax}})
		for n := range published.MinMax.X {
			var values []feature.Value
			for _, x := range published.MinMax.X[:n+1] {
				values = append(values, num(x))
			}
			f := frameOf(t, s, values...)
			got := transform(t, fit(t, f), f)[n]
			if !near(float64(got), published.MinMax.Want[n], 1e-6) { // published with 6 digits
				t.Errorf("after %d rows: got %v, want %v", n+1, got, published.MinMax.Want[n])
			}
		}
	})
}

func checkError(t *testing.T, what string, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("%s = nil, want %q", what, want)
	}
	if !errors.Is(err, feature.ErrInvalid) {
		t.Errorf("%s does not wrap ErrInvalid: %v", what, err)
	}
	if err.Error() != want {
		t.Errorf("%s\n got %s\nwant %s", what, err, want)
	}
}

func TestTransformRefuses(t *testing.T) {
	island := feature.Feature{Name: "island", Type: feature.Category}
	islands := []feature.Value{text("Dream"), text("Biscoe"), text("Torgersen")}
	many := make([]feature.Value, 12)
	for i := range many {
		many[i] = num(float64(i))
	}
	tests := []struct {
		name    string
		feature feature.Feature
		train   []feature.Value
		row     feature.Value
		want    string
	}{
		{"unknown category", island, islands, text("Mars"), `row 1: feature "island": unknown category "Mars": the training rows had "Biscoe", "Dream", "Torgersen"`},
		{
			"unknown among many",
			feature.Feature{Name: "n", Type: feature.Category},
			many, text(strings.Repeat("ä", 40)),
			`row 1: feature "n": unknown category "` + strings.Repeat("ä", 24) + `"…: the training rows had "0", "1", "2", "3", "4", "5", "6", "7", "8", "9" and 2 more`,
		},
		{"unknown index", feature.Feature{Name: "x", Type: feature.Category, Encode: feature.Embedding}, islands, text("Mars"), `row 1: feature "x": unknown category "Mars": the training rows had "Biscoe", "Dream", "Torgersen"`},
		{"domain", feature.Feature{Name: "x", Type: feature.Number, Scale: []feature.Scale{feature.Log1p}}, []feature.Value{num(1)}, num(-2), `row 1: feature "x": got -2: scale "log1p" needs values above -1`},
		{"domain of a vector", feature.Feature{Name: "x", Type: feature.Vector, Size: 2, Scale: []feature.Scale{feature.Log1p}}, []feature.Value{vec(1, 2)}, vec(0, -2), `row 1: feature "x" at position 1: got -2: scale "log1p" needs values above -1`},
		{"beyond float32", feature.Feature{Name: "x", Type: feature.Number, Scale: []feature.Scale{feature.None}}, []feature.Value{num(1)}, num(1e39), `row 1: feature "x": got 1e+39, scaled to 1e+39: that is beyond a float32`},
		{"vector beyond float32", feature.Feature{Name: "x", Type: feature.Vector, Size: 1}, []feature.Value{vec(0), vec(1e-6)}, vec(1e38), `row 1: feature "x" at position 0: got 1e+38, scaled to 2e+44: that is beyond a float32`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := regression(tt.feature)
			p := fit(t, frameOf(t, s, tt.train...))
			f := frameOf(t, s, tt.train[0], tt.row)
			err := p.Transform(make([]float32, 2*p.Width()), f, 0, 2)
			checkError(t, "Transform()", err, tt.want)
			if e, ok := errors.AsType[*feature.RowError](err); !ok || e.Row != 1 {
				t.Errorf("Transform() = %#v, want a RowError of row 1", err)
			}
		})
	}
	t.Run("missing in a laxer frame", func(t *testing.T) {
		strict := regression(feature.Feature{Name: "x", Type: feature.Number})
		lax := regression(feature.Feature{Name: "x", Type: feature.Number, Missing: feature.MissingMean})
		p := fit(t, frameOf(t, strict, num(1)))
		err := p.Transform(make([]float32, 1), frameOf(t, lax, none), 0, 1)
		checkError(t, "Transform()", err, `row 0: feature "x": the value is missing`)
	})
	t.Run("another schema", func(t *testing.T) {
		p := fit(t, frameOf(t, regression(feature.Feature{Name: "x", Type: feature.Number}), num(1)))
		other := frameOf(t, regression(feature.Feature{Name: "z", Type: feature.Number}), num(1))
		checkError(t, "Transform()", p.Transform(make([]float32, 1), other, 0, 1), "the frame was built for another schema")
		checkError(t, "Targets()", p.Targets(make([]float32, 1), other, 0, 1), "the frame was built for another schema")
	})
	t.Run("bounds", func(t *testing.T) {
		f := frameOf(t, regression(feature.Feature{Name: "x", Type: feature.Number}), num(1), num(2))
		p := fit(t, f)
		dst := make([]float32, 2)
		checkError(t, "Transform()", p.Transform(dst, f, 1, 3), "got rows [1, 3) of a frame of 2")
		checkError(t, "Transform()", p.Transform(dst, f, 0, 1), "got a matrix of 2 numbers: 1 rows of 1 are due")
		checkError(t, "Gather()", p.Gather(dst, f, []int{0, 2}), "got row 2 of a frame of 2")
		checkError(t, "Targets()", p.Targets(dst, f, 0, 1), "got 2 places: 1 are due")
		unlabelled := feature.NewFrame(f.Schema(), false)
		checkError(t, "Targets()", p.Targets(nil, unlabelled, 0, 0), "the rows have no labels")
	})
}
