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
	text := change(t, retraining(t, "{every: 1}"), "seed: 7", "seed: 7, holdout: 0.8")
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
	ended()
	const more = 8
	same := 0
	for i := range more {
		d.publish(t, "iris", fmt.Sprintf(`{"features": [1, "rare %d"], "label": "right"}`, i))
		if ended().kind == "unchanged" {
			same++
		}
	}
	if n := len(d.versions(t)); same == 0 || n != 1+more-same {
		t.Errorf("%d of %d trainings changed nothing, and there are %d versions", same, more, n)
	}
	d.publish(t, "iris", `{"features": [1, "usual"], "label": "left"}`)
	ended()
	if got := d.kept(t, "promoted", "rejected", "unchanged"); len(got) != more+2 {
		t.Errorf("%d trainings, want one for each message: %d", len(got), more+2)
	}
}
