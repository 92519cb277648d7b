package learn_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

// A concept says which side a point is on.
type concept func(x, y float64) bool

func crosswise(x, y float64) bool { return x*y > 0 }
func flipped(x, y float64) bool   { return x*y <= 0 }
func beside(x, _ float64) bool    { return x > 0 } // half of crosswise

// cloud draws n points and their sides, of which a share noise is wrong.
func cloud(n int, seed uint64, is concept, noise float64) (points [][2]float64, sides []string) {
	rnd := rand.New(rand.NewPCG(seed, 2))
	for range n {
		x, y := float64(rnd.IntN(2)*4-2), float64(rnd.IntN(2)*4-2)
		side := "left"
		if is(x, y) != (rnd.Float64() < noise) {
			side = "right"
		}
		points = append(points, [2]float64{x + rnd.NormFloat64()/2, y + rnd.NormFloat64()/2})
		sides = append(sides, side)
	}
	return points, sides
}

// stream publishes n examples of a concept in batches of ten, and returns the sequence
// of the last.
func (d *deployment) stream(t *testing.T, n int, seed uint64, is concept) (last uint64) {
	t.Helper()
	points, sides := cloud(n, seed, is, 0.05)
	for lo := 0; lo < n; lo += 10 {
		hi := min(lo+10, n)
		body, err := json.Marshal(map[string]any{"instances": points[lo:hi], "labels": sides[lo:hi]})
		if err != nil {
			t.Fatal(err)
		}
		last = d.publish(t, "iris", string(body))
	}
	return last
}

// prepared registers a model that was fitted to a concept.
func (d *deployment) prepared(t *testing.T, is concept, promote *registry.Promotion) registry.Version {
	t.Helper()
	s, err := model.ParseSpec([]byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	rows := feature.NewFrame(&s.Schema, true)
	points, sides := cloud(400, 9, is, 0)
	for i, p := range points {
		row := feature.Row{
			Values: []feature.Value{{Kind: feature.KindNumber, Num: p[0]}, {Kind: feature.KindNumber, Num: p[1]}},
			Label:  feature.Value{Kind: feature.KindText, Text: sides[i]},
		}
		if err := rows.Append(row); err != nil {
			t.Fatal(err)
		}
	}
	m, _, err := model.Fit(t.Context(), s, rows, model.FitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	artifact, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := d.reg.PutArtifact(t.Context(), artifact)
	if err != nil {
		t.Fatal(err)
	}
	v, err := d.reg.Publish(t.Context(), registry.Version{Model: "iris", Digest: digest}, promote, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func asChampion(before uint64) *registry.Promotion {
	return &registry.Promotion{Alias: registry.Champion, If: before, Who: "ann"}
}

func asChallenger() *registry.Promotion {
	return &registry.Promotion{Alias: registry.Challenger, Who: "ann"}
}

// live waits until the live record of iris is as wanted.
func (d *deployment) live(t *testing.T, wanted func(*wire.Live) bool) *wire.Live {
	t.Helper()
	m, err := d.reg.Model(t.Context(), "iris")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var last *wire.Live
	err = d.reg.WatchLive(ctx, func(string, []byte) {
		live, err := learn.ReadLive(ctx, d.reg, m)
		if err == nil && live != nil && ctx.Err() == nil {
			last = live
			if wanted(live) {
				cancel()
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if last == nil || !wanted(last) {
		t.Fatalf("the live record is %+v", last)
	}
	return last
}

func counted(seq uint64) func(*wire.Live) bool {
	return func(l *wire.Live) bool { return l.Last.Seq == seq }
}

// A moved is the data of an event of a moved alias.
type moved struct {
	registry.Move

	Verdict *wire.Verdict `json:"verdict"`
}

// moved waits until an alias of iris was moved, or removed.
func (d *deployment) moved(t *testing.T, alias string, to uint64) moved {
	t.Helper()
	for {
		e := d.next(t)
		if e.Kind == "promoted" || e.Kind == "removed" {
			var m moved
			decode(t, e.Data, &m)
			if m.Alias == alias && m.To == to {
				return m
			}
		}
	}
}

// kind waits for an event of a kind.
func (d *deployment) kind(t *testing.T, kind string) registry.Event {
	t.Helper()
	for {
		if e := d.next(t); e.Kind == kind {
			return e
		}
	}
}

// kept returns the kept events of iris of a kind.
func (d *deployment) kept(t *testing.T, kind string) []registry.Event {
	t.Helper()
	mark := registry.Event{Model: "iris", Kind: "mark", ID: fmt.Sprint(rand.Uint64())}
	if err := d.reg.Announce(t.Context(), mark); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var all []registry.Event
	err := d.reg.Events(ctx, "iris", 1, func(_ uint64, e registry.Event) error {
		if e.Kind == kind {
			all = append(all, e)
		}
		if e.ID == mark.ID {
			cancel()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const trialSpec = spec + "retrain: {gate: {kind: stream, min_examples: 50}}\n"

func TestTrialPromotesABetterChallenger(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, trialSpec)
	d.prepared(t, beside, asChampion(0))
	d.prepared(t, crosswise, asChallenger())
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
	got := d.train(t, wire.TrainRequest{})
	if got.Promoted || got.Gate.Outcome != "wait" || len(got.Challenger) == 0 {
		t.Fatalf("the second training: %+v, want it on trial, with held-out scores", got.Verdict)
	}
	if got = d.train(t, wire.TrainRequest{}); got.kind != "rejected" || !strings.Contains(got.Why, "version 2 is on trial") {
		t.Fatalf("the third training: %+v, want it only registered", got.Verdict)
	}
	d.live(t, func(l *wire.Live) bool { return l.Trial != nil })
	last := d.stream(t, 300, 2, crosswise)
	live := d.live(t, counted(last))
	if live.Trial == nil || live.Trial.Version != 2 || live.Trial.Left != 100 || live.Trial.Comparison.Examples != 300 {
		t.Errorf("the trial is %+v, want 300 examples of 400", live.Trial)
	}
	d.stream(t, 100, 3, crosswise)
	var v wire.Verdict
	decode(t, d.kind(t, "rejected").Data, &v)
	if v.Version != 2 || !strings.Contains(v.Why, "undecided after 400 examples") {
		t.Errorf("the verdict is %+v, want it undecided", v)
	}
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
	m := d.moved(t, registry.Champion, 2)
	m = d.moved(t, registry.Champion, 1)
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

func TestDriftIsAnnouncedOnceAndTrainedFor(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, retraining(t, "{on: [drift], window: 300}"))
	d.prepared(t, crosswise, asChampion(0))
	d.stream(t, 600, 1, crosswise)
	last := d.stream(t, 600, 2, flipped)
	var drift wire.ScoreDrift
	decode(t, d.kind(t, "drift").Data, &drift)
	if drift.Source != "score" || drift.Detector != "ADWIN" || drift.Version != 1 || drift.Seq <= 60 || drift.Seq > 75 ||
		!(drift.After > 0.5) || !(drift.Before < 0.1) {
		t.Errorf("drift %+v, want one soon after message 60", drift)
	}
	v := d.version(t)
	if v.Number != 2 || !strings.HasPrefix(v.Lineage.Trigger, "drift: ") || v.Lineage.LastSeq < drift.Seq {
		t.Errorf("version %+v, want one because of drift", v)
	}
	live := d.live(t, counted(last))
	if live.Drift == nil || live.Drift.Seq != drift.Seq || live.Trigger == nil || live.Trigger.Kind != "drift" {
		t.Errorf("the live record is %+v, want the drift and its trigger in it", live)
	}
	if n := len(d.kept(t, "drift")); n != 1 {
		t.Errorf("%d drift events, want 1", n)
	}
}

// Drift that others announced while nobody listened makes one training due.
func TestDriftOfFeaturesIsCaughtUpWith(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, retraining(t, "{on: [drift]}"))
	d.stream(t, 100, 1, crosswise)
	d.train(t, wire.TrainRequest{})
	d.stop()
	for id := range 3 {
		e := registry.Event{Model: "iris", Kind: "drift", ID: fmt.Sprintf("features-%d", id), Data: json.RawMessage(`{"source":"features"}`)}
		if err := d.reg.Announce(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	d.stream(t, 50, 2, crosswise)
	_, stop := join(t, d, learn.Options{})
	v := d.version(t)
	if v.Number != 2 || v.Lineage.Trigger != "drift of its features" {
		t.Errorf("version %+v, want one because of drift", v)
	}
	last := d.stream(t, 300, 3, crosswise)
	d.live(t, counted(last))
	stop()
	if n := len(d.versions(t)); n != 2 {
		t.Errorf("%d versions, want 2: one training for all that was announced", n)
	}
}

// That there is no drift any more makes no training due.
func TestRecoveryOfFeaturesTrainsNothing(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, retraining(t, "{on: [drift]}"))
	d.stream(t, 100, 1, crosswise)
	d.train(t, wire.TrainRequest{})
	e := registry.Event{Model: "iris", Kind: "drift", ID: "features-1-x", Data: json.RawMessage(`{"source":"features","version":1,"drifted":false,"recovered":["x"]}`)}
	if err := d.reg.Announce(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	last := d.stream(t, 300, 3, crosswise)
	live := d.live(t, counted(last))
	d.stop()
	if n := len(d.versions(t)); n != 1 || live.Trigger != nil {
		t.Errorf("%d versions, trigger %+v, want one and none", n, live.Trigger)
	}
}

func TestScoreBelowTrainsOnce(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec+"retrain: {on: [{score_below: {accuracy: 0.8}}]}\n")
	d.prepared(t, beside, asChampion(0))
	d.stream(t, 400, 1, crosswise)
	v := d.version(t)
	for v.Number == 1 {
		v = d.version(t)
	}
	if v.Number != 2 || !strings.Contains(v.Lineage.Trigger, "worse than 0.8") {
		t.Errorf("version %+v, want one because of the accuracy", v)
	}
	last := d.stream(t, 600, 2, crosswise)
	live := d.live(t, counted(last))
	if live.Trigger == nil || live.Trigger.Kind != "score_below" || live.Champion != 2 {
		t.Errorf("the live record is %+v, want the trigger in it", live)
	}
	d.stop()
	if n := len(d.versions(t)); n != 2 {
		t.Errorf("%d versions, want 2", n)
	}
}

// What an interrupted run counts is what an uninterrupted one does.
func TestLiveScoresOverRestarts(t *testing.T) {
	t.Parallel()
	const section = "retrain: {watch: 1000, gate: {kind: stream, min_examples: 5000, slices: [x], change: {accuracy: 1}}, on: [drift]}\n"
	run := func(restarts int) *wire.Live {
		d := deploy(t, learn.Options{})
		d.stop()
		d.create(t, spec+section)
		d.prepared(t, crosswise, asChampion(0))
		d.prepared(t, beside, asChallenger())
		_, stop := join(t, d, learn.Options{})
		var last uint64
		for i := range 6 {
			last = d.stream(t, 150, uint64(i), crosswise)
			if i < restarts {
				stop()
				_, stop = join(t, d, learn.Options{})
			}
		}
		live := d.live(t, counted(last))
		live.Last.Time, live.Since.Time, live.Trial.Since.Time = time.Time{}, time.Time{}, time.Time{}
		return live
	}
	whole, pieces := run(0), run(5)
	if whole.Examples != 900 || whole.Trial == nil || whole.Trial.Comparison.Examples != 900 || len(whole.Scores) != 2 {
		t.Errorf("the live record is %+v, want 900 examples", whole)
	}
	if !reflect.DeepEqual(whole, pieces) {
		t.Errorf("after restarts the live record is\n%+v, want\n%+v", text(t, pieces), text(t, whole))
	}
	if v := *whole.Value; math.Abs(v-0.95) > 0.03 {
		t.Errorf("the accuracy is %v, want about 0.95", v)
	}
	if m, n := *whole.Majority, *whole.NoChange; math.Abs(m-0.5) > 0.1 || math.Abs(n-0.5) > 0.1 {
		t.Errorf("majority %v and no change %v, want about 0.5", m, n)
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestLivePaused(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	m := parse(t, trialSpec)
	m.Paused = true
	m, err := d.reg.CreateModel(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	d.prepared(t, beside, asChampion(0))
	d.prepared(t, crosswise, asChallenger())
	last := d.stream(t, 500, 1, crosswise)
	if live, err := learn.ReadLive(t.Context(), d.reg, m); live != nil || err != nil {
		t.Errorf("paused: ReadLive = %+v, %v, want none", live, err)
	}
	m.Paused = false
	if m, err = d.reg.UpdateModel(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	d.moved(t, registry.Champion, 2)
	d.live(t, counted(last))
	if err := d.reg.DeleteModel(t.Context(), "iris", "ann", "done"); err != nil {
		t.Fatal(err)
	}
	if data, _, err := d.reg.Live(t.Context(), "iris"); data != nil || err != nil {
		t.Errorf("deleted: Live = %s, %v, want none", data, err)
	}
}

// A label that was joined to a prediction counts for the version that made it.
func TestLiveCountsRecordedPredictions(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec+"retrain: {watch: 10}\n")
	d.prepared(t, crosswise, asChampion(0))
	d.live(t, func(l *wire.Live) bool { return l.Champion == 1 })
	var last uint64
	for _, label := range []string{"left", "left", "right", "left"} {
		msg := nats.NewMsg("modelbus.train.iris")
		msg.Header.Set("Modelbus-Version", "1")
		msg.Header.Set("Modelbus-Prediction", "left")
		msg.Header.Set("Modelbus-Score", "0.75")
		msg.Data = []byte(`{"features":[2,2],"label":"` + label + `"}`) // the model itself says right
		ack, err := d.js.PublishMsg(t.Context(), msg)
		if err != nil {
			t.Fatal(err)
		}
		last = ack.Sequence
	}
	live := d.live(t, counted(last))
	if live.Examples != 4 || *live.Value != 0.75 {
		t.Errorf("the live record is %s, want an accuracy of 0.75 of 4 examples", text(t, live))
	}
	want := -(3*math.Log(0.75) + math.Log(0.25)) / 4
	if got := live.Scores[0].Values["log_loss"]; math.Abs(got-want) > 1e-9 {
		t.Errorf("log loss %v, want %v", got, want)
	}
}

func TestLiveScoresOfNumbers(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, `
name: iris
features:
  - {name: x, type: number}
label: {name: y, type: number}
training: {epochs: 30, batch_size: 16, seed: 7}
optimizer: {Adam: {learning_rate: 0.05}}
retrain: {every: 200, on: [drift]}
`)
	line := func(n int, slope float64) (last uint64) {
		rnd := rand.New(rand.NewPCG(1, 1))
		for range n / 10 {
			var body struct {
				Instances [][1]float64 `json:"instances"`
				Labels    []float64    `json:"labels"`
			}
			for range 10 {
				x := rnd.NormFloat64()
				body.Instances = append(body.Instances, [1]float64{x})
				body.Labels = append(body.Labels, slope*x+rnd.NormFloat64()/10)
			}
			last = d.publish(t, "iris", text(t, body))
		}
		return last
	}
	line(200, 3)
	d.version(t)
	line(190, 3) // on which it is scored
	d.live(t, func(l *wire.Live) bool { return l.Examples == 190 })
	line(100, -3)
	var drift wire.ScoreDrift
	for drift.Source == "" {
		if e := d.next(t); e.Kind == "drift" {
			decode(t, e.Data, &drift)
		}
	}
	if drift.Error != "absolute" || !(drift.After > drift.Before) {
		t.Errorf("drift %+v, want one of absolute errors", drift)
	}
	live := d.live(t, func(l *wire.Live) bool { return l.Champion > 0 })
	if live.Metric != "mse" || live.Mean == nil || live.Majority != nil {
		t.Errorf("the live record is %s, want mse beside that of the mean", text(t, live))
	}
}
