package registry_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/registry"
)

func objectsOf(tb testing.TB, nc *nats.Conn) (jetstream.ObjectStore, jetstream.Stream) {
	tb.Helper()
	js := jsOn(tb, nc)
	store, err := js.ObjectStore(tb.Context(), "MODELBUS_ARTIFACTS")
	if err != nil {
		tb.Fatal(err)
	}
	stream, err := js.Stream(tb.Context(), "OBJ_MODELBUS_ARTIFACTS")
	if err != nil {
		tb.Fatal(err)
	}
	return store, stream
}

// chunkSubjects returns how many uploads the bucket holds chunks of.
func chunkSubjects(tb testing.TB, nc *nats.Conn) int {
	tb.Helper()
	_, stream := objectsOf(tb, nc)
	si, err := stream.Info(tb.Context(), jetstream.WithSubjectFilter("$O.MODELBUS_ARTIFACTS.C.>"))
	if err != nil {
		tb.Fatal(err)
	}
	return len(si.State.Subjects)
}

func TestArtifactRoundTrip(t *testing.T) {
	t.Parallel()
	r, nc := create(t)
	store, _ := objectsOf(t, nc)
	const chunk = 512 << 10
	for _, size := range []int{1, chunk - 1, chunk, chunk + 1, 3*chunk + 17} {
		want := blob(uint64(size), size)
		digest := putArtifact(t, r, want)
		if digest != digestOf(want) {
			t.Errorf("PutArtifact of %d bytes = %s, want %s", size, digest, digestOf(want))
		}
		if got, err := r.Artifact(t.Context(), digest); err != nil || !bytes.Equal(got, want) {
			t.Errorf("Artifact of %d bytes = %d bytes, %v", size, len(got), err)
		}
		if got, err := store.GetBytes(t.Context(), digest); err != nil || !bytes.Equal(got, want) {
			t.Errorf("stock Get of %d bytes = %d bytes, %v", size, len(got), err)
		}
		var out bytes.Buffer
		if err := r.Export(t.Context(), registry.Version{Digest: digest}, &out); err != nil || !bytes.Equal(out.Bytes(), want) {
			t.Errorf("Export of %d bytes = %d bytes, %v", size, out.Len(), err)
		}
	}
	list, err := store.List(t.Context())
	if err != nil || len(list) != 5 {
		t.Errorf("stock List = %d objects, %v, want 5", len(list), err)
	}
}

func TestPutArtifactAgain(t *testing.T) {
	t.Parallel()
	r, nc := create(t)
	artifact := blob(1, 2<<20)
	for range 3 {
		putArtifact(t, r, artifact)
	}
	if n := chunkSubjects(t, nc); n != 1 {
		t.Errorf("%d uploads are stored, want 1", n)
	}
}

func TestPutArtifactAtOnce(t *testing.T) {
	t.Parallel()
	srv := embeddedtest.Start(t)
	r := createOn(t, embeddedtest.Join(t, srv), registry.Options{})
	artifact := blob(1, 2<<20)
	var wg sync.WaitGroup
	for range 6 {
		r := createOn(t, embeddedtest.Join(t, srv), registry.Options{})
		wg.Go(func() {
			if digest, err := r.PutArtifact(t.Context(), artifact); err != nil || digest != digestOf(artifact) {
				t.Errorf("PutArtifact = %s, %v", digest, err)
			}
		})
	}
	wg.Wait()
	if got, err := r.Artifact(t.Context(), digestOf(artifact)); err != nil || !bytes.Equal(got, artifact) {
		t.Errorf("Artifact = %d bytes, %v", len(got), err)
	}
	if n := chunkSubjects(t, embeddedtest.Join(t, srv)); n != 1 {
		t.Errorf("%d uploads are stored, want 1: the others remove their chunks", n)
	}
}

func TestCorruptArtifact(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		damage func(t *testing.T, nc *nats.Conn, chunks string)
	}{
		{"a chunk too many bytes", func(t *testing.T, nc *nats.Conn, chunks string) {
			t.Helper()
			restore(t, nc, chunks, func(stored [][]byte) [][]byte {
				stored[1] = append(stored[1], 0)
				return stored
			})
		}},
		{"one wrong bit", func(t *testing.T, nc *nats.Conn, chunks string) {
			t.Helper()
			restore(t, nc, chunks, func(stored [][]byte) [][]byte {
				stored[2][5] ^= 1
				return stored
			})
		}},
		{"chunks out of order", func(t *testing.T, nc *nats.Conn, chunks string) {
			t.Helper()
			restore(t, nc, chunks, func(stored [][]byte) [][]byte {
				stored[0], stored[1] = stored[1], stored[0]
				return stored
			})
		}},
		{"a missing chunk", func(t *testing.T, nc *nats.Conn, chunks string) {
			t.Helper()
			restore(t, nc, chunks, func(stored [][]byte) [][]byte { return stored[:2] })
		}},
		{"no chunks", func(t *testing.T, nc *nats.Conn, chunks string) {
			t.Helper()
			restore(t, nc, chunks, func([][]byte) [][]byte { return nil })
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, nc := createSmall(t)
			artifact := blob(1, 128<<10+100)
			digest := putArtifact(t, r, artifact)
			store, _ := objectsOf(t, nc)
			info, err := store.GetInfo(t.Context(), digest)
			if err != nil {
				t.Fatal(err)
			}
			tt.damage(t, nc, "$O.MODELBUS_ARTIFACTS.C."+info.NUID)
			if _, err := r.Artifact(t.Context(), digest); !errors.Is(err, registry.ErrCorrupt) {
				t.Errorf("Artifact = %v, want ErrCorrupt", err)
			}
			var out bytes.Buffer
			if err := r.Export(t.Context(), registry.Version{Digest: digest}, &out); !errors.Is(err, registry.ErrCorrupt) || out.Len() > 0 {
				t.Errorf("Export = %d bytes, %v, want none and ErrCorrupt", out.Len(), err)
			}
			putArtifact(t, r, artifact)
			if got, err := r.Artifact(t.Context(), digest); err != nil || !bytes.Equal(got, artifact) {
				t.Errorf("Artifact after it was stored again = %d bytes, %v", len(got), err)
			}
			if n := chunkSubjects(t, nc); n != 1 {
				t.Errorf("%d uploads are stored, want 1", n)
			}
		})
	}
}

// restore replaces the chunks of an upload.
func restore(tb testing.TB, nc *nats.Conn, subject string, change func([][]byte) [][]byte) {
	tb.Helper()
	_, stream := objectsOf(tb, nc)
	var stored [][]byte
	for seq := uint64(1); ; {
		msg, err := stream.GetMsg(tb.Context(), seq, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			break
		}
		if err != nil {
			tb.Fatal(err)
		}
		stored = append(stored, bytes.Clone(msg.Data))
		seq = msg.Sequence + 1
	}
	if err := stream.Purge(tb.Context(), jetstream.WithPurgeSubject(subject)); err != nil {
		tb.Fatal(err)
	}
	js := jsOn(tb, nc)
	for _, chunk := range change(stored) {
		if _, err := js.Publish(tb.Context(), subject, chunk); err != nil {
			tb.Fatal(err)
		}
	}
}

// TestStoredByTheStockClient is an artifact that somebody put there with nats object put.
func TestStoredByTheStockClient(t *testing.T) {
	t.Parallel()
	r, nc := create(t)
	store, _ := objectsOf(t, nc)
	artifact := blob(3, 1<<20)
	if _, err := store.Put(t.Context(), jetstream.ObjectMeta{Name: digestOf(artifact)}, bytes.NewReader(artifact)); err != nil {
		t.Fatal(err)
	}
	if got, err := r.Artifact(t.Context(), digestOf(artifact)); err != nil || !bytes.Equal(got, artifact) {
		t.Errorf("Artifact = %d bytes, %v", len(got), err)
	}
	wrong := strings.Repeat("0", 64)
	if _, err := store.PutBytes(t.Context(), wrong, artifact); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Artifact(t.Context(), wrong); !errors.Is(err, registry.ErrCorrupt) {
		t.Errorf("Artifact under a digest that is not its own = %v, want ErrCorrupt", err)
	}
	if err := store.Delete(t.Context(), digestOf(artifact)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Artifact(t.Context(), digestOf(artifact)); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("Artifact after nats object rm = %v, want ErrNotFound", err)
	}
	putArtifact(t, r, artifact)
}

func TestPutArtifactCancelled(t *testing.T) {
	t.Parallel()
	r, nc := create(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := r.PutArtifact(ctx, blob(1, 1<<20)); !errors.Is(err, context.Canceled) {
		t.Errorf("PutArtifact = %v, want context.Canceled", err)
	}
	if n := chunkSubjects(t, nc); n != 0 {
		t.Errorf("%d uploads are stored, want 0", n)
	}
}
