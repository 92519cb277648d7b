package learn_test

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

// another makes another trainer of d, which does not run yet.
func another(t *testing.T, d *deployment) *learn.Trainer {
	t.Helper()
	trainer, err := learn.New(embeddedtest.Join(t, d.srv), d.reg, learn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return trainer
}

// atFirstCommit makes another trainer of d, and calls fn before the first write of
// a version of iris by it gets to the server.
func atFirstCommit(t *testing.T, d *deployment, prefix string, fn func()) *learn.Trainer {
	t.Helper()
	nc := embeddedtest.Join(t, d.srv)
	once := sync.OnceFunc(fn)
	js := intercept(t, nc, prefix, func(rest string, _ *nats.Msg) bool {
		if strings.HasPrefix(rest, "$KV.MODELBUS.version.iris.") {
			once()
		}
		return false
	})
	reg, err := registry.Open(t.Context(), js, registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	trainer, err := learn.New(nc, reg, learn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return trainer
}

// TestLostCompareAndSet has the champion move between the comparison and the commit:
// the version is compared again, with the new champion, and stored once.
func TestLostCompareAndSet(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec)
	d.points(t, "iris", 100, 1)
	d.train(t, wire.TrainRequest{})
	d.train(t, seeded(8))
	d.trainer = atFirstCommit(t, d, "late", func() {
		if _, err := d.reg.Promote(t.Context(), "iris", registry.Champion, 1, "ann", "by hand"); err != nil {
			t.Error(err)
		}
	})
	run(t, d.trainer)
	got := d.train(t, seeded(9))
	if got.kind != "promoted" || got.Champion != 1 {
		t.Errorf("outcome %+v, want it promoted in place of version 1", got)
	}
	if n := len(d.versions(t)); n != 3 {
		t.Errorf("%d versions, want 3", n)
	}
	moves, err := d.reg.History(t.Context(), "iris", registry.Champion)
	if err != nil {
		t.Fatal(err)
	}
	var to []uint64
	for _, m := range moves {
		to = append(to, m.To)
	}
	slices.Sort(to)
	if want := []uint64{1, 1, 2, got.version}; !slices.Equal(to, want) {
		t.Errorf("the champion moved to %v, want %v in some order", to, want)
	}
}

// TestTwoProcessesAtOnce has two processes asked at the same time: one trains after the
// other, and is compared with what that led to.
func TestTwoProcessesAtOnce(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec)
	d.points(t, "iris", 100, 1)
	a, b := another(t, d), another(t, d)
	replies := make([]wire.TrainReply, 2)
	var asking sync.WaitGroup
	for i, trainer := range []*learn.Trainer{a, b} {
		seed := uint64(i)
		asking.Go(func() {
			var err error
			if replies[i], err = trainer.Train(t.Context(), "iris", wire.TrainRequest{Seed: &seed}); err != nil {
				t.Error(err)
			}
		})
	}
	for a.Running("iris") == nil || b.Running("iris") == nil {
		runtime.Gosched() // both are asked before either begins, and hears of the other
	}
	run(t, a)
	run(t, b)
	asking.Wait()
	if replies[0].State != "started" || replies[1].State != "started" {
		t.Fatalf("replies %+v, want two trainings", replies)
	}
	ended := map[string]result{}
	for len(ended) < 2 {
		if r := asResult(t, d.next(t)); r.ID == replies[0].ID || r.ID == replies[1].ID {
			ended[r.ID] = r
		}
	}
	first, second := ended[replies[0].ID], ended[replies[1].ID]
	if first.Champion != 0 {
		first, second = second, first
	}
	if first.kind != "promoted" || first.Champion != 0 {
		t.Errorf("the winner's outcome %+v, want it promoted as the first", first)
	}
	if second.kind == "failed" || second.Champion != first.version {
		t.Errorf("the other's outcome %+v, want it compared with version %d", second, first.version)
	}
	if n := len(d.versions(t)); n != 2 {
		t.Errorf("%d versions, want 2", n)
	}
}
