package gate_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/modelbus/modelbus/model/gate"
)

func newStream(tb testing.TB, o gate.StreamOptions) *gate.Stream {
	tb.Helper()
	s, err := gate.NewStream(o)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// A race is two models with the given accuracies. With shared > 0 that share of
// the examples is so easy that both are right.
type race struct{ champion, challenger, shared float64 }

func (c race) scores(r *rand.Rand) (champion, challenger float64) {
	if r.Float64() < c.shared {
		return 1, 1
	}
	hit := func(accuracy float64) float64 {
		if r.Float64() < (accuracy-c.shared)/(1-c.shared) {
			return 1
		}
		return 0
	}
	return hit(c.champion), hit(c.challenger)
}

// run returns after how many examples of at most n the outcome was Better; 0 if
// it was not.
func (c race) run(tb testing.TB, o gate.StreamOptions, seed uint64, n int) int {
	tb.Helper()
	s, r := newStream(tb, o), rand.New(rand.NewPCG(seed, 77))
	for i := range n {
		if err := s.Add(c.scores(r)); err != nil {
			tb.Fatal(err)
		}
		if s.Outcome() != gate.Undecided {
			if s.Outcome() == gate.Better {
				return i + 1
			}
			return 0
		}
	}
	return 0
}

func TestStreamKeepsOutWhatIsNotBetter(t *testing.T) {
	const runs = 200
	tests := []struct {
		name string
		race race
	}{
		{"trained on shuffled labels: the majority's accuracy", race{0.8, 0.5755, 0}},
		{"trained on shuffled labels, two even classes", race{0.8, 0.5, 0}},
		{"trained on shuffled labels, a poor champion", race{0.55, 0.5, 0}},
		{"one point worse", race{0.8, 0.79, 0.5}},
		{"equal and independent", race{0.8, 0.8, 0}},
		{"equal and mostly agreeing", race{0.8, 0.8, 0.7}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			promoted := 0
			for seed := range uint64(runs) {
				if tt.race.run(t, gate.StreamOptions{}, seed, 10_000) > 0 {
					promoted++
				}
			}
			if promoted > runs*5/100 {
				t.Errorf("promoted in %d of %d runs, want at most 5 %%", promoted, runs)
			}
		})
	}
}

func TestStreamFindsFivePoints(t *testing.T) {
	const runs = 200
	tests := []struct {
		name string
		race race
	}{
		{"independent errors", race{0.80, 0.85, 0}},
		{"half the examples are easy", race{0.80, 0.85, 0.5}},
		{"they mostly agree", race{0.80, 0.85, 0.75}},
		{"at the middle, where chance is largest", race{0.50, 0.55, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			promoted, examples := 0, 0
			for seed := range uint64(runs) {
				if n := tt.race.run(t, gate.StreamOptions{}, seed, 5000); n > 0 {
					promoted++
					examples += n
				}
			}
			if promoted < runs*95/100 {
				t.Errorf("promoted in %d of %d runs, want at least 95 %%", promoted, runs)
			}
			t.Logf("after %d examples on average", examples/max(promoted, 1))
		})
	}
}

// Intervals that do not overlap are the harder proof.
func TestStreamSeparate(t *testing.T) {
	const runs = 20
	o := gate.StreamOptions{Test: gate.Separate}
	promoted, examples := 0, 0
	for seed := range uint64(runs) {
		if n := (race{0.80, 0.85, 0}).run(t, o, seed, 20_000); n > 0 {
			promoted++
			examples += n
		}
		if (race{0.8, 0.8, 0}).run(t, o, seed, 5000) > 0 {
			t.Errorf("seed %d: an equal challenger was promoted", seed)
		}
	}
	if promoted < runs {
		t.Errorf("promoted in %d of %d runs of 20,000, want all", promoted, runs)
	}
	t.Logf("after %d examples on average", examples/max(promoted, 1))
}

// After a promotion the old champion is the challenger.
func TestStreamIsTheWatchToo(t *testing.T) {
	for seed := range uint64(20) {
		if n := (race{champion: 0.70, challenger: 0.80}).run(t, gate.StreamOptions{}, seed, 5000); n == 0 {
			t.Errorf("seed %d: no way back from a promotion that lost 10 points", seed)
		}
		if n := (race{champion: 0.79, challenger: 0.80}).run(t, gate.StreamOptions{Margin: 0.02}, seed, 5000); n > 0 {
			t.Errorf("seed %d: rolled back though the loss is within the margin", seed)
		}
	}
}

func TestStreamOfLosses(t *testing.T) {
	better, worse := 0, 0
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 3))
		good, bad := newStream(t, gate.StreamOptions{}), newStream(t, gate.StreamOptions{})
		for range 5000 {
			y := r.NormFloat64()
			a, b := y*y*10, y*y*10*(0.8+0.2*r.Float64()) // errors a tenth smaller
			if err := errors.Join(good.AddLosses(a, b), bad.AddLosses(b, a)); err != nil {
				t.Fatal(err)
			}
		}
		if good.Outcome() == gate.Better {
			better++
		}
		if bad.Outcome() == gate.Worse {
			worse++
		}
	}
	if better < 48 || worse < 48 {
		t.Errorf("of 50 runs better in %d and worse in %d, want at least 48", better, worse)
	}
}

func TestStreamRefuses(t *testing.T) {
	s := newStream(t, gate.StreamOptions{})
	for _, err := range []error{
		s.Add(1.5, 0), s.Add(0, -1), s.Add(math.NaN(), 0),
		s.AddLosses(-1, 0), s.AddLosses(0, math.Inf(1)), s.AddLosses(math.NaN(), 0),
	} {
		if !errors.Is(err, gate.ErrInvalid) {
			t.Errorf("got %v, want %v", err, gate.ErrInvalid)
		}
	}
	if got := s.Compare(); got.Examples != 0 || got.Champion.Interval != (gate.Interval{Upper: 1}) {
		t.Errorf("what was refused was counted: %+v", got)
	}
	for _, o := range []gate.StreamOptions{{Alpha: 2}, {Alpha: -1}, {MinExamples: -1}, {Margin: 1}, {Test: "t"}} {
		if _, err := gate.NewStream(o); !errors.Is(err, gate.ErrInvalid) {
			t.Errorf("NewStream(%+v) = %v, want %v", o, err, gate.ErrInvalid)
		}
	}
}

func TestStreamRestoresExactly(t *testing.T) {
	for _, test := range []string{gate.Paired, gate.Separate} {
		o := gate.StreamOptions{Test: test, MinExamples: 100}
		r := rand.New(rand.NewPCG(5, 5))
		whole, parts := newStream(t, o), newStream(t, o)
		for i := range 3000 {
			if i%37 == 0 {
				text, err := json.Marshal(parts)
				if err != nil {
					t.Fatal(err)
				}
				parts = newStream(t, o)
				if err := json.Unmarshal(text, parts); err != nil {
					t.Fatal(err)
				}
			}
			a, b := (race{0.7, 0.8, 0.2}).scores(r)
			if err := errors.Join(whole.Add(a, b), parts.Add(a, b)); err != nil {
				t.Fatal(err)
			}
			if whole.Outcome() != parts.Outcome() {
				t.Fatalf("example %d: %v, want %v", i, parts.Outcome(), whole.Outcome())
			}
		}
		if got, want := parts.Compare(), whole.Compare(); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func FuzzStreamState(f *testing.F) {
	s := newStream(f, gate.StreamOptions{})
	for i := range 40 {
		if err := s.AddLosses(float64(i%7), float64(i%5)); err != nil {
			f.Fatal(err)
		}
	}
	text, err := json.Marshal(s)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		s := newStream(t, gate.StreamOptions{})
		if err := json.Unmarshal(text, s); err != nil {
			return
		}
		for range 10 {
			if err := s.AddLosses(1, 2); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := json.Marshal(s.Compare()); err != nil {
			t.Errorf("%+v: %v", s.Compare(), err)
		}
		if _, err := json.Marshal(s); err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkStreamAdd(b *testing.B) {
	s, r := newStream(b, gate.StreamOptions{}), rand.New(rand.NewPCG(1, 1))
	for b.Loop() {
		if err := s.Add(race{0.8, 0.8, 0}.scores(r)); err != nil {
			b.Fatal(err)
		}
	}
}
