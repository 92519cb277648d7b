package learn_test

import (
	"strings"
	"testing"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

const trialSpec = spec + "retrain: {gate: {kind: stream, min_examples: 50}}\n"

func TestTrialPromotesABetterChallenger(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, trialSpec)
	d.prepared(t, beside, asChampion(0))
	d.prepared(t, crosswise, asChallenger())
	d.live(t, func(l *wire.Live) bool { return l.Trial != nil })
	d.stream(t, 500, 1, crosswise)
	m := d.moved(t, registry.Champion, 2)
	if m.From != 1 || m.Who != "modelbus" || !strings.Contains(m.Why, "proved better") {
		t.Errorf("the move is %+v, want one by modelbus that says why", m.Move)
	}
	v := m.Verdict
	if v == nil || v.Gate == nil || v.Gate.Comparison == nil || !v.Promoted || v.Version != 2 || v.Champion != 1 {
		t.Fatalf("the verdict is %+v, want one with a comparison", v)
	}
	c := v.Gate.Comparison
	if c.Examples > 500 || !(c.Challenger.Mean > 0.85) || !(c.Champion.Mean < 0.65) || !(c.Challenger.Interval.Upper > c.Champion.Interval.Lower) {
		t.Errorf("the comparison is %+v, want 0.95 against 0.5", c)
	}
	d.moved(t, registry.Challenger, 0)
}

func TestTrialRejectsAWorseChallenger(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, trialSpec)
	d.prepared(t, crosswise, asChampion(0))
	d.prepared(t, beside, asChallenger())
	d.live(t, func(l *wire.Live) bool { return l.Trial != nil })
	d.stream(t, 500, 1, crosswise)
	e := d.kind(t, "rejected")
	var v wire.Verdict
	decode(t, e.Data, &v)
	if v.Promoted || v.Version != 2 || v.Gate.Comparison.Outcome != "worse" || !strings.HasPrefix(e.ID, "2-") {
		t.Errorf("event %s with %+v, want version 2 rejected", e.ID, v)
	}
	d.moved(t, registry.Challenger, 0)
	if got := d.resolve(t, "iris").Number; got != 1 {
		t.Errorf("version %d is the champion, want 1", got)
	}
}

// Better is not enough if a threshold is not reached.
func TestTrialHasThresholds(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec+"retrain: {gate: {kind: stream, min_examples: 50, thresholds: {accuracy: 0.999}}}\n")
	d.prepared(t, beside, asChampion(0))
	d.prepared(t, crosswise, asChallenger())
	d.live(t, func(l *wire.Live) bool { return l.Trial != nil })
	d.stream(t, 500, 1, crosswise)
	var v wire.Verdict
	decode(t, d.kind(t, "rejected").Data, &v)
	if v.Gate.Comparison.Outcome != "better" || !strings.Contains(v.Why, "0.999 is due") {
		t.Errorf("the verdict is %+v, want it below a threshold", v)
	}
}

// A training under a stream gate begins a trial; one that goes on for too long ends.
func TestTrialOfATraining(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec+"retrain: {gate: {kind: stream, min_examples: 20, slices: [x], change: {accuracy: 0.5}}}\n")
	d.stream(t, 200, 1, crosswise)
	if got := d.train(t, wire.TrainRequest{}); !got.Promoted || got.Gate.Outcome != "no_gate" {
		t.Fatalf("the first training: %+v, want it promoted", got.Verdict)
	}
	got := d.train(t, seeded(2))
	if got.Promoted || got.Gate.Outcome != "wait" || len(got.Challenger) == 0 {
		t.Fatalf("the second training: %+v, want it on trial, with held-out scores", got.Verdict)
	}
	if got = d.train(t, seeded(3)); got.kind != "rejected" || !strings.Contains(got.Why, "version 2 is on trial") {
		t.Fatalf("the third training: %+v, want it only registered", got.Verdict)
	}
	d.live(t, func(l *wire.Live) bool { return l.Trial != nil })
	last := d.stream(t, 300, 2, crosswise)
	live := d.live(t, counted(last))
	if live.Trial == nil || live.Trial.Version != 2 || live.Trial.Left != 100 || live.Trial.Comparison.Examples != 300 {
		t.Errorf("the trial is %+v, want 300 examples of 400", live.Trial)
	}
	// It had its time: a newer one takes its place.
	if got = d.train(t, seeded(4)); got.version != 4 || !strings.Contains(got.Why, "in place of version 2, of which 300 examples") {
		t.Fatalf("the fourth training: %+v, want it on trial", got.Verdict)
	}
	var v wire.Verdict
	decode(t, d.kind(t, "rejected").Data, &v)
	if v.Version != 2 || !strings.Contains(v.Why, "version 4 became the challenger in place of version 2") || v.Gate.Comparison.Examples != 300 {
		t.Errorf("the verdict is %+v, want version 2 rejected after 300 examples", v)
	}
	d.live(t, func(l *wire.Live) bool { return l.Trial != nil && l.Trial.Version == 4 })
	d.stream(t, 400, 3, crosswise)
	v = wire.Verdict{}
	decode(t, d.kind(t, "rejected").Data, &v)
	if v.Version != 4 || !strings.Contains(v.Why, "undecided after 400 examples") {
		t.Errorf("the verdict is %+v, want it undecided", v)
	}
}

// A challenger that cannot read the examples any more keeps no other one waiting.
func TestTrialOfWhatCannotBeScored(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, trialSpec)
	d.prepared(t, beside, asChampion(0))
	d.prepared(t, crosswise, asChallenger())
	d.live(t, func(l *wire.Live) bool { return l.Trial != nil })
	d.stop() // whoever follows the spec before would score some of the examples
	d.update(t, change(t, trialSpec, "name: x", "name: z"))
	d.stream(t, 60, 1, crosswise)
	join(t, d, learn.Options{})
	var v wire.Verdict
	decode(t, d.kind(t, "rejected").Data, &v)
	if v.Version != 2 || !strings.Contains(v.Why, "could not be scored on any of 50 examples") {
		t.Errorf("the verdict is %+v, want version 2 rejected", v)
	}
	d.moved(t, registry.Challenger, 0)
}

// A trial begins again with other groups if the spec has others.
func TestTrialOfOtherGroups(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	text := spec + "retrain: {gate: {kind: stream, min_examples: 50, slices: [x], change: {accuracy: 0.5}}}\n"
	d.create(t, text)
	d.prepared(t, beside, asChampion(0))
	d.prepared(t, crosswise, asChallenger())
	last := d.stream(t, 20, 1, crosswise)
	d.live(t, func(l *wire.Live) bool { return l.Last.Seq == last && l.Trial != nil })
	text = change(t, text, "name: x", "name: z")
	d.update(t, change(t, text, "slices: [x]", "slices: [y]"))
	last = d.stream(t, 20, 2, crosswise)
	d.live(t, counted(last))
}

// A human may force or forbid.
func TestTrialEndsByHand(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, trialSpec)
	d.prepared(t, beside, asChampion(0))
	d.prepared(t, crosswise, asChallenger())
	last := d.stream(t, 20, 1, crosswise)
	d.live(t, func(l *wire.Live) bool { return l.Last.Seq == last && l.Trial != nil })
	if err := d.reg.RemoveAlias(t.Context(), "iris", registry.Challenger, "ann", "no"); err != nil {
		t.Fatal(err)
	}
	d.live(t, func(l *wire.Live) bool { return l.Trial == nil })
	last = d.stream(t, 300, 2, crosswise)
	d.live(t, counted(last))
	if got := d.resolve(t, "iris").Number; got != 1 {
		t.Fatalf("version %d is the champion, want 1", got)
	}
	if _, err := d.reg.Promote(t.Context(), "iris", registry.Challenger, 2, "ann", "again"); err != nil {
		t.Fatal(err)
	}
	d.live(t, func(l *wire.Live) bool { return l.Trial != nil })
	if _, err := d.reg.Promote(t.Context(), "iris", registry.Champion, 2, "ann", "I know"); err != nil {
		t.Fatal(err)
	}
	if m := d.moved(t, registry.Challenger, 0); m.Who == "ann" {
		m = d.moved(t, registry.Challenger, 0)
		if !strings.Contains(m.Why, "promoted by hand: ann, I know") {
			t.Errorf("the alias was removed because %q, want the promotion by hand", m.Why)
		}
	}
	d.live(t, func(l *wire.Live) bool { return l.Trial == nil && l.Champion == 2 })
}

func TestWatchRollsBack(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec+"retrain: {watch: 3000, gate: {kind: stream}}\n")
	d.prepared(t, crosswise, asChampion(0))
	d.prepared(t, flipped, nil)
	d.live(t, func(l *wire.Live) bool { return l.Champion == 1 })
	if _, err := d.reg.Promote(t.Context(), "iris", registry.Champion, 2, "ann", "it is new"); err != nil {
		t.Fatal(err)
	}
	d.live(t, func(l *wire.Live) bool { return l.Watch != nil && l.Watch.Version == 2 && l.Watch.Against == 1 })
	d.stream(t, 100, 1, flipped)
	d.stream(t, 800, 2, crosswise) // what the labels mean has changed
	d.moved(t, registry.Champion, 2)
	m := d.moved(t, registry.Champion, 1)
	if !m.Rollback || m.Who != "modelbus" || m.From != 2 || !strings.Contains(m.Why, "rolled back") || m.Verdict.Gate.Comparison == nil {
		t.Errorf("the move is %+v with %+v, want a rollback by modelbus", m.Move, m.Verdict)
	}
	d.live(t, func(l *wire.Live) bool { return l.Champion == 1 && l.Watch == nil }) // which is not watched

	// It is not promoted by itself again.
	if _, err := d.reg.Promote(t.Context(), "iris", registry.Challenger, 2, "ann", "again"); err != nil {
		t.Fatal(err)
	}
	var v wire.Verdict
	decode(t, d.kind(t, "rejected").Data, &v)
	if !strings.Contains(v.Why, "rolled back before") {
		t.Errorf("the verdict is %+v, want it kept out", v)
	}
}

func TestWatchEnds(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec+"retrain: {watch: 200}\n")
	d.prepared(t, beside, asChampion(0))
	d.live(t, func(l *wire.Live) bool { return l.Champion == 1 })
	d.prepared(t, crosswise, asChampion(1))
	d.live(t, func(l *wire.Live) bool { return l.Watch != nil })
	last := d.stream(t, 300, 1, crosswise)
	live := d.live(t, counted(last))
	if live.Watch != nil || live.Champion != 2 {
		t.Errorf("the live record is %+v, want no watch any more", live)
	}
}
