package learn_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

// slow is a spec whose training takes as long as a test wants.
func slow(t *testing.T) string {
	t.Helper()
	return change(t, spec, "epochs: 20, batch_size: 16", "epochs: 1000000, batch_size: 1")
}

// begun returns the id of a training of iris that has begun and goes on.
func (d *deployment) begun(t *testing.T) (id string) {
	t.Helper()
	d.create(t, slow(t))
	d.points(t, "iris", 100, 1)
	reply, err := d.trainer.Train(t.Context(), "iris", wire.TrainRequest{})
	if err != nil {
		t.Fatal(err)
	}
	d.until(t, "epoch")
	return reply.ID
}

func TestCancel(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, slow(t))
	d.points(t, "iris", 100, 1)
	if d.trainer.Cancel("iris") {
		t.Error("Cancel(iris) = true before a training, want false")
	}
	reply, err := d.trainer.Train(t.Context(), "iris", wire.TrainRequest{})
	if err != nil {
		t.Fatal(err)
	}
	d.until(t, "epoch")
	if again, err := d.trainer.Train(t.Context(), "iris", wire.TrainRequest{}); err != nil || again.ID != reply.ID || again.State != "running" {
		t.Errorf("Train again = %+v, %v, want %s running", again, err, reply.ID)
	}
	if !d.trainer.Cancel("iris") {
		t.Error("Cancel(iris) = false, want true")
	}
	got := d.outcome(t, reply.ID)
	if got.kind != "failed" || !errors.Is(got.Error, wire.ErrConflict) || !strings.Contains(got.Error.Message, "cancel") {
		t.Errorf("outcome %+v, want it failed because it was canceled", got)
	}
	if v := d.versions(t); len(v) != 0 {
		t.Errorf("a canceled training left versions %v", v)
	}
	d.update(t, spec)
	if got := d.train(t, wire.TrainRequest{}); got.kind != "promoted" {
		t.Errorf("training after a canceled one: %+v, want it promoted", got)
	}
}

func TestParallelBoundsTrainings(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{Parallel: 1})
	d.create(t, slow(t))
	d.create(t, change(t, spec, "name: iris", "name: other"))
	d.points(t, "iris", 100, 1)
	d.points(t, "other", 100, 1)
	first, err := d.trainer.Train(t.Context(), "iris", wire.TrainRequest{})
	if err != nil {
		t.Fatal(err)
	}
	d.until(t, "epoch")
	second, err := d.trainer.Train(t.Context(), "other", wire.TrainRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if at := d.until(t, "waiting"); at.ID != second.ID {
		t.Errorf("training %s waits, want %s", at.ID, second.ID)
	}
	d.trainer.Cancel("other")
	if got := d.outcome(t, second.ID); got.kind != "failed" {
		t.Errorf("outcome of a waiting training that was canceled: %+v, want it failed", got)
	}
	third, err := d.trainer.Train(t.Context(), "other", wire.TrainRequest{})
	if err != nil {
		t.Fatal(err)
	}
	d.until(t, "waiting")
	d.trainer.Cancel("iris")
	d.outcome(t, first.ID)
	if got := d.outcome(t, third.ID); got.kind != "promoted" {
		t.Errorf("outcome of the training that waited: %+v, want it promoted", got)
	}
}

func TestRunEndsTrainings(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	id := d.begun(t)
	d.stop()
	got := d.outcome(t, id)
	if got.kind != "failed" || !errors.Is(got.Error, wire.ErrUnavailable) || !got.Error.Retryable {
		t.Errorf("outcome %+v, want it failed and worth another try", got)
	}
	if _, err := d.trainer.Train(t.Context(), "iris", wire.TrainRequest{}); !errors.Is(err, learn.ErrStopped) {
		t.Errorf("Train after Run = %v, want ErrStopped", err)
	}
}

func TestOtherProcessTrains(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, slow(t))
	d.points(t, "iris", 100, 1)
	other, _ := join(t, d, learn.Options{})
	reply, err := other.Train(t.Context(), "iris", wire.TrainRequest{})
	if err != nil {
		t.Fatal(err)
	}
	d.until(t, "epoch")
	for d.trainer.Running("iris") == nil { // its reports are on their way here, too
		d.until(t, "epoch")
	}
	if again, err := d.trainer.Train(t.Context(), "iris", wire.TrainRequest{}); err != nil || again.ID != reply.ID || again.State != "running" {
		t.Errorf("Train in a second process = %+v, %v, want %s running", again, err, reply.ID)
	}
	if !d.trainer.Cancel("iris") {
		t.Error("Cancel in a second process = false, want true")
	}
	if got := d.outcome(t, reply.ID); got.kind != "failed" {
		t.Errorf("outcome %+v, want it failed", got)
	}
}

// Whatever moves the champion meanwhile, a promotion is decided against the version
// that it replaces.
func TestChampionMovesMeanwhile(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec)
	d.points(t, "iris", 100, 1)
	d.train(t, wire.TrainRequest{})
	d.train(t, seeded(8))
	reply, err := d.trainer.Train(t.Context(), "iris", seeded(9))
	if err != nil {
		t.Fatal(err)
	}
	moved := uint64(0)
	var got result
	for got.ID != reply.ID {
		e := d.next(t)
		switch e.Kind {
		case "promoted", "rejected", "failed":
			got = asResult(t, e)
		case "training":
			var at wire.Training
			decode(t, e.Data, &at)
			if at.State == "evaluating" && moved < 3 { // to 1, 2, 1
				if _, err := d.reg.Promote(t.Context(), "iris", registry.Champion, 1+moved%2, "ann", "by hand"); err != nil {
					t.Fatal(err)
				}
				moved++
			}
		}
	}
	if got.kind != "promoted" || got.version != 3 || moved == 0 {
		t.Fatalf("outcome after %d moves: %+v, want version 3 promoted", moved, got)
	}
	moves, err := d.reg.History(t.Context(), "iris", registry.Champion)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range moves {
		if m.To == 3 && m.From != got.Champion {
			t.Errorf("version 3 replaced version %d but was compared with %d", m.From, got.Champion)
		}
	}
}

// panicky panics at the first message that has text in it.
type panicky struct {
	text string
	done atomic.Bool
}

func (p *panicky) Run(_ *zerolog.Event, _ zerolog.Level, message string) {
	if strings.Contains(message, p.text) && !p.done.Swap(true) {
		panic("as the test wants")
	}
}

// A panic in a training fails that one, and no other.
func TestPanicInTraining(t *testing.T) {
	t.Parallel()
	hook := &panicky{text: "training from scratch"}
	d := deploy(t, learn.Options{Logger: zerolog.New(io.Discard).Hook(hook)})
	d.create(t, spec)
	d.points(t, "iris", 100, 1)
	got := d.train(t, wire.TrainRequest{Warm: true})
	if got.kind != "failed" || !errors.Is(got.Error, wire.ErrInternal) {
		t.Errorf("outcome %+v, want it failed with %v", got, wire.ErrInternal)
	}
	if !hook.done.Load() {
		t.Error("nothing has panicked")
	}
	if got := d.train(t, wire.TrainRequest{Warm: true}); got.kind != "promoted" {
		t.Errorf("the training after: %+v, want it promoted", got)
	}
}

func TestSubjectsOfAnotherPrefix(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	subjects := wire.Subjects{Prefix: "acme"}
	if err := learn.Setup(t.Context(), d.js, subjects, 1); err != nil {
		t.Fatal(err)
	}
	reg, err := registry.Create(t.Context(), d.js, registry.Options{Prefix: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	settle(t, reg)
	if _, err := reg.CreateModel(t.Context(), parse(t, spec)); err != nil {
		t.Fatal(err)
	}
	trainer, err := learn.New(d.nc, reg, learn.Options{Subjects: subjects})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.nc.ChanSubscribe("acme.event.*.failed.*", d.events); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- trainer.Run(ctx) }()
	if _, err := trainer.Train(t.Context(), "iris", wire.TrainRequest{}); err != nil {
		t.Fatal(err)
	}
	e := d.next(t)
	var v wire.Verdict
	if err := json.Unmarshal(e.Data, &v); err != nil || !strings.Contains(v.Error.Message, "acme.train.iris") {
		t.Errorf("event %s %s, want a failure that names acme.train.iris", e.Kind, e.Data)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run() = %v, want nil", err)
	}
}
