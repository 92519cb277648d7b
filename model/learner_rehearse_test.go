package model_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
)

// Rehearsing has the same bits whoever does it, and learning goes on from there.
func TestRehearseIsExact(t *testing.T) {
	t.Parallel()
	s := mustParse(t, onlineSpec)
	rows := learnRows(t, &s.Schema, 160)
	learn := func(l *model.Learner, lo, hi int) {
		for i := lo; i < hi; i++ {
			if _, err := l.Learn(rows.Range(i, i+1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	rehearse := func(l *model.Learner) {
		if err := l.Rehearse(rows.Range(60, 120), 3); err != nil {
			t.Fatal(err)
		}
	}
	first, err := model.NewLearner(s, rows.Range(0, 100))
	if err != nil {
		t.Fatal(err)
	}
	learn(first, 0, 120)
	other, plain := again(t, s, first), stored(t, first)
	examples := first.Examples()
	rehearse(first)
	if bytes.Equal(stored(t, first), plain) {
		t.Error("rehearsing changed nothing")
	}
	if first.Examples() != examples {
		t.Errorf("after rehearsing %d examples were learned, want %d", first.Examples(), examples)
	}
	rehearse(other)
	if !bytes.Equal(stored(t, other), stored(t, first)) {
		t.Error("another one that rehearses the same has other bits")
	}
	other = again(t, s, first)
	learn(first, 120, 160)
	learn(other, 120, 160)
	if !bytes.Equal(stored(t, other), stored(t, first)) {
		t.Error("one that goes on from after rehearsing has other bits")
	}
}

// Rehearsing nothing, or no times, changes nothing; nor is what the replay remembers changed.
func TestRehearseNothing(t *testing.T) {
	t.Parallel()
	s := mustParse(t, onlineSpec)
	rows := learnRows(t, &s.Schema, 120)
	l, err := model.NewLearner(s, rows)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows.Len() {
		if _, err := l.Learn(rows.Range(i, i+1)); err != nil {
			t.Fatal(err)
		}
	}
	before := stored(t, l)
	if err := l.Rehearse(rows.Range(0, 0), 5); err != nil {
		t.Error(err)
	}
	if err := l.Rehearse(rows, 0); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(stored(t, l), before) {
		t.Error("rehearsing nothing changed the learner")
	}
	if err := l.Rehearse(feature.NewFrame(&s.Schema, false), 1); !errors.Is(err, feature.ErrInvalid) {
		t.Errorf("Rehearse of rows without labels = %v, want ErrInvalid", err)
	}
	s.Retrain.Batch = 7
	if l, err = model.NewLearner(s, rows); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Learn(rows.Range(0, 1)); err != nil {
		t.Fatal(err)
	}
	if err := l.Rehearse(rows, 1); !errors.Is(err, feature.ErrInvalid) || !strings.Contains(err.Error(), "1 rows wait") {
		t.Errorf("Rehearse within a batch = %v, want ErrInvalid", err)
	}
}

// After a change of concept a learner that rehearses what came since knows more of it.
func TestRehearseAfterAChange(t *testing.T) {
	t.Parallel()
	s := mustParse(t, strings.Replace(seaSpec, "{on: [drift]}", "{mode: online, every: 5000}", 1))
	const before, since, after, seeds = 4000, 250, 2000, 3
	gain := 0.0
	for seed := range uint64(seeds) {
		l, err := model.NewLearner(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		old, now := sea(t, s, before, seed, 7), sea(t, s, since+after, seed+10, 9.5)
		for _, part := range []*feature.Frame{old, now.Range(0, since)} {
			for i := range part.Len() {
				if _, err := l.Learn(part.Range(i, i+1)); err != nil {
					t.Fatal(err)
				}
			}
		}
		accuracy := func() float64 {
			m, err := l.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			scores, err := m.Evaluate(now.Range(since, since+after))
			if err != nil {
				t.Fatal(err)
			}
			return scores.Values["accuracy"]
		}
		gain -= accuracy()
		if err := l.Rehearse(now.Range(0, since), 30); err != nil {
			t.Fatal(err)
		}
		gain += accuracy()
	}
	// Of the means of three seeds the difference has a standard deviation of about 0.01.
	if gain /= seeds; gain < 0.02 {
		t.Errorf("rehearsing makes the accuracy %.3f higher, want 0.02 at least", gain)
	}
}
