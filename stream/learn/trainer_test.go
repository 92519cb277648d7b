package learn_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

func TestFirstVersionIsPromoted(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{Software: "modelbus test"})
	d.create(t, spec)
	d.points(t, "iris", 200, 1)

	got := d.train(t, wire.TrainRequest{Who: "ann"})
	if got.kind != "promoted" || !got.Promoted || got.version != 1 || got.Champion != 0 {
		t.Fatalf("first training: %+v, want version 1 promoted", got)
	}
	if a := got.Challenger["accuracy"]; a < 0.9 { // the clouds are eight standard deviations apart
		t.Errorf("accuracy %v on held-out rows, want at least 0.9", a)
	}
	if _, ok := got.Challenger["baseline_majority"]; !ok {
		t.Errorf("scores %v, want the baseline among them", got.Challenger)
	}

	v := d.resolve(t, "iris")
	l := v.Lineage
	if v.Number != 1 || l.Examples != 200 || l.Held == 0 || l.Rejected != 0 || l.Warm || l.Parent != 0 {
		t.Errorf("lineage of version %d: %+v, want 200 examples, some held out, none rejected", v.Number, l)
	}
	if l.Stream != "MODELBUS_TRAIN" || l.FirstSeq != 1 || l.LastSeq != 20 {
		t.Errorf("read %s from %d to %d, want MODELBUS_TRAIN from 1 to 20", l.Stream, l.FirstSeq, l.LastSeq)
	}
	if len(l.DataDigest) != 64 || len(l.SpecDigest) != 64 || l.Seed != 7 || l.Software != "modelbus test" || l.Seconds <= 0 {
		t.Errorf("lineage %+v, want digests, seed 7, the software and the time it took", l)
	}
	aliases, err := d.reg.Aliases(t.Context(), "iris")
	if err != nil {
		t.Fatal(err)
	}
	if m := aliases[registry.Champion]; m.Who != "ann" || m.Why == "" {
		t.Errorf("move of the champion %+v, want who and why", m)
	}
}

func TestMoreExamplesReplaceTheChampion(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, change(t, change(t, spec, "epochs: 20", "epochs: 1"), "0.05", "0.0001"))
	d.points(t, "iris", 60, 1)
	first := d.train(t, wire.TrainRequest{})
	d.update(t, spec)
	d.points(t, "iris", 300, 2)

	second := d.train(t, wire.TrainRequest{})
	if second.kind != "promoted" || second.version != 2 || second.Champion != first.version {
		t.Fatalf("second training: %+v, want version 2 promoted over %d", second, first.version)
	}
	if second.Metric != "accuracy" || second.Challenger["accuracy"] <= second.Before["accuracy"] {
		t.Errorf("%s: challenger %v, champion %v, want a better accuracy", second.Metric, second.Challenger, second.Before)
	}
	if v := d.resolve(t, "iris"); v.Number != 2 || v.Lineage.Parent != 1 {
		t.Errorf("champion is version %d with parent %d, want 2 with parent 1", v.Number, v.Lineage.Parent)
	}
}

func TestWorseVersionIsRejected(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec)
	d.points(t, "iris", 300, 1)
	d.train(t, wire.TrainRequest{})
	// The next one hardly learns.
	d.update(t, change(t, change(t, spec, "epochs: 20", "epochs: 1"), "0.05", "0.0000001"))

	got := d.train(t, wire.TrainRequest{})
	if got.kind != "rejected" || got.Promoted || got.version != 2 || got.Champion != 1 {
		t.Fatalf("second training: %+v, want version 2 rejected in favour of 1", got)
	}
	ours, theirs := got.Challenger["accuracy"], got.Before["accuracy"]
	if got.Metric != "accuracy" || ours >= theirs || theirs == 0 || !strings.Contains(got.Why, "worse") {
		t.Errorf("%s: challenger %v, champion %v because %q, want both scores and why", got.Metric, ours, theirs, got.Why)
	}
	if v := d.resolve(t, "iris"); v.Number != 1 {
		t.Errorf("champion is version %d, want 1", v.Number)
	}
	if got := d.versions(t); len(got) != 2 {
		t.Errorf("%d versions are kept, want both", len(got))
	}
}

func TestMinDelta(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, change(t, spec, "seed: 7", "seed: 7, min_delta: 0.01"))
	d.points(t, "iris", 100, 1)
	d.train(t, wire.TrainRequest{})
	if got := d.train(t, seeded(8)); got.kind != "rejected" || got.Challenger["accuracy"] != got.Before["accuracy"] {
		t.Errorf("the like again with min_delta: %+v, want it rejected with equal scores", got)
	}
	d.update(t, spec)
	if got := d.train(t, seeded(9)); got.kind != "promoted" {
		t.Errorf("the like again without: %+v, want it promoted", got)
	}
}

func TestNoPromote(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec)
	d.points(t, "iris", 100, 1)
	got := d.train(t, wire.TrainRequest{NoPromote: true})
	if got.kind != "rejected" || got.version != 1 || len(got.Challenger) == 0 {
		t.Errorf("training that may not promote: %+v, want version 1 with its scores, rejected", got)
	}
	if _, err := d.reg.Resolve(t.Context(), registry.Ref{Model: "iris"}); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("Resolve(iris) = %v, want ErrNotFound", err)
	}
}

func TestNothingHeldOutPromotes(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, change(t, spec, "seed: 7", "seed: 7, holdout: 0"))
	d.points(t, "iris", 50, 1)
	d.train(t, wire.TrainRequest{})
	got := d.train(t, seeded(8))
	if got.kind != "promoted" || got.version != 2 || !strings.Contains(got.Why, "no held-out rows") {
		t.Errorf("without held-out rows: %+v, want version 2 promoted and why", got)
	}
}

// The same range of the stream and the same seed give the same artifact, wherever.
func TestTrainingIsReproducible(t *testing.T) {
	t.Parallel()
	var versions []registry.Version
	for range 2 {
		d := deploy(t, learn.Options{})
		d.create(t, spec)
		d.points(t, "iris", 150, 1)
		d.train(t, wire.TrainRequest{})
		versions = append(versions, d.resolve(t, "iris"))
		d.stop()
	}
	a, b := versions[0], versions[1]
	if a.Digest != b.Digest || a.Lineage.DataDigest != b.Lineage.DataDigest || a.Lineage.SpecDigest != b.Lineage.SpecDigest {
		t.Errorf("two trainings on the same data:\n%+v\n%+v\nwant the same digests", a, b)
	}
}

func TestSeedOfTheRequest(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec)
	d.points(t, "iris", 100, 1)
	d.train(t, wire.TrainRequest{})
	seed := uint64(99)
	d.train(t, wire.TrainRequest{Seed: &seed})
	got := d.versions(t)
	if got[1].Lineage.Seed != 99 || got[0].Digest == got[1].Digest {
		t.Errorf("seed %d and digests %s, %s; want seed 99 and another model", got[1].Lineage.Seed, got[0].Digest, got[1].Digest)
	}
	if got[0].Lineage.SpecDigest != got[1].Lineage.SpecDigest {
		t.Error("another seed changed the digest of the spec")
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec)
	d.points(t, "iris", 200, 1)
	reply, err := d.trainer.Train(t.Context(), "iris", wire.TrainRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var states []string
	var last wire.Training
	epochs := 0
	for len(states) == 0 || states[len(states)-1] != "done" {
		e := d.next(t)
		if e.Kind != "training" {
			continue
		}
		if e.Model != "iris" || e.ID != reply.ID {
			t.Fatalf("event %+v, want one of training %s of iris", e, reply.ID)
		}
		var at wire.Training
		decode(t, e.Data, &at)
		if at.ID != reply.ID {
			t.Errorf("report %+v, want id %s", at, reply.ID)
		}
		if at.State == "epoch" {
			if at.Epoch <= epochs || at.Epochs != 20 || at.Scores["loss"] <= 0 {
				t.Errorf("epoch %+v after epoch %d, want a later one of 20 with its loss", at, epochs)
			}
			epochs = at.Epoch
		}
		if at.State == "evaluating" && last.State == "epoch" && last.Epoch != 20 {
			t.Errorf("the last epoch reported is %d, want 20", last.Epoch)
		}
		if at.State == "epoch" && last.State == "reading" && last.Rows != 200 {
			t.Errorf("the last report of reading counts %d rows, want 200", last.Rows)
		}
		last = at
		if len(states) == 0 || states[len(states)-1] != at.State {
			states = append(states, at.State)
		}
	}
	if want := []string{"reading", "epoch", "evaluating", "storing", "done"}; !slices.Equal(states, want) {
		t.Errorf("states %q, want %q", states, want)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		spec   string
		bodies []string
		is     error
		says   string
	}{
		{name: "empty stream", spec: spec, is: wire.ErrInvalid, says: "no examples: publish some to modelbus.train.iris"},
		{
			name: "one class", spec: spec, is: wire.ErrInvalid, says: "class",
			bodies: slices.Repeat([]string{`{"features": [1, 2], "label": "left"}`}, 20),
		},
		{
			name: "nothing usable", spec: spec, is: wire.ErrInvalid, says: "2 in messages 1 to 2",
			bodies: []string{`{"features": [1], "label": "left"}`, `{"features`},
		},
		{
			name: "diverged", is: wire.ErrInvalid, says: "diverged",
			spec: `{"name": "iris", "features": [{"name": "x", "type": "number", "scale": ["none"]}, {"name": "y", "type": "number"}],
				"label": {"name": "side", "type": "number"}, "optimizer": {"SGD": {"learning_rate": 1e30}}}`,
			bodies: slices.Repeat([]string{`{"features": [1e9, 2], "label": 1e9}`, `{"features": [-1e9, 3], "label": 5}`}, 20),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := deploy(t, learn.Options{})
			d.create(t, tt.spec)
			for _, body := range tt.bodies {
				d.publish(t, "iris", body)
			}
			got := d.train(t, wire.TrainRequest{})
			if got.kind != "failed" || got.Error == nil {
				t.Fatalf("training: %+v, want it failed with an error", got)
			}
			if !errors.Is(got.Error, tt.is) || !strings.Contains(got.Error.Message, tt.says) {
				t.Errorf("error %+v, want %v that says %q", got.Error, tt.is, tt.says)
			}
			if v := d.versions(t); len(v) != 0 {
				t.Errorf("a failed training left versions %v", v)
			}
		})
	}
}

func TestTrainUnknownModel(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	if _, err := d.trainer.Train(t.Context(), "iris", wire.TrainRequest{}); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("Train(iris) = %v, want ErrNotFound", err)
	}
}
