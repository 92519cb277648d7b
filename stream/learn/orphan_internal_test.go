package learn

import (
	"testing"
	"time"

	"github.com/modelbus/modelbus/registry"
)

// A record of a training that cannot be read keeps nobody from finding others, nor its model from
// being trained.
func TestUnreadableRecordOfATraining(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	if _, err := b.trainer.reg.CreateModel(ctx, registry.Model{Name: "wine", Spec: b.record.Spec}); err != nil {
		t.Fatal(err)
	}
	if err := b.trainer.reg.BeginTraining(ctx, "iris", "killed"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.trainer.js.Publish(ctx, "$KV.MODELBUS.training.wine", []byte("no record")); err != nil {
		t.Fatal(err)
	}
	o := &orphanage{Trainer: b.trainer, seen: map[string]time.Time{"killed": time.Now().Add(-leaseTime)}}
	if waiting, err := o.look(ctx); waiting || err != nil {
		t.Errorf("look() = %v, %v, want nothing left to do", waiting, err)
	}
	if got := b.events(t)["failed"]; got != 1 {
		t.Errorf("%d trainings failed, want the one whose trainer ended", got)
	}
	if err := b.trainer.note(ctx, &job{model: "wine", id: "next"}); err != nil {
		t.Errorf("the next training of the model = %v, want it begun", err)
	}
}
