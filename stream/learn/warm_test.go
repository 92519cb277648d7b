package learn_test

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

func TestWarmTraining(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec)
	d.points(t, "iris", 100, 1)
	// There is nothing to start from yet.
	if got := d.train(t, wire.TrainRequest{Warm: true}); got.kind != "promoted" {
		t.Fatalf("first training: %+v, want it promoted", got)
	}
	if d.resolve(t, "iris").Lineage.Warm {
		t.Error("the first version is said to be warm")
	}

	got := d.train(t, wire.TrainRequest{Warm: true})
	if got.kind != "failed" || !strings.Contains(got.Error.Message, "since message 10") {
		t.Errorf("warm training without new examples: %+v, want it failed: no examples since message 10", got)
	}

	d.points(t, "iris", 200, 2)
	got = d.train(t, wire.TrainRequest{Warm: true, NoPromote: true})
	l := d.resolve(t, "iris@2").Lineage
	if !l.Warm || l.Parent != 1 || l.FirstSeq != 11 || l.LastSeq != 30 || l.Examples != 200 {
		t.Errorf("lineage %+v of %+v, want a warm training from version 1 on messages 11 to 30", l, got)
	}
	if got.Champion != 1 || got.Before["accuracy"] == 0 {
		t.Errorf("outcome %+v, want both scores", got)
	}
}

// A spec that builds another network cannot go on from the champion's weights.
func TestWarmTrainingOfAnotherNetwork(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec)
	d.points(t, "iris", 100, 1)
	d.train(t, wire.TrainRequest{})
	d.update(t, change(t, spec, "units: 8", "units: 4"))
	d.train(t, wire.TrainRequest{Warm: true})
	if l := d.resolve(t, "iris@2").Lineage; l.Warm || l.FirstSeq != 1 {
		t.Errorf("lineage %+v, want a training from scratch", l)
	}
	// How to train may change.
	d.update(t, change(t, change(t, spec, "units: 8", "units: 4"), "epochs: 20", "epochs: 5"))
	d.points(t, "iris", 50, 3)
	d.train(t, wire.TrainRequest{Warm: true})
	if l := d.resolve(t, "iris@3").Lineage; !l.Warm || l.Parent != 2 {
		t.Errorf("lineage %+v, want a warm training", l)
	}
}

// Other models' examples and holes in the stream are passed over, and what comes
// during the training waits for the next.
func TestReadingIsBounded(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec)
	d.points(t, "other", 30, 1)
	d.points(t, "iris", 100, 1)
	d.points(t, "other", 30, 1)
	s, err := d.js.Stream(t.Context(), "MODELBUS_TRAIN")
	if err != nil {
		t.Fatal(err)
	}
	for _, seq := range []uint64{4, 7, 13} { // of iris: 4 to 13
		if err := s.DeleteMsg(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
	d.train(t, wire.TrainRequest{})
	if l := d.resolve(t, "iris").Lineage; l.FirstSeq != 5 || l.LastSeq != 12 || l.Examples != 70 {
		t.Errorf("lineage %+v, want 70 examples of messages 5 to 12", l)
	}
}

// A purge while the examples are read ends the reading; it does not hang.
func TestPurgeWhileReading(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec)
	d.points(t, "iris", 5000, 1)
	reply, err := d.trainer.Train(t.Context(), "iris", wire.TrainRequest{})
	if err != nil {
		t.Fatal(err)
	}
	d.until(t, "reading")
	s, err := d.js.Stream(t.Context(), "MODELBUS_TRAIN")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(t.Context(), jetstream.WithPurgeSubject("modelbus.train.iris")); err != nil {
		t.Fatal(err)
	}
	if got := d.outcome(t, reply.ID); got.kind != "promoted" && got.kind != "failed" {
		t.Errorf("outcome %+v, want a version of what was read, or a failure", got)
	}
}
