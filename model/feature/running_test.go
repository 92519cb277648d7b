package feature_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/modelbus/modelbus/model/feature"
)

func running(tb testing.TB, p *feature.Pipeline, rows int64, o feature.RunningOptions) *feature.Running {
	tb.Helper()
	r, err := feature.NewRunning(p, rows, o)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func transformRows(tb testing.TB, p *feature.Pipeline, f *feature.Frame, lo, hi int) []float32 {
	tb.Helper()
	dst := make([]float32, (hi-lo)*p.Width())
	if err := p.Transform(dst, f, lo, hi); err != nil {
		tb.Fatal(err)
	}
	return dst
}

func learn(tb testing.TB, r *feature.Running, f *feature.Frame, lo, hi int) {
	tb.Helper()
	if err := r.Learn(f, lo, hi); err != nil {
		tb.Fatal(err)
	}
}

// River's scalers learn a row and then transform it.
func TestRunningAgreesWithRiver(t *testing.T) {
	raw, err := os.ReadFile("testdata/scalers.json")
	if err != nil {
		t.Fatal(err)
	}
	type series struct {
		X    []float64
		Want []float64 `json:"learn_then_transform_one"`
	}
	var f struct {
		Standardize struct {
			X, Transformed [][]float64
			Want           [][]float64 `json:"learn_then_transform_one"`
		}
		MinMax   series `json:"min_max"`
		Robust   series
		Adaptive series
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		t.Fatal(err)
	}
	column := func(rows [][]float64, j int) []float64 {
		out := make([]float64, len(rows))
		for i := range rows {
			out[i] = rows[i][j]
		}
		return out
	}
	tests := []struct {
		name   string
		scale  feature.Scale
		fading float64
		series series
		near   float64
	}{
		// The published numbers are exact or rounded to 6 or 3 digits; ours are float32.
		{"standardize 1", feature.Standardize, 0, series{column(f.Standardize.X, 0), column(f.Standardize.Want, 0)}, 2e-7},
		{"standardize 2", feature.Standardize, 0, series{column(f.Standardize.X, 1), column(f.Standardize.Want, 1)}, 2e-7},
		{"min_max", feature.MinMax, 0, f.MinMax, 1e-6},
		{"robust", feature.Robust, 0, f.Robust, 1e-6},
		{"adaptive", feature.Standardize, 0.6, f.Adaptive, 1e-3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := regression(feature.Feature{Name: "x", Type: feature.Number, Scale: []feature.Scale{tt.scale}})
			frame := feature.NewFrame(s, true)
			for _, x := range tt.series.X {
				if err := frame.Append(feature.Row{Values: []feature.Value{num(x)}, Label: num(0)}); err != nil {
					t.Fatal(err)
				}
			}
			if len(tt.series.Want) == 0 || len(tt.series.Want) != len(tt.series.X) {
				t.Fatalf("%d numbers for %d rows", len(tt.series.Want), len(tt.series.X))
			}
			r := running(t, fit(t, frame), 0, feature.RunningOptions{Fading: tt.fading})
			for i, want := range tt.series.Want {
				learn(t, r, frame, i, i+1)
				if got := transformRows(t, r.Live(), frame, i, i+1)[0]; math.Abs(float64(got)-want) > tt.near {
					t.Errorf("row %d: got %v, want %v", i, got, want)
				}
			}
		})
	}
}

// Learned row by row, statistics are those of fitting all rows, but for rounding;
// quartiles are estimates.
func TestRunningComesToWhatFitFinds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := drawFrame(rt, drawSchema(rt))
		want, err := feature.Fit(f)
		if err != nil {
			rt.Fatal(err)
		}
		r := running(t, want, 0, feature.RunningOptions{})
		learn(t, r, f, 0, f.Len())
		got := r.Live().State()
		for key, values := range want.State().Stats {
			if reflect.DeepEqual(values, got.Stats[key]) || !slices.ContainsFunc([]string{"mean", "std", "min", "max", "least", "most"},
				func(stat string) bool { return len(key) > len(stat) && key[len(key)-len(stat):] == stat }) {
				continue
			}
			for j := range values {
				// Values are up to 2^20; a chain's later scales see earlier ones move.
				if math.Abs(values[j]-got.Stats[key][j]) > 1e-6 && !chained(want.Schema(), key) {
					rt.Errorf("%s[%d] = %v, want %v", key, j, got.Stats[key][j], values[j])
				}
			}
		}
	})
}

// chained reports whether a statistic is of a scale after another one.
func chained(s *feature.Schema, key string) bool {
	for _, f := range s.Features {
		if key[0] == f.Name[0] && len(f.Scale) > 1 {
			return true
		}
	}
	return len(s.Label.Scale) > 1 && key[0] == '.'
}

func TestRunningQuartiles(t *testing.T) {
	s := regression(feature.Feature{Name: "x", Type: feature.Number, Scale: []feature.Scale{feature.Robust}, Missing: feature.MissingMedian})
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		f := feature.NewFrame(s, true)
		for range 5000 {
			if err := f.Append(feature.Row{Values: []feature.Value{num(math.Exp(r.NormFloat64()))}, Label: num(0)}); err != nil {
				t.Fatal(err)
			}
		}
		p := fit(t, f)
		cold := running(t, p, 0, feature.RunningOptions{})
		learn(t, cold, f, 0, f.Len())
		half, err := feature.Fit(f.Range(0, 2500))
		if err != nil {
			t.Fatal(err)
		}
		warm := running(t, half, 2500, feature.RunningOptions{})
		learn(t, warm, f, 2500, 5000)
		for _, r := range []*feature.Running{cold, warm} {
			for key, want := range p.State().Stats {
				// The deviation of a quartile of 5000 is 2 %; P² adds as much.
				if got := r.Live().State().Stats[key][0]; math.Abs(got-want[0]) > 0.08*want[0] {
					t.Errorf("seed %d: %s = %v, want %v", seed, key, got, want[0])
				}
			}
		}
	}
}

// Going on from a fitted pipeline ends where fitting all rows does (Chan).
func TestRunningGoesOnFromFit(t *testing.T) {
	s := regression(
		feature.Feature{Name: "a", Type: feature.Number, Missing: feature.MissingMean},
		feature.Feature{Name: "b", Type: feature.Vector, Size: 2, Scale: []feature.Scale{feature.Rescale}},
	)
	s.Label.Scale = []feature.Scale{feature.Standardize}
	r := rand.New(rand.NewPCG(1, 8))
	f := feature.NewFrame(s, true)
	for range 400 {
		row := feature.Row{Values: []feature.Value{num(r.NormFloat64() * 3), vec(r.Float32(), 2*r.Float32())}, Label: num(r.Float64())}
		if err := f.Append(row); err != nil {
			t.Fatal(err)
		}
	}
	first, err := feature.Fit(f.Range(0, 150))
	if err != nil {
		t.Fatal(err)
	}
	on := running(t, first, 150, feature.RunningOptions{})
	learn(t, on, f, 150, 400)
	for key, want := range fit(t, f).State().Stats {
		for j, got := range on.Live().State().Stats[key] {
			if math.Abs(got-want[j]) > 1e-12 {
				t.Errorf("%s = %v, want %v", key, got, want[j])
			}
		}
	}
}

// However rows are cut into calls, and saved and restored between them, the
// statistics are the same bits; transforming changes none; a snapshot is what the
// live pipeline was.
func TestRunningRestoresExactly(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := drawFrame(rt, drawSchema(rt))
		p, err := feature.Fit(f)
		if err != nil {
			rt.Fatal(err)
		}
		o := feature.RunningOptions{Fading: rapid.SampledFrom([]float64{0, 0.1}).Draw(rt, "fading"), Level: rapid.Bool().Draw(rt, "level")}
		rows := int64(rapid.IntRange(0, 20).Draw(rt, "rows"))
		whole, parts := running(t, p, rows, o), running(t, p, rows, o)
		learn(t, whole, f, 0, f.Len())
		for lo := 0; lo < f.Len(); {
			hi := rapid.IntRange(lo+1, f.Len()).Draw(rt, "hi")
			learn(t, parts, f, lo, hi)
			lo = hi
			before := parts.State()
			snapshot, err := parts.Snapshot()
			if err != nil {
				rt.Fatal(err)
			}
			a, b := make([]float32, f.Len()*p.Width()), make([]float32, f.Len()*p.Width())
			if err := errors.Join(parts.Live().Transform(a, f, 0, f.Len()), snapshot.Transform(b, f, 0, f.Len())); err != nil {
				continue // a robust scale of few numbers may give what is no float32
			}
			if !slices.Equal(a, b) {
				rt.Error("the snapshot transforms otherwise than the live pipeline")
			}
			if !reflect.DeepEqual(parts.State(), before) {
				rt.Error("transforming changed the state")
			}
			if parts, err = feature.RestoreRunning(snapshot, before, o); err != nil {
				rt.Fatal(err)
			}
		}
		if got, want := parts.State(), whole.State(); !reflect.DeepEqual(got, want) {
			rt.Errorf("state %v, want %v", got, want)
		}
		if got, want := parts.Live().State(), whole.Live().State(); !reflect.DeepEqual(got, want) {
			rt.Errorf("statistics %v, want %v", got, want)
		}
	})
}

// With level fading, rows count alike until there are so many that the newest would count for
// less than its share; from then on what was before is forgotten.
func TestRunningFadesFromLevel(t *testing.T) {
	s := regression(feature.Feature{Name: "x", Type: feature.Number})
	const early, all = 100, 1000
	f := feature.NewFrame(s, true)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range all {
		x := rnd.NormFloat64()
		if i >= early {
			x += 50
		}
		if err := f.Append(feature.Row{Values: []feature.Value{num(x)}, Label: num(0)}); err != nil {
			t.Fatal(err)
		}
	}
	p := fit(t, f)
	level := running(t, p, 0, feature.RunningOptions{Fading: 0.01, Level: true})
	alike := running(t, p, 0, feature.RunningOptions{})
	learn(t, level, f, 0, early)
	learn(t, alike, f, 0, early)
	moments := func(r *feature.Running) (mean, std float64) {
		stats := r.Live().State().Stats
		return stats["x.mean"][0], stats["x.std"][0]
	}
	mean, std := moments(level)
	if m, s := moments(alike); math.Abs(mean-m) > 1e-12 || math.Abs(std-s) > 1e-12 { // the same sum in another order
		t.Errorf("after %d rows mean and deviation are %v and %v, want those of all rows, %v and %v", early, mean, std, m, s)
	}
	learn(t, level, f, early, all)
	if mean, std := moments(level); math.Abs(mean-50) > 0.5 || math.Abs(std-1) > 0.5 { // e⁻⁹ of the first rows is left
		t.Errorf("after a change mean and deviation are %v and %v, want about 50 and 1", mean, std)
	}
}

// One huge number must not spoil the statistics for good.
func TestRunningIsNotPoisoned(t *testing.T) {
	s := regression(
		feature.Feature{Name: "x", Type: feature.Number},
		feature.Feature{Name: "l", Type: feature.Number, Scale: []feature.Scale{feature.Log1p, feature.Standardize}},
	)
	f := feature.NewFrame(s, true)
	for _, x := range []float64{1, 2, 3} {
		if err := f.Append(feature.Row{Values: []feature.Value{num(x), num(x)}, Label: num(x)}); err != nil {
			t.Fatal(err)
		}
	}
	r := running(t, fit(t, f), 3, feature.RunningOptions{})
	want := r.State()
	bad := feature.NewFrame(s, true)
	if err := bad.Append(feature.Row{Values: []feature.Value{num(-1.7e308), num(-5)}, Label: num(1e300)}); err != nil {
		t.Fatal(err)
	}
	learn(t, r, bad, 0, 1)
	if got := r.State(); !reflect.DeepEqual(got, want) {
		t.Errorf("state %v, want %v", got, want)
	}
	if _, err := r.Snapshot(); err != nil {
		t.Errorf("Snapshot() = %v", err)
	}
}

func TestRunningRefuses(t *testing.T) {
	p := fittedMixed(t)
	o := feature.RunningOptions{}
	for _, fading := range []float64{-0.1, 1, math.NaN()} {
		if _, err := feature.NewRunning(p, 1, feature.RunningOptions{Fading: fading}); !errors.Is(err, feature.ErrInvalid) {
			t.Errorf("NewRunning() with fading %v = %v, want %v", fading, err, feature.ErrInvalid)
		}
	}
	if _, err := feature.NewRunning(p, -1, o); !errors.Is(err, feature.ErrInvalid) {
		t.Errorf("NewRunning() after -1 rows = %v, want %v", err, feature.ErrInvalid)
	}
	r := running(t, p, 2, o)
	other := feature.NewFrame(regression(feature.Feature{Name: "x", Type: feature.Number}), true)
	if err := r.Learn(other, 0, 0); !errors.Is(err, feature.ErrInvalid) {
		t.Errorf("Learn() of another schema = %v, want %v", err, feature.ErrInvalid)
	}
	if err := r.Learn(feature.NewFrame(mixed(), true), 0, 1); !errors.Is(err, feature.ErrInvalid) {
		t.Errorf("Learn() of rows that are not there = %v, want %v", err, feature.ErrInvalid)
	}
	tests := []struct {
		name   string
		change func(map[string][]float64)
	}{
		{"lost", func(s map[string][]float64) { delete(s, "age.standardize.mean") }},
		{"short", func(s map[string][]float64) { s["age.standardize.mean"] = nil }},
		{"foreign", func(s map[string][]float64) { s["age.min_max.least"] = []float64{1} }},
		{"NaN", func(s map[string][]float64) { s["age.standardize.variance"] = []float64{math.NaN()} }},
		{"negative", func(s map[string][]float64) { s["age.standardize.variance"] = []float64{-1} }},
		{"half a row", func(s map[string][]float64) { s["age.standardize.count"] = []float64{1.5} }},
		{"another pipeline's", func(s map[string][]float64) { s["age.standardize.mean"] = []float64{77} }},
	}
	snapshot, err := r.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := feature.RestoreRunning(snapshot, r.State(), o); err != nil {
		t.Fatalf("RestoreRunning() = %v", err)
	}
	for _, tt := range tests {
		state := r.State()
		tt.change(state)
		if _, err := feature.RestoreRunning(snapshot, state, o); !errors.Is(err, feature.ErrInvalid) {
			t.Errorf("%s: RestoreRunning() = %v, want %v", tt.name, err, feature.ErrInvalid)
		}
	}
}

func FuzzRestoreRunning(f *testing.F) {
	frame := feature.NewFrame(regression(feature.Feature{Name: "x", Type: feature.Number, Scale: []feature.Scale{feature.Robust}}), true)
	for i := range 12 {
		if err := frame.Append(feature.Row{Values: []feature.Value{num(float64(i * i))}, Label: num(0)}); err != nil {
			f.Fatal(err)
		}
	}
	r := running(f, fit(f, frame), 0, feature.RunningOptions{})
	for _, n := range []int{5, 12} {
		learn(f, r, frame, 0, n)
		f.Add(float64(n), marshalFloats(f, r.State()["x.robust.heights"]), marshalFloats(f, r.State()["x.robust.ranks"]))
	}
	f.Fuzz(func(t *testing.T, n float64, heights, ranks []byte) {
		state := map[string][]float64{"x.robust.count": {n}}
		for name, text := range map[string][]byte{"heights": heights, "ranks": ranks} {
			var values []float64
			if json.Unmarshal(text, &values) != nil {
				return
			}
			state["x.robust."+name] = values
		}
		// Whatever the statistics are that follow, the pipeline is made to have them.
		snapshot, err := r.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		got, err := feature.RestoreRunning(snapshot, state, feature.RunningOptions{})
		if err != nil {
			return
		}
		learn(t, got, frame, 0, frame.Len())
		if _, err := got.Snapshot(); err != nil {
			t.Errorf("Snapshot() = %v", err)
		}
	})
}

func marshalFloats(tb testing.TB, x []float64) []byte {
	tb.Helper()
	text, err := json.Marshal(x)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func BenchmarkLearn(b *testing.B) {
	for _, scale := range []feature.Scale{feature.Standardize, feature.MinMax, feature.Robust} {
		b.Run(string(scale), func(b *testing.B) {
			var features []feature.Feature
			for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
				features = append(features, feature.Feature{Name: name, Type: feature.Number, Scale: []feature.Scale{scale}})
			}
			f, random := feature.NewFrame(regression(features...), true), rand.New(rand.NewPCG(1, 1))
			for range 1000 {
				row := feature.Row{Label: num(0)}
				for range features {
					row.Values = append(row.Values, num(random.Float64()))
				}
				if err := f.Append(row); err != nil {
					b.Fatal(err)
				}
			}
			r := running(b, fit(b, f), 0, feature.RunningOptions{})
			b.ReportAllocs()
			for i := 0; b.Loop(); i = (i + 1) % 1000 {
				if err := r.Learn(f, i, i+1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
