package learn_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/stream/learn"
)

// Labels of a model that is not there are buried, and those of one that does not capture
// any more are joined as long as predictions are kept.
func TestLabelsOfModelsThatDoNotCapture(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.stop()
	d.create(t, spec)
	d.capture(t, "a", 1)
	for _, subject := range []string{"modelbus.label.nobody", "modelbus.label.iris"} {
		if _, err := d.js.Publish(t.Context(), subject, []byte(`{"id": "a", "label": "right"}`)); err != nil {
			t.Fatal(err)
		}
	}
	trainer, _ := join(t, d, learn.Options{})
	if got, want := labels(t, 1, trainer), (learn.Labels{Joined: 1}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
	for end := time.Now().Add(patience); ; <-time.After(5 * time.Millisecond) {
		got, ok := trainer.Endpoints("nobody")[0].Data.(learn.Labels)
		if ok && got == (learn.Labels{Invalid: 1}) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("counts of the model that is not there: %+v, want 1 invalid", got)
		}
	}
	s, err := d.js.Stream(t.Context(), "MODELBUS_DEAD")
	if err != nil {
		t.Fatal(err)
	}
	dead, err := s.GetLastMsgForSubject(t.Context(), "modelbus.dead.nobody")
	if err != nil || !strings.Contains(dead.Header.Get("Modelbus-Reason"), "nobody") || dead.Header.Get("Modelbus-Subject") != "modelbus.label.nobody" {
		t.Errorf("dead %v, %v", dead, err)
	}
	left, err := d.js.Stream(t.Context(), "MODELBUS_LABEL")
	if err != nil || left.CachedInfo().State.Msgs != 0 {
		t.Errorf("labels are left: %+v, %v", left.CachedInfo().State, err)
	}
}

// An id may be used again when its prediction is no longer kept: a label is of the new one.
func TestIDIsUsedAgain(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{LabelWait: shortly})
	d.create(t, spec+capturing)
	s, err := d.js.Stream(t.Context(), "MODELBUS_CAPTURE")
	if err != nil {
		t.Fatal(err)
	}
	for i, label := range []string{"right", "left"} {
		d.capture(t, "a", 1)
		d.label(t, `{"id": "a", "label": "`+label+`"}`)
		if got, want := labels(t, uint64(i+1), d.trainer), (learn.Labels{Joined: uint64(i + 1)}); got != want {
			t.Errorf("counts %+v, want %+v", got, want)
		}
		if err := s.Purge(t.Context(), jetstream.WithPurgeSubject("modelbus.capture.iris.a")); err != nil {
			t.Fatal(err)
		}
	}
	d.label(t, `{"id": "a", "label": "left"}`)
	if got, want := later(labels(t, 3, d.trainer)), (learn.Labels{Joined: 2, Unknown: 1}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
	var bodies []string
	for _, m := range d.examples(t) {
		bodies = append(bodies, string(m.Data))
	}
	if len(bodies) != 2 || !strings.Contains(bodies[0], "right") || !strings.Contains(bodies[1], "left") {
		t.Errorf("examples %s, want one of each prediction", bodies)
	}
}

// What was captured goes between a trainer's claim and the next one's look: the label is of
// an unknown id then, and dead, not lost.
func TestCaptureGoesBeforeItsClaimIsCompleted(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{LabelWait: shortly})
	d.create(t, spec+capturing)
	if _, err := d.js.Publish(t.Context(), "modelbus.join.iris.a", []byte(`{"time":"2026-11-24T06:30:00Z","labels":{"0":{"label":"right","after":0}}}`)); err != nil {
		t.Fatal(err)
	}
	d.label(t, `{"id": "a", "label": "right"}`)
	if got, want := later(labels(t, 1, d.trainer)), (learn.Labels{Unknown: 1}); got != want || len(d.dead(t)) != 1 || len(d.examples(t)) != 0 {
		t.Errorf("counts %+v, %d dead, %d examples, want %+v, 1 and none", got, len(d.dead(t)), len(d.examples(t)), want)
	}
}

// A model is deleted while labels wait for predictions, and made again: no label of before is left.
func TestModelIsDeletedWhileLabelsWait(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec+capturing)
	d.early(t)
	if err := d.reg.DeleteModel(t.Context(), "iris", "", ""); err != nil {
		t.Fatal(err)
	}
	s, err := d.js.Stream(t.Context(), "MODELBUS_LABEL")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(t.Context(), jetstream.WithPurgeSubject("modelbus.label.iris")); err != nil { // as control does
		t.Fatal(err)
	}
	d.create(t, spec+capturing)
	d.capture(t, "a", 1)
	d.capture(t, "b", 1)
	d.label(t, `{"id": "b", "label": "left"}`)
	if got, want := labels(t, 1, d.trainer), (learn.Labels{Joined: 1, Early: 1}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
	if all := d.examples(t); len(all) != 1 || all[0].Header.Get("Modelbus-Id") != "b" {
		t.Errorf("examples %v, want that of b alone", all)
	}
}
