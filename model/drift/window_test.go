package drift_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/modelbus/modelbus/model/drift"
	"github.com/modelbus/modelbus/model/feature"
)

func schema() *feature.Schema {
	return &feature.Schema{
		Features: []feature.Feature{
			{Name: "age", Type: feature.Number, Missing: feature.MissingMean},
			{Name: "price", Type: feature.Number},
			{Name: "constant", Type: feature.Number},
			{Name: "city", Type: feature.Category, Unknown: feature.UnknownZeros, Missing: feature.MissingCategory},
			{Name: "member", Type: feature.Boolean},
			{Name: "pixels", Type: feature.Vector, Size: 3},
		},
		Label: feature.Label{Name: "y", Type: feature.Category},
	}
}

// A world makes rows; its fields are what can change.
type world struct {
	age, price, constant float64 // shifts
	missing, member      float64 // chances
	city                 []string
	pixels               float32
}

func calm() world {
	return world{constant: 3, missing: 0.05, member: 0.3, city: []string{"Bern", "Bern", "Bern", "Basel", "Genf"}, pixels: 1}
}

func (w world) frame(tb testing.TB, n int, seed uint64) *feature.Frame {
	tb.Helper()
	r := rand.New(rand.NewPCG(seed, 9))
	f := feature.NewFrame(schema(), false)
	for range n {
		age := feature.Value{Kind: feature.KindNumber, Num: 40 + 10*r.NormFloat64() + w.age}
		if r.Float64() < w.missing {
			age = feature.Value{}
		}
		member := 0.0
		if r.Float64() < w.member {
			member = 1
		}
		row := feature.Row{Values: []feature.Value{
			age,
			{Kind: feature.KindNumber, Num: math.Exp(r.NormFloat64() + w.price)},
			{Kind: feature.KindNumber, Num: w.constant},
			{Kind: feature.KindText, Text: w.city[r.IntN(len(w.city))]},
			{Kind: feature.KindBool, Num: member},
			{Kind: feature.KindVector, Vector: []float32{r.Float32() * w.pixels, r.Float32(), r.Float32()}},
		}}
		if err := f.Append(row); err != nil {
			tb.Fatal(err)
		}
	}
	return f
}

func rows(f *feature.Frame) []int {
	all := make([]int, f.Len())
	for i := range all {
		all[i] = i
	}
	return all
}

func predictions(f *feature.Frame) drift.Predictions {
	var p drift.Predictions
	for i := range f.Len() {
		p.Classes = append(p.Classes, []string{"no", "yes"}[i%2])
		p.Scores = append(p.Scores, 0.5+float32(i%50)/100)
	}
	return p
}

func reference(tb testing.TB, o drift.Options) *drift.Reference {
	tb.Helper()
	f := calm().frame(tb, 5000, 1)
	r, err := drift.Fit(f, rows(f), predictions(f), o)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func window(tb testing.TB, r *drift.Reference) *drift.Window {
	tb.Helper()
	w, err := drift.NewWindow(r, schema(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

func report(tb testing.TB, r *drift.Reference, f *feature.Frame) drift.Report {
	tb.Helper()
	w := window(tb, r)
	if err := errors.Join(w.AddRange(f, 0, f.Len()), w.AddPredictions(predictions(f))); err != nil {
		tb.Fatal(err)
	}
	return w.Report(drift.Thresholds{})
}

func drifted(r drift.Report) []string {
	var names []string
	for _, c := range r.Columns {
		if c.Drifted {
			names = append(names, c.String()+" "+c.Statistic)
		}
	}
	return names
}

func TestReportFindsWhatChanged(t *testing.T) {
	tests := []struct {
		name   string
		change func(*world)
		want   []string
	}{
		{"nothing", func(*world) {}, nil},
		{"mean", func(w *world) { w.age = 8 }, []string{"age psi"}},
		{"scale", func(w *world) { w.price = 0.7 }, []string{"price psi"}},
		{"constant rises", func(w *world) { w.constant = 4 }, []string{"constant psi"}},
		{"constant falls", func(w *world) { w.constant = 2 }, []string{"constant psi"}},
		{"missing", func(w *world) { w.missing = 0.3 }, []string{"age missing"}},
		{"all missing", func(w *world) { w.missing = 1 }, []string{"age missing"}},
		{"none missing", func(w *world) { w.missing = 0 }, []string{"age missing"}},
		{"new category", func(w *world) { w.city = append(w.city, "Uri") }, []string{"city unknown"}},
		{"other categories", func(w *world) { w.city = []string{"Bern", "Basel", "Basel", "Genf"} }, []string{"city psi"}},
		{"boolean", func(w *world) { w.member = 0.6 }, []string{"member psi"}},
		{"vector", func(w *world) { w.pixels = 3 }, []string{"pixels.norm psi", "pixels.mean psi"}},
	}
	r := reference(t, drift.Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := calm()
			tt.change(&w)
			rep := report(t, r, w.frame(t, 1000, 2))
			if got := drifted(rep); !slices.Equal(got, tt.want) {
				t.Errorf("drifted %q, want %q", got, tt.want)
			}
			if rep.Drifted != (tt.want != nil) || !rep.Enough || rep.Rows != 1000 {
				t.Errorf("drifted %v, enough %v, %d rows", rep.Drifted, rep.Enough, rep.Rows)
			}
			if _, err := json.Marshal(rep); err != nil {
				t.Errorf("the report cannot be written: %v", err)
			}
		})
	}
}

// Of 200 calm windows of any size hardly one may drift: both a p-value and a size
// are asked for.
func TestReportIsCalm(t *testing.T) {
	r := reference(t, drift.Options{})
	for _, n := range []int{10, 100, 1000} {
		alarms := 0
		for seed := range uint64(200) {
			if report(t, r, calm().frame(t, n, 100+seed)).Drifted {
				alarms++
			}
		}
		if alarms > 5 { // a rate of 0.01 and chance: 2 ± 1.4
			t.Errorf("windows of %d rows: %d of 200 drifted, want at most 5", n, alarms)
		}
	}
}

func TestReportOfEmptyAndFew(t *testing.T) {
	r := reference(t, drift.Options{})
	if rep := window(t, r).Report(drift.Thresholds{}); rep.Drifted || rep.Enough || len(rep.Columns) != 0 {
		t.Errorf("of no rows: %+v", rep)
	}
	w := calm()
	w.age = 100
	if rep := report(t, r, w.frame(t, 50, 3)); rep.Drifted || rep.Enough {
		t.Errorf("of 50 rows: drifted %v, enough %v, want neither", rep.Drifted, rep.Enough)
	}
}

// The share of unknown categories is against the vocabulary that is given.
func TestWindowKnowsVocabularies(t *testing.T) {
	w, err := drift.NewWindow(reference(t, drift.Options{}), schema(), map[string][]string{"city": {"Bern", "Basel", "Chur"}})
	if err != nil {
		t.Fatal(err)
	}
	changed := calm()
	changed.city = []string{"Genf", "Chur"} // Genf was there but is unknown; Chur was not and is known
	f := changed.frame(t, 1000, 4)
	if err := w.Add(f, rows(f)); err != nil {
		t.Fatal(err)
	}
	for _, c := range w.Report(drift.Thresholds{}).Columns {
		if c.Feature == "city" && (math.Abs(c.Unknown.Before-0.2) > 0.02 || math.Abs(c.Unknown.Live-0.5) > 0.05) {
			t.Errorf("unknown %+v, want about 0.2 and 0.5", c.Unknown)
		}
	}
}

func TestWindowRefuses(t *testing.T) {
	r := reference(t, drift.Options{})
	other := schema()
	other.Features = other.Features[1:]
	if _, err := drift.NewWindow(r, other, nil); !errors.Is(err, drift.ErrInvalid) {
		t.Errorf("NewWindow() of another schema = %v, want %v", err, drift.ErrInvalid)
	}
	w := window(t, r)
	if err := w.AddRange(feature.NewFrame(other, false), 0, 0); !errors.Is(err, drift.ErrInvalid) {
		t.Errorf("AddRange() of another schema = %v, want %v", err, drift.ErrInvalid)
	}
	if err := w.AddPredictions(drift.Predictions{Numbers: []float32{1}}); !errors.Is(err, drift.ErrInvalid) {
		t.Errorf("AddPredictions() of numbers = %v, want %v", err, drift.ErrInvalid)
	}
	if _, err := drift.NewSketch(schema(), drift.Options{Bins: 1}); !errors.Is(err, drift.ErrInvalid) {
		t.Errorf("NewSketch() with one bin = %v, want %v", err, drift.ErrInvalid)
	}
}

// The cost of counting rows of one kind of column.
func BenchmarkWindow(b *testing.B) {
	for _, c := range []struct {
		name    string
		feature feature.Feature
		value   func(*rand.Rand) feature.Value
	}{
		{"number", feature.Feature{Name: "x", Type: feature.Number}, func(r *rand.Rand) feature.Value {
			return feature.Value{Kind: feature.KindNumber, Num: r.NormFloat64()}
		}},
		{"boolean", feature.Feature{Name: "x", Type: feature.Boolean}, func(r *rand.Rand) feature.Value {
			return feature.Value{Kind: feature.KindBool, Num: float64(r.IntN(2))}
		}},
		{"category", feature.Feature{Name: "x", Type: feature.Category}, func(r *rand.Rand) feature.Value {
			return feature.Value{Kind: feature.KindText, Text: fmt.Sprintf("category %d", r.IntN(50))}
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 1))
			s := &feature.Schema{Features: []feature.Feature{c.feature}, Label: feature.Label{Name: "y", Type: feature.Number}}
			f := feature.NewFrame(s, false)
			for range 1000 {
				if err := f.Append(feature.Row{Values: []feature.Value{c.value(r)}}); err != nil {
					b.Fatal(err)
				}
			}
			ref, err := drift.Fit(f, rows(f), drift.Predictions{}, drift.Options{})
			if err != nil {
				b.Fatal(err)
			}
			w, err := drift.NewWindow(ref, s, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := w.AddRange(f, 0, 1000); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/value")
		})
	}
}

func BenchmarkReport(b *testing.B) {
	f := calm().frame(b, 1000, 6)
	w := window(b, reference(b, drift.Options{}))
	if err := w.AddRange(f, 0, 1000); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		w.Report(drift.Thresholds{})
	}
}
