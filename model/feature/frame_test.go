package feature_test

import (
	"errors"
	"math"
	"reflect"
	"runtime"
	"testing"

	"github.com/modelbus/modelbus/model/feature"
)

// mixed is a schema with a feature of every type, one of them with a policy.
func mixed() *feature.Schema {
	return &feature.Schema{
		Features: []feature.Feature{
			{Name: "age", Type: feature.Number, Missing: feature.MissingMean, Indicator: true},
			{Name: "island", Type: feature.Category, Missing: feature.MissingCategory},
			{Name: "wet", Type: feature.Boolean},
			{Name: "pixels", Type: feature.Vector, Size: 2},
		},
		Label: feature.Label{Name: "species", Type: feature.Category},
	}
}

func mixedRow() feature.Row {
	return feature.Row{Values: []feature.Value{num(1), text("Dream"), yes(true), vec(1, 2)}, Label: text("Adelie")}
}

func TestAppendRefuses(t *testing.T) {
	nan, inf := math.NaN(), float32(math.Inf(1))
	tests := []struct {
		name   string
		change func(*feature.Row)
		want   string
	}{
		{"too few values", func(r *feature.Row) { r.Values = r.Values[:3] }, "got 3 values: 4 features are due"},
		{"text for a number", func(r *feature.Row) { r.Values[0] = text("old") }, `feature "age": got the text "old": a number is due`},
		{"digits as text for a number", func(r *feature.Row) { r.Values[0] = text("5") }, `feature "age": got the text "5": a number is due`},
		{"boolean for a number", func(r *feature.Row) { r.Values[0] = yes(true) }, `feature "age": got true: a number is due`},
		{"list for a number", func(r *feature.Row) { r.Values[0] = vec(1) }, `feature "age": got a list of 1 numbers: a number is due`},
		{"NaN", func(r *feature.Row) { r.Values[0] = num(nan) }, `feature "age": got NaN: a finite number is due`},
		{"word in a cell", func(r *feature.Row) { r.Values[0] = cell("old") }, `feature "age": got "old": a number is due`},
		{"hexadecimal cell", func(r *feature.Row) { r.Values[0] = cell("0x1p4") }, `feature "age": got "0x1p4": a number is due`},
		{"underscore cell", func(r *feature.Row) { r.Values[0] = cell("1_000") }, `feature "age": got "1_000": a number is due`},
		{"infinite cell", func(r *feature.Row) { r.Values[0] = cell("inf") }, `feature "age": got "inf": a number is due`},
		{"huge cell", func(r *feature.Row) { r.Values[0] = cell("1e999") }, `feature "age": got "1e999": a number within ±1.8e+308 is due`},
		{"fraction for a category", func(r *feature.Row) { r.Values[1] = num(1.5) }, `feature "island": got the number 1.5: text or a whole number is due`},
		{"number for a category that stands for two", func(r *feature.Row) { r.Values[1] = num(1 << 53) }, `feature "island": got the number 9.007199254740992e+15: text or a whole number within ±2^53 is due`},
		{"list for a category", func(r *feature.Row) { r.Values[1] = vec(1) }, `feature "island": got a list of 1 numbers: text or a whole number is due`},
		{"category that is not UTF-8", func(r *feature.Row) { r.Values[1] = cell("\xff") }, `feature "island": got "\xff": UTF-8 text is due`},
		{"missing boolean", func(r *feature.Row) { r.Values[2] = none }, `feature "wet": the value is missing: the spec wants one, unless it says missing: constant`},
		{"empty cell", func(r *feature.Row) { r.Values[2] = cell("") }, `feature "wet": the value is missing: the spec wants one, unless it says missing: constant`},
		{"two for a boolean", func(r *feature.Row) { r.Values[2] = num(2) }, `feature "wet": got the number 2: true or false is due`},
		{"text for a boolean", func(r *feature.Row) { r.Values[2] = text("true") }, `feature "wet": got the text "true": true or false is due`},
		{"number for a vector", func(r *feature.Row) { r.Values[3] = num(2) }, `feature "pixels": got the number 2: a list of 2 numbers is due`},
		{"long vector", func(r *feature.Row) { r.Values[3] = vec(1, 2, 3) }, `feature "pixels": got 3 numbers: 2 are due`},
		{"infinity in a vector", func(r *feature.Row) { r.Values[3] = vec(1, inf) }, `feature "pixels": got +Inf at position 1: a finite number is due`},
		{"unknown kind", func(r *feature.Row) { r.Values[3] = feature.Value{Kind: 99} }, `feature "pixels": got a value of unknown kind 99: a list of 2 numbers is due`},
		{"no label", func(r *feature.Row) { r.Label = none }, `label "species": the value is missing: an example needs one`},
		{"negative weight", func(r *feature.Row) { r.Weight = -1 }, "got weight -1: a finite number above 0 is due"},
		{"NaN weight", func(r *feature.Row) { r.Weight = nan }, "got weight NaN: a finite number above 0 is due"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := feature.NewFrame(mixed(), true)
			if err := f.Append(mixedRow()); err != nil {
				t.Fatal(err)
			}
			before := f.Row(0)
			bad := mixedRow()
			tt.change(&bad)
			checkError(t, "Append()", f.Append(bad), tt.want)
			if f.Len() != 1 || !reflect.DeepEqual(f.Row(0), before) {
				t.Errorf("after the error: %d rows, row 0 %+v, want 1, %+v", f.Len(), f.Row(0), before)
			}
			if err := f.Append(mixedRow()); err != nil || !reflect.DeepEqual(f.Row(1), before) {
				t.Errorf("Append() after the error = %v with row %+v, want %+v", err, f.Row(1), before)
			}
		})
	}
}

func TestAppendConverts(t *testing.T) {
	tests := []struct {
		name   string
		column int
		value  feature.Value
		want   feature.Value
	}{
		{"cell to number", 0, cell("-1.5e2"), num(-150)},
		{"whole number to category", 1, num(3), text("3")},
		{"largest whole number to category", 1, num(1<<53 - 1), text("9007199254740991")},
		{"negative zero to category", 1, num(math.Copysign(0, -1)), text("0")},
		{"boolean to category", 1, yes(false), text("false")},
		{"cell to category", 1, cell("3.0"), text("3.0")},
		{"empty text is a category", 1, text(""), text("")},
		{"cell to boolean", 2, cell("F"), yes(false)},
		{"one to boolean", 2, num(1), yes(true)},
		{"vector", 3, vec(-1, 5), vec(-1, 5)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := feature.NewFrame(mixed(), true)
			r := mixedRow()
			r.Values[tt.column] = tt.value
			if err := f.Append(r); err != nil {
				t.Fatalf("Append() = %v", err)
			}
			if got := f.Row(0).Values[tt.column]; !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Row(0) has %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestFrameRows(t *testing.T) {
	f := feature.NewFrame(mixed(), true)
	for i := range 10 {
		r := mixedRow()
		r.Values[0] = num(float64(i))
		if i > 0 {
			r.Weight = float64(i)
		}
		if err := f.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	v := f.Range(2, 9).Range(1, 4)
	if got := v.Row(2).Values[0].Num; v.Len() != 3 || got != 5 {
		t.Errorf("view of a view: %d rows, the last %v, want 3, 5", v.Len(), got)
	}
	if got := []float64{f.Weight(0), v.Weight(0)}; got[0] != 1 || got[1] != 3 {
		t.Errorf("weights of rows 0 and 3 = %v, want 1 (none given) and 3", got)
	}
	checkError(t, "Append() to a view", v.Append(mixedRow()), "a view of a frame takes no rows")
	v.Truncate(0)
	f.Truncate(4)
	if err := f.Append(mixedRow()); err != nil || f.Len() != 5 || f.Row(4).Weight != 1 {
		t.Errorf("Append() after Truncate = %v with %d rows, weight %v, want nil, 5, 1", err, f.Len(), f.Row(4).Weight)
	}
	f.Reset()
	if f.Len() != 0 {
		t.Errorf("Len() after Reset = %d, want 0", f.Len())
	}
}

func TestAppendFlat(t *testing.T) {
	s := &feature.Schema{
		Features: []feature.Feature{{Name: "a", Type: feature.Number}, {Name: "v", Type: feature.Vector, Size: 2}},
		Label:    feature.Label{Name: "y", Type: feature.Number},
	}
	f := feature.NewFrame(s, false)
	if err := f.AppendFlat(2, []float32{1, 2, 3, 4, 5, 6}); err != nil {
		t.Fatalf("AppendFlat() = %v", err)
	}
	if got, want := f.Row(1).Values, []feature.Value{num(4), vec(5, 6)}; !reflect.DeepEqual(got, want) {
		t.Errorf("Row(1) = %+v, want %+v", got, want)
	}
	nan := float32(math.NaN())
	checkError(t, "AppendFlat()", f.AppendFlat(2, make([]float32, 7)), "got 7 numbers: 2 rows of 3 are due")
	checkError(t, "AppendFlat()", f.AppendFlat(-1, nil), "got 0 numbers: -1 rows of 3 are due")
	checkError(t, "AppendFlat()", f.AppendFlat(2, []float32{1, 2, 3, nan, 5, 6}), `row 1: feature "a": got NaN: a finite number is due`)
	checkError(t, "AppendFlat()", f.AppendFlat(1, []float32{1, 2, nan}), `row 0: feature "v": got NaN at position 1: a finite number is due`)
	checkError(t, "AppendFlat()", feature.NewFrame(s, true).AppendFlat(0, nil), "rows of a labelled frame need a label")
	checkError(t, "AppendFlat()", feature.NewFrame(mixed(), false).AppendFlat(0, nil), "a matrix was given: the schema has features that are neither number nor vector")
	if f.Len() != 2 {
		t.Errorf("Len() after errors = %d, want 2", f.Len())
	}
}

func TestFloats(t *testing.T) {
	s := &feature.Schema{
		Features: []feature.Feature{{Name: "a", Type: feature.Number, Missing: feature.MissingMean}, {Name: "v", Type: feature.Vector, Size: 2}},
		Label:    feature.Label{Name: "y", Type: feature.Category},
	}
	f := feature.NewFrame(s, true)
	const rows = 70_000 // more than one piece of a column holds
	for i := range rows {
		if err := f.Append(feature.Row{Values: []feature.Value{num(float64(i)), vec(float32(i), 0.5)}, Label: num(float64(i % 3))}); err != nil {
			t.Fatal(err)
		}
	}
	got, ok := f.Range(1, rows).Floats([]float64{-1}, 0, rows-1)
	if !ok || len(got) != 1+3*(rows-1) || got[0] != -1 {
		t.Fatalf("Floats() = %d numbers, %v, want %d behind the one given", len(got), ok, 3*(rows-1))
	}
	for i := 1; i < rows; i++ {
		if want := []float64{float64(i), float64(i), 0.5}; !reflect.DeepEqual(got[3*i-2:3*i+1], want) {
			t.Fatalf("row %d = %v, want %v", i, got[3*i-2:3*i+1], want)
		}
	}
	if v := f.Label(4); v.Kind != feature.KindText || v.Text != "1" {
		t.Errorf("Label(4) = %+v, want the text 1", v)
	}
	if err := f.Append(feature.Row{Values: []feature.Value{{}, vec(1, 2)}, Label: num(0)}); err != nil {
		t.Fatal(err)
	}
	if got, ok := f.Floats(nil, rows, rows+1); ok || len(got) != 0 {
		t.Errorf("Floats() with a missing value = %v, %v, want none", got, ok)
	}
	if _, ok := feature.NewFrame(mixed(), false).Floats(nil, 0, 0); ok {
		t.Error("Floats() of a schema with categories reports that it could")
	}
}

// TestFrameGrows holds the promise that a frame takes little more than its rows.
func TestFrameGrows(t *testing.T) {
	const rows, size = 20_000, 784
	s := regression(feature.Feature{Name: "x", Type: feature.Vector, Size: size})
	f := feature.NewFrame(s, true)
	row := feature.Row{Values: []feature.Value{vec(make([]float32, size)...)}, Label: num(1)}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range rows {
		row.Values[0].Vector[i%size] = float32(i)
		if err := f.Append(row); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	data := uint64(rows * (size*4 + 16))
	if got := after.TotalAlloc - before.TotalAlloc; got > data+data/20 {
		t.Errorf("appending allocated %d bytes in all, want at most 5%% more than the rows' %d", got, data)
	}
	if got := f.Row(rows - 1).Values[0].Vector[(rows-1)%size]; got != rows-1 {
		t.Errorf("last row holds %v, want %d", got, rows-1)
	}
}

// TestResetForgets holds the promise that ever new categories do not make a
// reused frame grow: the dictionary of a frame that saw many is dropped.
func TestResetForgets(t *testing.T) {
	s := regression(feature.Feature{Name: "x", Type: feature.Category, Encode: feature.Hashing, Buckets: 4})
	f := feature.NewFrame(s, false)
	held := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	fill := func(round int) {
		for i := range 10_000 {
			if err := f.Append(feature.Row{Values: []feature.Value{num(float64(round*10_000 + i))}}); err != nil {
				t.Fatal(err)
			}
		}
		f.Reset()
	}
	fill(0)
	before := held()
	for round := range 10 {
		fill(round + 1)
	}
	if after := held(); after > before+100_000 {
		t.Errorf("the frame holds %d bytes more after 100,000 categories, want under 100,000", after-before)
	}
	runtime.KeepAlive(f)
}

func TestServingAllocatesNothing(t *testing.T) {
	s := mixed()
	f := feature.NewFrame(s, true)
	for _, species := range []string{"Adelie", "Gentoo"} {
		r := mixedRow()
		r.Label = text(species)
		if err := f.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	p := fit(t, f)
	served := feature.NewFrame(p.Schema(), false)
	row := mixedRow()
	dst := make([]float32, 8*p.Width())
	rows := []int{7, 0, 3, 3, 1, 2, 6, 5}
	targets := make([]float32, 2)
	allocs := testing.AllocsPerRun(100, func() {
		served.Reset()
		var errs [11]error
		for i := range 8 {
			errs[i] = served.Append(row)
		}
		errs[8] = p.Transform(dst, served, 0, 8)
		errs[9] = p.Gather(dst, served, rows)
		errs[10] = p.Targets(targets, f, 0, 2)
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("a served batch allocates %v times, want 0", allocs)
	}

	numeric := regression(feature.Feature{Name: "x", Type: feature.Vector, Size: 4})
	flat := feature.NewFrame(numeric, false)
	x := make([]float32, 32)
	allocs = testing.AllocsPerRun(100, func() {
		flat.Reset()
		if err := flat.AppendFlat(8, x); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("AppendFlat allocates %v times, want 0", allocs)
	}
}

func BenchmarkTransform(b *testing.B) {
	b.Run("pixels", func(b *testing.B) {
		s := regression(feature.Feature{Name: "x", Type: feature.Vector, Size: 784})
		f := frameOf(b, s, vec(make([]float32, 784)...), vec(ones(784)...))
		benchmarkTransform(b, f)
	})
	b.Run("mixed", func(b *testing.B) {
		f := feature.NewFrame(mixed(), true)
		for _, species := range []string{"Adelie", "Gentoo"} {
			r := mixedRow()
			r.Label = text(species)
			if err := f.Append(r); err != nil {
				b.Fatal(err)
			}
		}
		benchmarkTransform(b, f)
	})
}

func ones(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = 1
	}
	return x
}

func benchmarkTransform(b *testing.B, f *feature.Frame) {
	b.Helper()
	p := fit(b, f)
	dst := make([]float32, f.Len()*p.Width())
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Transform(dst, f, 0, f.Len()); err != nil {
			b.Fatal(err)
		}
	}
}

// TestMissingValueNamesPolicies has the error of a missing value say what the spec
// could say instead.
func TestMissingValueNamesPolicies(t *testing.T) {
	for kind, policies := range map[feature.Type]string{
		feature.Number:   "mean, median or constant",
		feature.Vector:   "mean, median or constant",
		feature.Boolean:  "constant",
		feature.Category: "constant or category",
	} {
		schema := regression(feature.Feature{Name: "x", Type: kind, Size: map[bool]int{true: 2}[kind == feature.Vector]})
		err := feature.NewFrame(schema, false).Append(feature.Row{Values: []feature.Value{none}})
		checkError(t, string(kind), err, `feature "x": the value is missing: the spec wants one, unless it says missing: `+policies)
	}
}
