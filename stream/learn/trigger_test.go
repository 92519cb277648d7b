package learn_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

func TestDriftIsAnnouncedOnceAndTrainedFor(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, retraining(t, "{on: [drift], window: 300}"))
	d.prepared(t, crosswise, asChampion(0))
	d.live(t, func(l *wire.Live) bool { return l.Champion == 1 })
	d.stream(t, 600, 1, crosswise)
	d.stream(t, 100, 2, flipped)
	var drift wire.ScoreDrift
	decode(t, d.kind(t, "drift").Data, &drift)
	if drift.Source != "score" || drift.Detector != "ADWIN" || drift.Version != 1 || drift.Seq <= 60 || drift.Seq > 75 ||
		!(drift.After > 0.5) || !(drift.Before < 0.1) {
		t.Errorf("drift %+v, want one soon after message 60", drift)
	}
	if drift.SinceSeq < 60 || drift.SinceSeq > 62 || drift.Since.IsZero() {
		t.Errorf("drift %+v, want it to have begun with message 61", drift)
	}
	d.stream(t, 120, 3, flipped)
	v := d.version(t)
	if l := v.Lineage; v.Number != 2 || !strings.HasPrefix(l.Trigger, "drift: ") || l.FirstSeq != drift.SinceSeq ||
		l.Change != drift.SinceSeq || l.Examples < 200 || l.Examples > 230 {
		t.Errorf("version %+v, want one because of drift, of what came since message %d", v, drift.SinceSeq)
	}
	last := d.stream(t, 200, 4, flipped)
	if v = d.version(t); v.Number != 3 || v.Lineage.Trigger != "400 examples have come since the drift" || v.Lineage.Examples != 300 {
		t.Errorf("version %+v, want one of a full window after the drift", v)
	}
	if got, err := d.rebuild(t, "iris@2"); err != nil || !got.Same {
		t.Errorf("Rebuild(iris@2) = %+v, %v, want the same", got, err)
	}
	live := d.live(t, counted(last))
	if live.Cut == nil || live.Cut.Seq != drift.SinceSeq {
		t.Errorf("windows begin at %+v, want message %d", live.Cut, drift.SinceSeq)
	}
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
	if n := len(d.versions(t)); n != 2 {
		t.Errorf("%d versions, want 2: one training for all that was announced", n)
	}
	// One that comes live, when there are new examples already.
	e := registry.Event{Model: "iris", Kind: "drift", ID: "features-9", Data: json.RawMessage(`{"source":"features"}`)}
	if err := d.reg.Announce(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if v := d.version(t); v.Number != 3 || v.Lineage.LastSeq != last {
		t.Errorf("version %+v, want the third, of all examples", v)
	}
	last = d.stream(t, 100, 4, crosswise)
	d.live(t, counted(last))
	stop()
	if n := len(d.versions(t)); n != 3 {
		t.Errorf("%d versions, want 3", n)
	}
}

// A version that is cut when drift is signalled has learned little of what changed: others
// follow, and what is served is as good as before.
func TestOnlineVersionsFollowDrift(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, change(t, onlineSpec, "every: 200", "every: 5000, on: [drift]"))
	d.stream(t, 600, 1, crosswise)
	d.train(t, wire.TrainRequest{})
	d.stream(t, 600, 2, crosswise)
	d.stream(t, 100, 3, beside)
	v := d.version(t)
	if v.Number != 2 || !strings.HasPrefix(v.Lineage.Trigger, "drift: ") {
		t.Fatalf("version %d because of %q, want 2 because of drift", v.Number, v.Lineage.Trigger)
	}
	since := v.Lineage.Change
	if old := v.Lineage.Replay; since < 115 || since > 122 || old == nil || old.FirstSeq != since || old.LastSeq != v.Lineage.LastSeq ||
		old.Examples != 10*int(v.Lineage.LastSeq-since+1) {
		t.Fatalf("lineage %+v, learned again %+v, want what came since about message 121", v.Lineage, v.Lineage.Replay)
	}
	for i, more := range []int{250, 500, 1000} {
		d.stream(t, more, uint64(4+i), beside)
		want := fmt.Sprintf("%d examples more were learned since the drift", more)
		v := d.version(t)
		if v.Number != uint64(3+i) || v.Lineage.Trigger != want {
			t.Fatalf("version %d because of %q, want %d because %s", v.Number, v.Lineage.Trigger, 3+i, want)
		}
		if v.Lineage.Change != since || v.Lineage.Replay.Examples > 1000 {
			t.Errorf("lineage %+v, learned again %+v, want the newest 1,000 since message %d at most", v.Lineage, v.Lineage.Replay, since)
		}
	}
	last := d.stream(t, 1000, 8, beside)
	live := d.live(t, counted(last))
	for _, s := range live.Scores {
		if s.Version == 5 && !(s.Values["accuracy"] > 0.9) {
			t.Errorf("version 5 has the scores %v, want those of the concept after the drift", s.Values)
		}
	}
	d.stop()
	if n := len(d.versions(t)); n != 5 || live.Champion != 5 {
		t.Errorf("%d versions and champion %d, want 5", n, live.Champion)
	}
	for _, ref := range []string{"iris@1", "iris@2", "iris@3", "iris@5"} {
		got, err := d.rebuild(t, ref)
		if err != nil || !got.Same || (got.Replayed == 0) != (ref == "iris@1") {
			t.Errorf("Rebuild(%s) = %+v, %v, want the same", ref, got, err)
		}
	}
	stream, err := d.js.Stream(t.Context(), "MODELBUS_TRAIN")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.DeleteMsg(t.Context(), since); err != nil {
		t.Fatal(err)
	}
	_, err = d.rebuild(t, "iris@5")
	if !errors.Is(err, learn.ErrRemoved) || !strings.Contains(err.Error(), "which were learned again") {
		t.Errorf("Rebuild = %v, want ErrRemoved of what was learned again", err)
	}
}

// In a stream that was made anew, and is shorter, too, what came since a change is learned again.
func TestDriftInAStreamMadeAnew(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, change(t, onlineSpec, "every: 200", "every: 5000, on: [drift]"))
	d.stream(t, 2000, 1, crosswise)
	d.train(t, wire.TrainRequest{})
	d.stop()
	d.renew(t)
	d.trainer, d.stop = join(t, d, learn.Options{})
	d.stream(t, 600, 2, crosswise)
	last := d.stream(t, 100, 3, beside)
	v := d.await(t, 2)
	line := v.Lineage
	if !strings.HasPrefix(line.Trigger, "drift: ") || line.LastSeq > last {
		t.Fatalf("version %d up to message %d because of %q, want 2 because of drift", v.Number, line.LastSeq, line.Trigger)
	}
	if line.Change < 55 || line.Change > 62 || line.Replay == nil || line.Replay.FirstSeq != line.Change {
		t.Errorf("lineage %+v, learned again %+v, want what came since about message 61", line, line.Replay)
	}
	if got, err := d.rebuild(t, "iris@2"); err != nil || !got.Same {
		t.Errorf("Rebuild = %+v, %v, want the same", got, err)
	}
}

// A change soon after a version was made is noticed by what is known of the errors of the
// versions before.
func TestDriftSoonAfterAVersion(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"online":         change(t, onlineSpec, "every: 200", "every: 1000, on: [drift]"),
		"of mode window": retraining(t, "{every: 1000, window: 1000, on: [drift]}"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := deploy(t, learn.Options{})
			d.create(t, text)
			for number := range uint64(2) {
				d.stream(t, 1000, number, crosswise)
				if v := d.version(t); v.Number != number+1 {
					t.Fatalf("version %d, want %d", v.Number, number+1)
				}
			}
			d.live(t, func(l *wire.Live) bool { return l.Champion == 2 })
			d.stream(t, 40, 2, crosswise)
			corner := func(x, y float64) bool { return x > 0 && y > 0 } // a quarter is otherwise
			last := d.stream(t, 300, 3, corner)
			var drift wire.ScoreDrift
			decode(t, d.kind(t, "drift").Data, &drift)
			if drift.Version != 2 || drift.Seq <= 204 || drift.Seq > last || !(drift.Before < 0.15) || !(drift.After > 0.2) {
				t.Errorf("drift %+v, want one of version 2 after message 204", drift)
			}
			if drift.SinceSeq < 195 || drift.SinceSeq > 208 {
				t.Errorf("the drift began at message %d, want about 205", drift.SinceSeq)
			}
		})
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
	d.live(t, func(l *wire.Live) bool { return l.Champion == 1 })
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
