package learn_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

// failures returns the ids of the failed events of iris.
func (d *deployment) failures(t *testing.T) []string {
	t.Helper()
	var ids []string
	for _, e := range d.kept(t, "failed") {
		ids = append(ids, e.ID)
	}
	return ids
}

// A training whose trainer was killed failed: those that come later say so, once.
func TestTrainerWasKilled(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.stop()
	d.create(t, spec)
	d.points(t, "iris", 100, 1)
	if err := d.reg.BeginTraining(t.Context(), "iris", "killed"); err != nil { // as far as one got
		t.Fatal(err)
	}
	d.trainer, _ = join(t, d, learn.Options{})
	join(t, d, learn.Options{})
	got := d.outcome(t, "killed")
	if got.kind != "failed" || !errors.Is(got.Error, wire.ErrUnavailable) || !strings.Contains(got.Error.Message, "the trainer ended during it") {
		t.Errorf("outcome %+v, want it failed because the trainer ended", got)
	}
	if got := d.train(t, wire.TrainRequest{}); got.kind != "promoted" {
		t.Errorf("training after it: %+v, want it promoted", got)
	}
	if got := d.failures(t); len(got) != 1 || got[0] != "killed" {
		t.Errorf("trainings %v failed, want the killed one, once", got)
	}
}

// Who trains a model next does not wait to say that the training before failed.
func TestNextTrainingFindsTheKilledOne(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec)
	d.points(t, "iris", 100, 1)
	if err := d.reg.BeginTraining(t.Context(), "iris", "killed"); err != nil {
		t.Fatal(err)
	}
	if got := d.train(t, wire.TrainRequest{}); got.kind != "promoted" {
		t.Errorf("training: %+v, want it promoted", got)
	}
	if got := d.failures(t); len(got) != 1 || got[0] != "killed" {
		t.Errorf("trainings %v failed, want the killed one", got)
	}
}

// A training that was noted as begun, but whose trainer took it for one that was not and said
// that it failed, keeps no other from being trained.
func TestFailedAsItBegan(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec)
	d.points(t, "iris", 100, 1)
	if err := d.reg.BeginTraining(t.Context(), "iris", "canceled"); err != nil {
		t.Fatal(err)
	}
	if err := d.reg.Announce(t.Context(), registry.Event{Model: "iris", Kind: "failed", ID: "canceled", Data: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	if got := d.train(t, wire.TrainRequest{}); got.kind != "promoted" {
		t.Errorf("training after it: %+v, want it promoted", got)
	}
	if got := d.failures(t); len(got) != 1 {
		t.Errorf("trainings %v failed, want one", got)
	}
}

// A lease that another has taken ends the training, and what it led to is not kept.
func TestLeaseTaken(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	id := d.begun(t)
	kv, err := d.js.KeyValue(t.Context(), "MODELBUS_LEASE")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Put(t.Context(), "iris", []byte("another")); err != nil {
		t.Fatal(err)
	}
	if got := d.outcome(t, id); got.kind != "failed" || !strings.Contains(got.Error.Message, "lease") {
		t.Errorf("outcome %+v, want it failed because the lease was lost", got)
	}
}

// A lease that the server has forgotten is taken again: the training goes on.
func TestLeaseForgotten(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	id := d.begun(t)
	if err := d.js.DeleteKeyValue(t.Context(), "MODELBUS_LEASE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		d.until(t, "epoch") // it goes on
		kv, err := d.js.KeyValue(ctx, "MODELBUS_LEASE")
		if errors.Is(err, jetstream.ErrBucketNotFound) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := kv.Get(ctx, "iris"); err == nil {
			break
		}
	}
	d.trainer.Cancel("iris")
	if got := d.outcome(t, id); got.kind != "failed" || !errors.Is(got.Error, wire.ErrConflict) {
		t.Errorf("outcome %+v, want it failed because it was canceled", got)
	}
}

// A process without a free slot keeps no model from being trained by others.
func TestNoLeaseWithoutASlot(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{Parallel: 1})
	d.create(t, slow(t))
	d.points(t, "iris", 100, 1)
	if _, err := d.trainer.Train(t.Context(), "iris", wire.TrainRequest{}); err != nil {
		t.Fatal(err)
	}
	d.until(t, "epoch")
	leases, err := d.js.KeyValue(t.Context(), "MODELBUS_LEASE")
	if err != nil {
		t.Fatal(err)
	}
	taken, err := leases.Watch(t.Context(), "follow.>", jetstream.IgnoreDeletes())
	if err != nil {
		t.Fatal(err)
	}
	const models = 2
	for i := range models {
		d.points(t, fmt.Sprint("other", i), 50, 1)
		d.create(t, change(t, retraining(t, "{every: 50}"), "name: iris", fmt.Sprint("name: other", i)))
	}
	waiting := map[string]bool{}
	for late := time.After(patience); len(waiting) < models; { // in the first process
		select {
		case e := <-taken.Updates():
			if e != nil {
				waiting[e.Key()] = true
			}
		case <-late:
			t.Fatalf("the first process follows the examples of %v alone", waiting)
		}
	}
	if err := taken.Stop(); err != nil {
		t.Fatal(err)
	}
	join(t, d, learn.Options{Parallel: 1})
	late := time.Now().Add(patience)
	for promoted := 0; promoted < models; {
		if time.Now().After(late) {
			t.Fatalf("%d models were trained, want %d", promoted, models)
		}
		if e := d.next(t); e.Kind == "promoted" && e.Model != "iris" {
			promoted++
		}
	}
}
