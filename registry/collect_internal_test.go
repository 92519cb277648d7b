package registry

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
)

func newRegistry(tb testing.TB) *Registry {
	tb.Helper()
	js, err := jetstream.New(embeddedtest.Connect(tb))
	if err != nil {
		tb.Fatal(err)
	}
	r, err := Create(tb.Context(), js, Options{})
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := r.CreateModel(tb.Context(), Model{Name: "iris", Spec: []byte("{}")}); err != nil {
		tb.Fatal(err)
	}
	return r
}

func store(tb testing.TB, r *Registry, artifact []byte) string {
	tb.Helper()
	digest, err := r.PutArtifact(tb.Context(), artifact)
	if err != nil {
		tb.Fatal(err)
	}
	return digest
}

// messages returns how many messages the object bucket holds.
func messages(tb testing.TB, r *Registry) uint64 {
	tb.Helper()
	si, err := info(tb.Context(), r.objects, "")
	if err != nil {
		tb.Fatal(err)
	}
	return si.State.Msgs
}

// TestCollect is a process that died between storing an artifact and its version.
func TestCollect(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	used := store(t, r, []byte("used"))
	v, err := r.Publish(t.Context(), Version{Model: "iris", Digest: used}, &Promotion{Alias: Champion}, nil)
	if err != nil {
		t.Fatal(err)
	}
	lost := store(t, r, bytes.Repeat([]byte("lost"), 1<<18))
	if vs, err := r.Versions(t.Context(), "iris"); err != nil || len(vs) != 1 {
		t.Errorf("Versions = %v, %v, want 1: an artifact alone is not visible", vs, err)
	}
	if digests, n, err := r.Collect(t.Context()); err != nil || len(digests) != 0 || n != 0 {
		t.Errorf("Collect of what is young = %v, %d, %v, want nothing", digests, n, err)
	}
	digests, n, err := r.collect(t.Context(), 0)
	if err != nil || !slices.Equal(digests, []string{lost}) || n != 1<<20 {
		t.Errorf("collect = %v, %d, %v, want %s, 1 MiB", digests, n, err, lost)
	}
	if _, err := r.Artifact(t.Context(), lost); !errors.Is(err, ErrNotFound) {
		t.Errorf("Artifact after collect = %v, want ErrNotFound", err)
	}
	if _, err := r.Artifact(t.Context(), v.Digest); err != nil {
		t.Errorf("Artifact of a version after collect = %v", err)
	}
	if got := messages(t, r); got != 2 {
		t.Errorf("the bucket holds %d messages, want 2: one chunk and its metadata", got)
	}
	if again := store(t, r, bytes.Repeat([]byte("lost"), 1<<18)); again != lost {
		t.Errorf("PutArtifact after collect = %s, want %s", again, lost)
	}
}

func TestCollectAfterDeletion(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	digest := store(t, r, []byte("v1"))
	if _, err := r.Publish(t.Context(), Version{Model: "iris", Digest: digest}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := r.DeleteModel(t.Context(), "iris", "", ""); err != nil {
		t.Fatal(err)
	}
	if digests, _, err := r.collect(t.Context(), 0); err != nil || !slices.Equal(digests, []string{digest}) {
		t.Errorf("collect = %v, %v, want %s", digests, err, digest)
	}
}

// TestCollectBesidePublish is a publication of an old artifact between a
// collection's decision and its deed.
func TestCollectBesidePublish(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	digest := store(t, r, []byte("v1"))
	old, err := r.metas(t.Context(), 0)
	if err != nil || len(old) != 1 {
		t.Fatalf("metas = %v, %v, want 1", old, err)
	}
	if _, err := r.keep(t.Context(), digest, 0); err != nil { // Publish before its commit
		t.Fatal(err)
	}
	if digests, _, err := r.collectObjects(t.Context(), old); err != nil || len(digests) != 0 {
		t.Errorf("collectObjects = %v, %v, want none: it was touched", digests, err)
	}
	if got, err := r.Artifact(t.Context(), digest); err != nil || string(got) != "v1" {
		t.Errorf("Artifact = %q, %v", got, err)
	}
}

// TestCollectUpload is a process that died in the middle of an upload, and an
// object that is not the registry's.
func TestCollectUpload(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	for range 3 {
		msg := nats.NewMsg(r.chunks("abandoned"))
		msg.Data = make([]byte, 100)
		if _, err := r.js.PublishMsg(t.Context(), msg); err != nil {
			t.Fatal(err)
		}
	}
	bucket, err := r.js.ObjectStore(t.Context(), r.objectBucket())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.PutString(t.Context(), "README", "hands off"); err != nil {
		t.Fatal(err)
	}
	if _, n, err := r.Collect(t.Context()); err != nil || n != 0 {
		t.Errorf("Collect of a young upload = %d, %v, want 0", n, err)
	}
	if digests, n, err := r.collect(t.Context(), 0); err != nil || n != 300 || len(digests) != 0 {
		t.Errorf("collect = %v, %d, %v, want 300 bytes", digests, n, err)
	}
	if s, err := bucket.GetString(t.Context(), "README"); err != nil || s != "hands off" {
		t.Errorf("foreign object = %q, %v", s, err)
	}
}
