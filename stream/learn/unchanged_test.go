package learn_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

// The same artifact is no version again.
func TestUnchanged(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec)
	d.points(t, "iris", 100, 1)
	d.train(t, wire.TrainRequest{NoPromote: true})
	got := d.train(t, wire.TrainRequest{NoPromote: true})
	if got.kind != "unchanged" || got.version != 1 || got.Promoted || !got.Unchanged || !strings.HasPrefix(got.Why, "unchanged: same as version 1") {
		t.Errorf("the same again: %+v, want it unchanged", got)
	}
	// It may be promoted now.
	got = d.train(t, wire.TrainRequest{})
	if got.kind != "promoted" || got.version != 1 || !got.Unchanged {
		t.Errorf("the same again, to promote: %+v, want version 1 promoted", got)
	}
	got = d.train(t, wire.TrainRequest{})
	if got.kind != "unchanged" || got.Champion != 1 || got.Why != "unchanged: same as version 1" {
		t.Errorf("the same as the champion: %+v, want it unchanged", got)
	}
	if v := d.versions(t); len(v) != 1 {
		t.Errorf("%d versions, want 1", len(v))
	}
	if got := d.train(t, seeded(8)); got.version != 2 {
		t.Errorf("with another seed: %+v, want version 2", got)
	}
}

// A training by itself that changes nothing, as of examples that are all held out, is
// not tried again on the same examples. Those that come have a category that no training
// row has, so that not even the reference of what is predicted for them differs.
func TestRetrainUnchanged(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	text := change(t, retraining(t, "{every: 2}"), "seed: 7", "seed: 7, holdout: 0.8")
	d.create(t, change(t, text, "{name: y, type: number}", "{name: y, type: category}"))
	ended := func() result {
		for {
			switch r := asResult(t, d.next(t)); r.kind {
			case "unchanged":
				if r.Tried == nil || r.Tried.LastSeq == 0 {
					t.Errorf("the verdict is %+v, want one that says what was tried", r.Verdict)
				}
				return r
			case "promoted", "rejected":
				return r
			case "failed":
				t.Fatalf("a training failed: %v", r.Error)
			}
		}
	}
	d.publish(t, "iris", `{"instances": [[1, "usual"]`+strings.Repeat(`, [2, "usual"], [3, "usual"]`, 10)+
		`], "labels": ["right"`+strings.Repeat(`, "left", "right"`, 10)+`]}`)
	trainings := 1
	for got := ended(); got.kind != "unchanged"; trainings++ {
		if trainings == 20 {
			t.Fatal("20 trainings all changed something")
		}
		d.publish(t, "iris", fmt.Sprintf(`{"instances": [[1, "rare %d"], [2, "rare %[1]d"]], "labels": ["right", "left"]}`, trainings))
		got = ended()
	}
	if n := len(d.versions(t)); n != trainings-1 {
		t.Errorf("%d versions of %d trainings, of which one changed nothing", n, trainings)
	}
	last := d.publish(t, "iris", `{"features": [1, "usual"], "label": "left"}`)
	d.live(t, func(l *wire.Live) bool { return counted(last)(l) && l.Next != nil && l.Next.Examples == 1 })
	if got := d.kept(t, "promoted", "rejected", "unchanged"); len(got) != trainings {
		t.Errorf("%d trainings, want one for every two examples: %d", len(got), trainings)
	}
}
