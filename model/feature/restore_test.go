package feature_test

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/modelbus/modelbus/model/feature"
)

func fittedMixed(tb testing.TB) *feature.Pipeline {
	tb.Helper()
	f := feature.NewFrame(mixed(), true)
	for _, species := range []string{"Adelie", "Gentoo"} {
		r := mixedRow()
		r.Label = text(species)
		if err := f.Append(r); err != nil {
			tb.Fatal(err)
		}
	}
	return fit(tb, f)
}

func TestRestoreRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*feature.Schema, *feature.State)
		want   string
	}{
		{"statistic lost", func(_ *feature.Schema, st *feature.State) { delete(st.Stats, "age.mean") }, `feature "age": the state has no mean`},
		{"statistic short", func(_ *feature.Schema, st *feature.State) { st.Stats["pixels.std"] = []float64{1} }, `feature "pixels": the state has 1 values of std: 2 are due`},
		{"statistic NaN", func(_ *feature.Schema, st *feature.State) { st.Stats["age.fill"] = []float64{math.NaN()} }, `feature "age": fill is NaN: the values are too large, or the state is damaged`},
		{"negative deviation", func(_ *feature.Schema, st *feature.State) { st.Stats["age.std"] = []float64{-1} }, `feature "age": std is negative`},
		{"foreign statistic", func(_ *feature.Schema, st *feature.State) { st.Stats["age.max"] = []float64{1} }, `the state has a statistic "age.max" that the schema has no use for`},
		{"vocabulary lost", func(_ *feature.Schema, st *feature.State) { delete(st.Vocabularies, "island") }, `feature "island": the state has no vocabulary`},
		{"vocabulary empty", func(_ *feature.Schema, st *feature.State) { st.Vocabularies["island"] = nil }, `feature "island": the vocabulary is empty`},
		{"vocabulary doubled", func(_ *feature.Schema, st *feature.State) { st.Vocabularies["island"] = []string{"a", "a"} }, `feature "island": the vocabulary lists "a" twice`},
		{"vocabulary not UTF-8", func(_ *feature.Schema, st *feature.State) { st.Vocabularies["island"] = []string{"\xff"} }, `feature "island": the vocabulary has an entry that is not UTF-8: "\xff"`},
		{"foreign vocabulary", func(_ *feature.Schema, st *feature.State) { st.Vocabularies["age"] = []string{"a"} }, `the state has a vocabulary "age" that the schema has no use for`},
		{"one class", func(_ *feature.Schema, st *feature.State) { st.Vocabularies[".label"] = []string{"a"} }, `label "species": the state has 1 class: a classifier needs two or more`},
		{"other classes", func(s *feature.Schema, _ *feature.State) { s.Label.Classes = []string{"a", "b"} }, `label "species": the state's vocabulary is not the schema's`},
		{"invalid schema", func(s *feature.Schema, _ *feature.State) { s.Features[0].Name = "" }, `feature "": the name is empty`},
		{"range upside down", func(s *feature.Schema, st *feature.State) {
			s.Features[0].Scale = []feature.Scale{feature.MinMax}
			delete(st.Stats, "age.mean")
			delete(st.Stats, "age.std")
			st.Stats["age.min"], st.Stats["age.max"] = []float64{2}, []float64{1}
		}, `feature "age": min 2 and max 1 are no range`},
		{"fill outside the domain", func(s *feature.Schema, st *feature.State) {
			s.Features[0].Scale = []feature.Scale{feature.Log1p}
			delete(st.Stats, "age.mean")
			delete(st.Stats, "age.std")
			st.Stats["age.fill"] = []float64{-3}
		}, `feature "age": fill: got -3: scale "log1p" needs values above -1`},
		{"matrix too wide", func(s *feature.Schema, _ *feature.State) {
			s.Features = append(s.Features, feature.Feature{Name: "v", Type: feature.Vector, Size: 1 << 20, Scale: []feature.Scale{feature.None}})
		}, `feature "v": the matrix has 1048583 columns by now: 1048576 at most are allowed`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := fittedMixed(t)
			s, st := *mixed(), p.State()
			tt.change(&s, &st)
			_, err := feature.Restore(s, st)
			checkError(t, "Restore()", err, tt.want)
		})
	}
}

func TestRestoreSharesNothing(t *testing.T) {
	s, st := *mixed(), fittedMixed(t).State()
	p, err := feature.Restore(s, st)
	if err != nil {
		t.Fatal(err)
	}
	st.Stats["age.mean"][0] = 77
	st.Vocabularies["island"][0] = "Mars"
	s.Features[0].Name = "other"
	if got := p.State(); got.Stats["age.mean"][0] == 77 || got.Vocabularies["island"][0] == "Mars" || p.Schema().Features[0].Name != "age" {
		t.Errorf("the pipeline changed with its caller's memory: %+v", got)
	}
}

func TestTooManyCategories(t *testing.T) {
	f := feature.NewFrame(regression(feature.Feature{Name: "id", Type: feature.Category}), true)
	for i := range 1<<14 + 1 {
		if err := f.Append(feature.Row{Values: []feature.Value{num(float64(i))}, Label: num(0)}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := feature.Fit(f)
	checkError(t, "Fit()", err, `feature "id": 16385 categories are too many for encode "one_hot", which takes 16384: "embedding" or "hashing" is due`)
}

// drawSchema draws a schema with every type and policy.
func drawSchema(t *rapid.T) *feature.Schema {
	scales := [][]feature.Scale{
		nil,
		{feature.None},
		{feature.Standardize},
		{feature.MinMax},
		{feature.Rescale},
		{feature.Robust},
		{feature.Robust, feature.MinMax},
	}
	s := &feature.Schema{Label: feature.Label{Name: "y", Type: feature.Number, Scale: rapid.SampledFrom(scales).Draw(t, "label scale")}}
	s.Features = []feature.Feature{
		{Name: "n", Type: feature.Number, Scale: rapid.SampledFrom(scales).Draw(t, "scale"), Missing: feature.MissingMedian, Indicator: rapid.Bool().Draw(t, "indicator")},
		{Name: "v", Type: feature.Vector, Size: 3, Scale: rapid.SampledFrom(scales).Draw(t, "vector scale"), Missing: feature.MissingMean},
		{Name: "c", Type: feature.Category, Encode: rapid.SampledFrom([]feature.Encoding{"", feature.Embedding}).Draw(t, "encode"), Missing: feature.MissingCategory},
		{Name: "h", Type: feature.Category, Encode: feature.Hashing, Buckets: 4},
		{Name: "b", Type: feature.Boolean, Missing: feature.MissingConstant, Fill: false},
	}
	return s
}

func drawFrame(t *rapid.T, s *feature.Schema) *feature.Frame {
	// Multiples of 1/1024: quartiles that are not equal are then so far apart that
	// no value scaled by their distance leaves the range of a float32.
	number := rapid.Map(rapid.Int32Range(-1<<30, 1<<30), func(n int32) float64 { return float64(n) / 1024 })
	f := feature.NewFrame(s, true)
	for i := range rapid.IntRange(1, 40).Draw(t, "rows") {
		drawn := []feature.Value{
			num(number.Draw(t, "n")),
			vec(float32(number.Draw(t, "v")), float32(number.Draw(t, "v")), 5),
			text(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "c")),
			text(rapid.String().Draw(t, "h")),
			yes(rapid.Bool().Draw(t, "b")),
		}
		for j := range drawn {
			if i > 0 && j != 3 && rapid.IntRange(0, 9).Draw(t, "missing") == 0 {
				drawn[j] = none
			}
		}
		if err := f.Append(feature.Row{Values: drawn, Label: num(number.Draw(t, "y"))}); err != nil {
			t.Fatalf("Append() = %v", err)
		}
	}
	return f
}

func TestRestoreTransformsAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFrame(t, drawSchema(t))
		p, err := feature.Fit(f)
		if err != nil {
			t.Fatalf("Fit() = %v", err)
		}
		raw, err := json.Marshal(p.State())
		if err != nil {
			t.Fatal(err)
		}
		var st feature.State
		if err := json.Unmarshal(raw, &st); err != nil {
			t.Fatal(err)
		}
		restored, err := feature.Restore(*p.Schema(), st)
		if err != nil {
			t.Fatalf("Restore() = %v", err)
		}
		if !reflect.DeepEqual(restored.Columns(), p.Columns()) || len(p.Columns()) != p.Width() {
			t.Fatalf("Columns() = %v, want %v, %d of them", restored.Columns(), p.Columns(), p.Width())
		}
		want := make([]float32, f.Len()*p.Width())
		got := slices.Clone(want)
		if err := p.Transform(want, f, 0, f.Len()); err != nil {
			t.Fatalf("Transform() = %v", err)
		}
		if err := restored.Transform(got, f, 0, f.Len()); err != nil {
			t.Fatalf("Transform() of the restored = %v", err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("restored gives\n%v, want\n%v", got, want)
		}

		rows := rapid.SliceOf(rapid.IntRange(0, f.Len()-1)).Draw(t, "gathered")
		got = make([]float32, len(rows)*p.Width())
		if err := p.Gather(got, f, rows); err != nil {
			t.Fatalf("Gather() = %v", err)
		}
		for i, r := range rows {
			if a, b := got[i*p.Width():][:p.Width()], want[r*p.Width():][:p.Width()]; !slices.Equal(a, b) {
				t.Fatalf("gathered row %d = %v, transformed %v", r, a, b)
			}
		}

		lo := rapid.IntRange(0, f.Len()).Draw(t, "lo")
		got = make([]float32, (f.Len()-lo)*p.Width())
		if err := p.Transform(got, f.Range(lo, f.Len()), 0, f.Len()-lo); err != nil || !slices.Equal(got, want[lo*p.Width():]) {
			t.Fatalf("a view gives %v and\n%v, want\n%v", err, got, want[lo*p.Width():])
		}
	})
}

func TestStandardizedRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := regression(feature.Feature{Name: "x", Type: feature.Number})
		f := feature.NewFrame(s, true)
		for _, x := range rapid.SliceOfN(rapid.Float64Range(-1e9, 1e9), 2, 200).Draw(t, "x") {
			if err := f.Append(feature.Row{Values: []feature.Value{num(x)}, Label: num(x)}); err != nil {
				t.Fatal(err)
			}
		}
		p, err := feature.Fit(f)
		if err != nil {
			t.Fatal(err)
		}
		z := make([]float32, f.Len())
		if err := p.Transform(z, f, 0, f.Len()); err != nil {
			t.Fatal(err)
		}
		var sum, squares float64
		for _, v := range z {
			sum += float64(v)
			squares += float64(v) * float64(v)
		}
		n := float64(f.Len())
		if p.State().Stats["x.std"][0] < 1e-3 { // nearly constant: rounding of the rows shows
			return
		}
		// Every z is rounded to float32: at most 2^-24 of sqrt(n).
		if mean, variance := sum/n, squares/n; math.Abs(mean) > 1e-5 || math.Abs(variance-1) > 1e-5 {
			t.Fatalf("mean %v, variance %v, want 0, 1", mean, variance)
		}
	})
}

func TestFailedAppendLeavesNoTrace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSchema(t)
		f := drawFrame(t, s)
		before := make([]feature.Row, f.Len())
		for i := range before {
			before[i] = f.Row(i)
		}
		bad := f.Row(0)
		at := rapid.IntRange(0, len(bad.Values)).Draw(t, "bad column")
		if at == len(bad.Values) {
			bad.Label = none
		} else {
			bad.Values[at] = feature.Value{Kind: feature.KindNumber, Num: math.Inf(1)}
		}
		if err := f.Append(bad); !errors.Is(err, feature.ErrInvalid) {
			t.Fatalf("Append() = %v, want ErrInvalid", err)
		}
		f.Truncate(f.Len())
		if f.Len() != len(before) {
			t.Fatalf("Len() = %d, want %d", f.Len(), len(before))
		}
		for i := range before {
			if got := f.Row(i); !reflect.DeepEqual(got, before[i]) {
				t.Fatalf("row %d = %+v, want %+v", i, got, before[i])
			}
		}
	})
}

func FuzzRestore(f *testing.F) {
	p := fittedMixed(f)
	s, err := json.Marshal(p.Schema())
	if err != nil {
		f.Fatal(err)
	}
	st, err := json.Marshal(p.State())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s, st)
	f.Add([]byte(`{"features":[{"name":"x","type":"number","scale":["min_max"]}],"label":{"name":"y","type":"boolean"}}`), []byte(`{"Stats":{"x.min":[1],"x.max":[2]}}`))
	f.Fuzz(func(t *testing.T, rawSchema, rawState []byte) {
		var s feature.Schema
		var st feature.State
		if json.Unmarshal(rawSchema, &s) != nil || json.Unmarshal(rawState, &st) != nil {
			return
		}
		p, err := feature.Restore(s, st)
		if err != nil {
			if !errors.Is(err, feature.ErrInvalid) {
				t.Fatalf("Restore() = %v, want ErrInvalid", err)
			}
			return
		}
		if got := p.State(); !equalStates(got, st) {
			t.Fatalf("State() = %v, want %v", got, st)
		}
		if got := len(p.Columns()); got != p.Width() {
			t.Fatalf("%d columns, Width() = %d", got, p.Width())
		}
	})
}

func equalStates(a, b feature.State) bool {
	return len(a.Stats) == len(b.Stats) && len(a.Vocabularies) == len(b.Vocabularies) &&
		(len(a.Stats) == 0 || reflect.DeepEqual(a.Stats, b.Stats)) &&
		(len(a.Vocabularies) == 0 || reflect.DeepEqual(a.Vocabularies, b.Vocabularies))
}
