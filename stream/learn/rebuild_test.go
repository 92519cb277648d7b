package learn_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/drift"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

// rebuild trains a version again.
func (d *deployment) rebuild(t *testing.T, ref string) (*learn.Rebuilt, error) {
	t.Helper()
	r, err := registry.ParseRef(ref)
	if err != nil {
		t.Fatal(err)
	}
	b := learn.Rebuilder{JetStream: d.js, Registry: d.reg}
	return b.Rebuild(t.Context(), r)
}

func TestRebuild(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{Software: "test"})
	d.create(t, spec)
	d.points(t, "iris", 100, 1)
	d.publish(t, "iris", `{"features":[1],"label":"left"}`) // too narrow
	d.points(t, "iris", 20, 2)
	d.train(t, wire.TrainRequest{})
	d.points(t, "iris", 200, 3)
	d.train(t, wire.TrainRequest{Warm: true})
	seed := uint64(99)
	d.train(t, wire.TrainRequest{Seed: &seed})
	dead := len(d.dead(t))

	// The spec of now is not that of the versions.
	d.update(t, change(t, spec, "epochs: 20", "epochs: 2"))
	for _, tt := range []struct {
		ref         string
		rows        int
		first, last uint64
	}{
		{"iris@1", 120, 1, 13},
		{"iris@2", 200, 14, 33},
		{"iris@3", 320, 1, 33},
	} {
		got, err := d.rebuild(t, tt.ref)
		if err != nil {
			t.Fatalf("Rebuild(%s) = %v", tt.ref, err)
		}
		want := d.resolve(t, tt.ref)
		if !got.Same || got.Digest != want.Digest || got.Rebuilt != want.Digest {
			t.Errorf("Rebuild(%s) = %+v, want the digest %s", tt.ref, got, want.Digest)
		}
		if got.Examples != tt.rows || got.FirstSeq != tt.first || got.LastSeq != tt.last || got.Software != "test" {
			t.Errorf("Rebuild(%s) = %+v, want %d rows of messages %d to %d", tt.ref, got, tt.rows, tt.first, tt.last)
		}
	}
	if n := len(d.dead(t)); n != dead {
		t.Errorf("rebuilding left %d dead letters, there were %d", n, dead)
	}
	if n := len(d.versions(t)); n != 3 {
		t.Errorf("rebuilding left %d versions, there were 3", n)
	}
}

func TestRebuildOfRemovedExamples(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec)
	d.points(t, "iris", 100, 1)
	d.train(t, wire.TrainRequest{})
	stream, err := d.js.Stream(t.Context(), "MODELBUS_TRAIN")
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name string
		opts []jetstream.StreamPurgeOpt
		seq  uint64 // to delete, if not 0
		says string
	}{
		{name: "one in between", seq: 5, says: "messages 1 to 10"},
		{name: "the first", opts: []jetstream.StreamPurgeOpt{jetstream.WithPurgeSequence(4)}, says: "messages 1 to 3"},
		{name: "all", says: "messages 1 to 10 of modelbus.train.iris, which it was trained on, are all gone"},
	} {
		if step.seq != 0 {
			err = stream.DeleteMsg(t.Context(), step.seq)
		} else {
			err = stream.Purge(t.Context(), step.opts...)
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err := d.rebuild(t, "iris@1")
		if !errors.Is(err, learn.ErrRemoved) || !strings.Contains(err.Error(), step.says) {
			t.Errorf("%s: Rebuild = %v, want ErrRemoved and %q", step.name, err, step.says)
		}
	}
	// New examples in their place are other examples.
	d.points(t, "iris", 100, 2)
	if _, err := d.rebuild(t, "iris@1"); !errors.Is(err, learn.ErrRemoved) {
		t.Errorf("Rebuild = %v, want ErrRemoved", err)
	}
}

func TestRebuildNeedsALineage(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec)
	d.points(t, "iris", 100, 1)
	d.train(t, wire.TrainRequest{})
	v := d.resolve(t, "iris")
	imported := registry.Version{Model: "iris", Digest: v.Digest, Lineage: registry.Lineage{Imported: "a file"}}
	if _, err := d.reg.Publish(t.Context(), imported, nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := d.rebuild(t, "iris@2"); !errors.Is(err, learn.ErrImported) {
		t.Errorf("Rebuild(iris@2) = %v, want ErrImported", err)
	}
	if _, err := d.rebuild(t, "iris@3"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("Rebuild(iris@3) = %v, want ErrNotFound", err)
	}
}

// TestRebuildWithoutReference proves a version that was trained before artifacts had
// references.
func TestRebuildWithoutReference(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec)
	d.points(t, "iris", 100, 1)
	d.train(t, wire.TrainRequest{})
	v := d.resolve(t, "iris@1")
	artifact, err := d.reg.Artifact(t.Context(), v.Digest)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Decode(artifact)
	if err != nil {
		t.Fatal(err)
	}
	if c := d.referenceOf(t, v, drift.PredictionColumn); c.Rows != int64(v.Lineage.Held) {
		t.Errorf("the reference has predictions for %+v, want the %d held-out rows", c, v.Lineage.Held)
	}
	if m, err = m.WithReference(nil); err != nil {
		t.Fatal(err)
	}
	if artifact, err = m.Encode(); err != nil {
		t.Fatal(err)
	}
	if v.Digest, err = d.reg.PutArtifact(t.Context(), artifact); err != nil {
		t.Fatal(err)
	}
	v.Size, v.Lineage.Training = int64(len(artifact)), ""
	if _, err = d.reg.Publish(t.Context(), v, nil, nil); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{"iris@1", "iris@2"} {
		if got, err := d.rebuild(t, ref); err != nil || !got.Same {
			t.Errorf("Rebuild(%s) = %+v, %v, want the same artifact", ref, got, err)
		}
	}
}
