package learn

import (
	"math/rand/v2"
	"testing"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/drift"
)

// relayed updates r with n errors of a mean, and returns the first that was a drift, -1 if
// none was.
func relayed(r *relay, rnd *rand.Rand, n int, mean float64) int {
	for i := range n {
		x := 0.0
		if rnd.Float64() < mean {
			x = 1
		}
		if r.Update(x) == drift.Drift {
			return i
		}
	}
	return -1
}

func TestRelay(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(*relay, *rand.Rand)
		rows   int
		mean   float64
		drift  bool
	}{
		{"a change soon after a version", func(r *relay, rnd *rand.Rand) {
			relayed(r, rnd, 3000, 0.1)
			r.hand()
			relayed(r, rnd, 50, 0.1)
		}, 400, 0.3, true},
		{"and soon after several", func(r *relay, rnd *rand.Rand) {
			relayed(r, rnd, 3000, 0.1)
			for range 5 {
				r.hand()
				relayed(r, rnd, 50, 0.1)
			}
		}, 400, 0.3, true},
		{"another version alone", func(r *relay, rnd *rand.Rand) {
			relayed(r, rnd, 3000, 0.1)
			r.hand()
		}, 5000, 0.12, false},
		{"after a reset", func(r *relay, rnd *rand.Rand) {
			relayed(r, rnd, 3000, 0.1)
			r.hand()
			r.Reset()
		}, 5000, 0.3, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := newRelay(model.Detector{})
			if err != nil {
				t.Fatal(err)
			}
			rnd := rand.New(rand.NewPCG(5, 6))
			tt.before(r, rnd)
			stored, err := r.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			other, err := newRelay(model.Detector{})
			if err == nil {
				err = other.UnmarshalJSON(stored)
			}
			if err != nil {
				t.Fatal(err)
			}
			at := relayed(r, rnd, tt.rows, tt.mean)
			if (at >= 0) != tt.drift {
				t.Errorf("drift after %d updates, want one: %t", at, tt.drift)
			}
			if e := r.Estimate(); tt.drift && !(e.Mean > e.Before) {
				t.Errorf("the estimate is %+v, want a rise", e)
			}
			again := rand.New(rand.NewPCG(5, 6))
			scratch, err := newRelay(model.Detector{})
			if err != nil {
				t.Fatal(err)
			}
			tt.before(scratch, again)
			if got := relayed(other, again, tt.rows, tt.mean); got != at {
				t.Errorf("stored and read, drift is told after %d updates, want %d", got, at)
			}
		})
	}
}

// That the next version is better is no drift, whatever the detector is after.
func TestRelayOfABetterVersion(t *testing.T) {
	for _, method := range []drift.Method{drift.ADWIN{}, drift.KSWIN{}} {
		t.Run(method.Config().Name, func(t *testing.T) {
			r, err := newRelay(model.Detector{Method: method})
			if err != nil {
				t.Fatal(err)
			}
			rnd := rand.New(rand.NewPCG(5, 6))
			relayed(r, rnd, 3000, 0.5)
			r.hand()
			if at := relayed(r, rnd, 1000, 0.02); at >= 0 {
				t.Errorf("drift after %d updates, want none: %+v", at, r.Estimate())
			}
			if at := relayed(r, rnd, 1000, 0.5); at < 0 {
				t.Error("no drift when the errors rose again")
			}
		})
	}
}

func TestRelayRefusesWhatCannotBe(t *testing.T) {
	r, err := newRelay(model.Detector{})
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	relayed(r, rnd, 500, 0.1)
	want, err := r.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`7`, `{"relay_now":{},"relay_before":{},"relay_left":0}`, `{"relay_now":{},"relay_before":{},"relay_left":2001}`,
		`{"relay_now":` + string(want) + `,"relay_before":7,"relay_left":10}`,
	} {
		if err := r.UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("%s was taken", text)
		}
		if got, err := r.MarshalJSON(); err != nil || string(got) != string(want) {
			t.Errorf("after %s the detector is %s, %v, want it as it was", text, got, err)
		}
	}
}
