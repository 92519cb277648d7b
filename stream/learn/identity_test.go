package learn_test

import (
	"errors"
	"testing"

	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

// anew deletes iris and makes another model of that name.
func (d *deployment) anew(t *testing.T, text string) {
	t.Helper()
	if err := d.reg.DeleteModel(t.Context(), "iris", "ann", "another one"); err != nil {
		t.Error(err)
	}
	if _, err := d.reg.CreateModel(t.Context(), parse(t, text)); err != nil {
		t.Error(err)
	}
}

// What was trained for a model that was deleted is no version of another one that has its name,
// in the moment in which it was to be stored.
func TestModelMadeAnewDuringTraining(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"window": spec, "online": onlineSpec} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := deploy(t, learn.Options{})
			d.stop()
			m := parse(t, text)
			m.Paused = true
			if _, err := d.reg.CreateModel(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			d.points(t, "iris", 100, 1)
			d.trainer = atFirstCommit(t, d, "late", func() { d.anew(t, spec) })
			run(t, d.trainer)
			if got := d.train(t, wire.TrainRequest{}); got.kind != "failed" {
				t.Errorf("outcome %+v, want it failed", got)
			}
			if got := d.versions(t); len(got) != 0 {
				t.Errorf("the other model has the versions %+v, want none", got)
			}
			if got := d.train(t, wire.TrainRequest{}); got.kind != "promoted" {
				t.Errorf("training of the other model: %+v, want it promoted", got)
			}
		})
	}
}

// A training of a model that was deleted ends, so that it does not keep another of its name waiting.
func TestModelMadeAnewBeforeTheEnd(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	id := d.begun(t)
	d.anew(t, spec)
	if got := d.outcome(t, id); got.kind != "failed" || !errors.Is(got.Error, wire.ErrConflict) {
		t.Errorf("outcome %+v, want it failed because the model was deleted", got)
	}
	if got := d.train(t, wire.TrainRequest{}); got.kind != "promoted" {
		t.Errorf("training of the other model: %+v, want it promoted", got)
	}
}
