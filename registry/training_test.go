package registry_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/modelbus/modelbus/registry"
)

// A training that has begun ends once, whoever tries, and never after it led to a
// version.
func TestTrainingEndsOnce(t *testing.T) {
	t.Parallel()
	r, _ := create(t)
	ctx := t.Context()
	failed := func(id string) registry.Ending {
		return registry.Ending{Model: "iris", Training: id, Event: registry.Event{Kind: "failed", ID: id}}
	}
	if err := r.BeginTraining(ctx, "iris", "a"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("BeginTraining() of no model = %v, want %v", err, registry.ErrNotFound)
	}
	digest := addModel(t, r, "iris")
	if err := r.BeginTraining(ctx, "iris", "a"); err != nil {
		t.Fatal(err)
	}
	if err := r.BeginTraining(ctx, "iris", "b"); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("BeginTraining() of a second one = %v, want %v", err, registry.ErrConflict)
	}
	if all, err := r.Trainings(ctx); err != nil || len(all) != 1 || all[0].ID != "a" || all[0].Model != "iris" || all[0].Began.IsZero() {
		t.Errorf("Trainings() = %+v, %v, want a of iris", all, err)
	}
	if err := r.EndTraining(ctx, failed("b")); !errors.Is(err, registry.ErrEnded) {
		t.Errorf("EndTraining() of another = %v, want %v", err, registry.ErrEnded)
	}
	if err := r.EndTraining(ctx, failed("a")); err != nil {
		t.Fatal(err)
	}
	if err := r.EndTraining(ctx, failed("a")); !errors.Is(err, registry.ErrEnded) {
		t.Errorf("EndTraining() again = %v, want %v", err, registry.ErrEnded)
	}
	v := registry.Version{Model: "iris", Digest: digest, Lineage: registry.Lineage{Training: "a"}}
	if _, err := r.Publish(ctx, v, nil, nil); !errors.Is(err, registry.ErrEnded) {
		t.Errorf("Publish() of an ended training = %v, want %v", err, registry.ErrEnded)
	}
	if err := r.BeginTraining(ctx, "iris", "c"); err != nil {
		t.Fatal(err)
	}
	v.Lineage.Training = "c"
	if v, err := r.Publish(ctx, v, nil, nil); err != nil || v.Number != 1 {
		t.Fatalf("Publish() = %+v, %v, want version 1", v, err)
	}
	if err := r.EndTraining(ctx, failed("c")); !errors.Is(err, registry.ErrEnded) {
		t.Errorf("EndTraining() of one that led to a version = %v, want %v", err, registry.ErrEnded)
	}
	if all, err := r.Trainings(ctx); err != nil || len(all) != 0 {
		t.Errorf("Trainings() = %+v, %v, want none", all, err)
	}
}

// A training whose end was announced by somebody who did not know that it had begun, as when
// the answer to that was lost, can still be ended, and is announced once.
func TestTrainingThatWasAnnouncedEnds(t *testing.T) {
	t.Parallel()
	r, _ := create(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	addModel(t, r, "iris")
	if err := r.BeginTraining(ctx, "iris", "a"); err != nil {
		t.Fatal(err)
	}
	said := registry.Event{Model: "iris", Kind: "failed", ID: "a", Data: []byte(`"canceled"`)}
	if err := r.Announce(ctx, said); err != nil {
		t.Fatal(err)
	}
	end := registry.Ending{Model: "iris", Training: "a", Event: registry.Event{Kind: "failed", ID: "a", Data: []byte(`"killed"`)}}
	if err := r.EndTraining(ctx, end); err != nil {
		t.Fatalf("EndTraining() = %v, want the training ended", err)
	}
	if e, ok, err := r.LastEvent(ctx, "iris", "failed"); err != nil || !ok || string(e.Data) != `"canceled"` {
		t.Errorf("LastEvent() = %+v, %v, %v, want the first announcement", e, ok, err)
	}
	if err := r.BeginTraining(ctx, "iris", "b"); err != nil {
		t.Errorf("BeginTraining() of the next one = %v, want it begun", err)
	}
}

// A training may end with a version that was there before, which is promoted with it.
func TestTrainingEndsWithAPromotion(t *testing.T) {
	t.Parallel()
	r, _ := create(t)
	ctx := t.Context()
	digest := addModel(t, r, "iris")
	if _, err := r.Publish(ctx, registry.Version{Model: "iris", Digest: digest}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := r.BeginTraining(ctx, "iris", "a"); err != nil {
		t.Fatal(err)
	}
	end := registry.Ending{
		Model: "iris", Training: "a", Version: 1, Event: registry.Event{Kind: registry.KindPromoted, Data: []byte(`{"id":"a"}`)},
		Promote: &registry.Promotion{Alias: registry.Champion, If: 7, Who: "ann", Why: "better"},
	}
	if err := r.EndTraining(ctx, end); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("EndTraining() when the alias has moved = %v, want %v", err, registry.ErrConflict)
	}
	end.Promote.If = 0
	if err := r.EndTraining(ctx, end); err != nil {
		t.Fatal(err)
	}
	aliases, err := r.Aliases(ctx, "iris")
	if m := aliases[registry.Champion]; err != nil || m.To != 1 || m.Who != "ann" || m.Why != "better" {
		t.Errorf("champion %+v, %v, want version 1 by ann", m, err)
	}
	end.Promote = nil
	if err := r.EndTraining(ctx, end); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("EndTraining() promoted without a promotion = %v, want %v", err, registry.ErrInvalid)
	}
}

// A record that somebody put there hides no training, and keeps none from beginning.
func TestUnreadableTraining(t *testing.T) {
	t.Parallel()
	r, nc := create(t)
	ctx := t.Context()
	for _, name := range []string{"iris", "wine", "rose"} {
		addModel(t, r, name)
	}
	if err := r.BeginTraining(ctx, "wine", "a"); err != nil {
		t.Fatal(err)
	}
	putKey(t, nc, "training.iris", "no record")
	putKey(t, nc, "training.rose", `{"model":"rose"}`)
	all, err := r.Trainings(ctx)
	if len(all) != 1 || all[0].Model != "wine" || !errors.Is(err, registry.ErrCorrupt) ||
		!strings.Contains(err.Error(), "training.iris") || !strings.Contains(err.Error(), "training.rose") {
		t.Errorf("Trainings() = %+v, %v, want that of wine, and an error that names the others", all, err)
	}
	end := registry.Ending{Model: "iris", Training: "b", Event: registry.Event{Kind: "failed", ID: "b"}}
	if err := r.EndTraining(ctx, end); !errors.Is(err, registry.ErrEnded) {
		t.Errorf("EndTraining() = %v, want %v", err, registry.ErrEnded)
	}
	for _, name := range []string{"iris", "rose"} {
		if err := r.BeginTraining(ctx, name, "b"); err != nil {
			t.Errorf("BeginTraining(%s) = %v, want it begun", name, err)
		}
	}
}
