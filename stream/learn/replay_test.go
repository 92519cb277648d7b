package learn_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

// Beside the newest rows a training sees some of the older ones, and says which.
func TestReplayOfOlderExamples(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, retraining(t, "{window: 20, replay: {share: 0.5}}"))
	d.points(t, "iris", 20, 1)
	d.train(t, wire.TrainRequest{})
	if l := d.resolve(t, "iris@1").Lineage; l.Replay != nil || l.Examples != 20 {
		t.Errorf("lineage %+v, want nothing replayed: nothing is older than the window", l)
	}
	d.publish(t, "iris", `{"features":[1],"label":"left"}`) // too narrow
	d.points(t, "iris", 480, 2)
	d.train(t, wire.TrainRequest{})
	d.train(t, seeded(99))
	v := d.resolve(t, "iris@2")
	l := v.Lineage
	// Of the 20 rows some are held out; half as many as the others are older.
	want := (l.Examples - l.Held + 1) / 2
	if l.Examples != 20 || l.Replay == nil || l.Replay.Examples != want || l.Replay.FirstSeq != 1 || l.Replay.LastSeq != 50 || l.Rejected != 0 {
		t.Errorf("lineage %+v, replay %+v, want 20 examples and %d of messages 1 to 50", l, l.Replay, want)
	}
	if c := d.referenceOf(t, v, "x"); c.Rows != int64(l.Examples-l.Held+want) {
		t.Errorf("it was trained on %d rows, want %d", c.Rows, l.Examples-l.Held+want)
	}
	if other := d.resolve(t, "iris@3").Lineage.Replay; other == nil || other.DataDigest == l.Replay.DataDigest {
		t.Errorf("with another seed %+v was replayed, want other examples than %+v", other, l.Replay)
	}
	for _, ref := range []string{"iris@1", "iris@2", "iris@3"} {
		got, err := d.rebuild(t, ref)
		if err != nil || !got.Same {
			t.Errorf("Rebuild(%s) = %+v, %v, want the same", ref, got, err)
		}
		if ref != "iris@1" && (got.Replayed != want || got.Examples != 20) {
			t.Errorf("Rebuild(%s) = %+v, want 20 examples and %d older ones", ref, got, want)
		}
	}
	stream, err := d.js.Stream(t.Context(), "MODELBUS_TRAIN")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context(), jetstream.WithPurgeSequence(30)); err != nil {
		t.Fatal(err)
	}
	_, err = d.rebuild(t, "iris@2")
	if !errors.Is(err, learn.ErrRemoved) || !strings.Contains(err.Error(), "older examples that it was trained on, of messages 1 to 50") {
		t.Errorf("Rebuild = %v, want ErrRemoved of older examples", err)
	}
}

// A warm training sees some of the examples that its parent was trained on, none held out.
func TestReplayOfAWarmTraining(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, retraining(t, "{warm: true, every: 1h, replay: {share: 1}}"))
	d.points(t, "iris", 100, 1)
	d.train(t, wire.TrainRequest{})
	d.points(t, "iris", 200, 2)
	d.train(t, wire.TrainRequest{NoPromote: true})
	first, l := d.resolve(t, "iris@1").Lineage, d.resolve(t, "iris@2").Lineage
	trained := first.Examples - first.Held
	if r := l.Replay; !l.Warm || l.Examples != 200 || l.FirstSeq != 11 || r == nil || r.FirstSeq != 1 || r.LastSeq > 11 || r.Examples != trained {
		t.Errorf("lineage %+v, replay %+v, want 200 new examples and the %d that its parent was trained on", l, r, trained)
	}
	if got, err := d.rebuild(t, "iris@2"); err != nil || !got.Same {
		t.Errorf("Rebuild(iris@2) = %+v, %v, want the same", got, err)
	}
}
