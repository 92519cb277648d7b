package gate_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/modelbus/modelbus/model/gate"
)

func sequence(tb testing.TB, alpha float64) *gate.Sequence {
	tb.Helper()
	s, err := gate.NewSequence(alpha)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestSequenceAgreesWithVowpalWabbit(t *testing.T) {
	text, err := os.ReadFile("testdata/vw_confidence_sequence.json")
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Alpha        float64
		Observations [][2]float64 `json:"observations_w_r"`
		Expected     struct{ Lower, Upper, Tol float64 }
	}
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	s := sequence(t, f.Alpha)
	for _, o := range f.Observations {
		if err := s.Add(o[0], o[1]); err != nil {
			t.Fatal(err)
		}
	}
	got := s.Interval()
	if math.Abs(got.Lower-f.Expected.Lower) > f.Expected.Tol || math.Abs(got.Upper-f.Expected.Upper) > f.Expected.Tol {
		t.Errorf("interval %+v, want %+v", got, f.Expected)
	}
}

// The mean is within the interval at every look of a run, in nearly all runs.
func TestSequenceCovers(t *testing.T) {
	const runs, alpha = 200, 0.1
	missed := 0
	for run := range runs {
		r := rand.New(rand.NewPCG(uint64(run), 1))
		s := sequence(t, alpha)
		mean := float64(run%10)/10 + 0.05
		for i := range 2000 {
			x := 0.0
			if r.Float64() < mean {
				x = 1
			}
			if err := s.Add(1, x); err != nil {
				t.Fatal(err)
			}
			if i%50 != 0 {
				continue
			}
			if in := s.Interval(); mean < in.Lower || mean > in.Upper {
				missed++
				break
			}
		}
		if w := s.Interval(); s.Count() == 2000 && w.Upper-w.Lower > 0.12 {
			t.Errorf("run %d: after 2000 scores the interval is %+v: too wide to be of use", run, w)
		}
	}
	if missed > runs*alpha {
		t.Errorf("the mean left the interval in %d of %d runs, want at most %v", missed, runs, runs*alpha)
	}
}

func TestSequenceRefuses(t *testing.T) {
	s := sequence(t, 0.05)
	if got := s.Interval(); got != (gate.Interval{Lower: 0, Upper: 1}) {
		t.Errorf("of nothing: %+v, want [0, 1]", got)
	}
	for _, bad := range [][2]float64{{-1, 0.5}, {1, 1.5}, {1, -0.5}, {math.NaN(), 0}, {1, math.NaN()}, {1e13, 1}} {
		if err := s.Add(bad[0], bad[1]); !errors.Is(err, gate.ErrInvalid) {
			t.Errorf("Add(%v) = %v, want %v", bad, err, gate.ErrInvalid)
		}
	}
	if s.Count() != 0 {
		t.Errorf("%d scores were counted, want 0", s.Count())
	}
	for _, alpha := range []float64{0, 1, -1, math.NaN()} {
		if _, err := gate.NewSequence(alpha); !errors.Is(err, gate.ErrInvalid) {
			t.Errorf("NewSequence(%v) = %v, want %v", alpha, err, gate.ErrInvalid)
		}
	}
}

func BenchmarkSequence(b *testing.B) {
	s, r := sequence(b, 0.05), rand.New(rand.NewPCG(1, 1))
	b.Run("Add", func(b *testing.B) {
		for b.Loop() {
			if err := s.Add(1, r.Float64()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Interval", func(b *testing.B) {
		for b.Loop() {
			s.Interval()
		}
	})
}
