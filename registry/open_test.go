package registry_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/registry/cache"
)

// process opens the registry as a process of its own does, with that cache folder.
func process(tb testing.TB, nc *nats.Conn, dir string) *registry.Registry {
	tb.Helper()
	c := cache.New(cache.Options{Dir: dir, Size: 1 << 30, Warn: func(err error) { tb.Errorf("warning: %v", err) }})
	return createOn(tb, nc, registry.Options{Cache: c})
}

// TestOpenArtifactDownloadsOnce takes the artifact away from the registry after a
// first process opened it.
func TestOpenArtifactDownloadsOnce(t *testing.T) {
	t.Parallel()
	r, nc := create(t)
	want := blob(1, 3<<20+5)
	digest := putArtifact(t, r, want)
	dir := t.TempDir()
	for i := range 2 {
		a, err := process(t, nc, dir).OpenArtifact(t.Context(), digest, int64(len(want)))
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Verify(0, len(want)); err != nil || !bytes.Equal(a.Bytes(), want) {
			t.Errorf("process %d opens %d bytes, %v, want the artifact", i+1, len(a.Bytes()), err)
		}
		_, objects := objectsOf(t, nc)
		if err := objects.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := process(t, nc, t.TempDir()).OpenArtifact(t.Context(), digest, int64(len(want))); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("with another folder OpenArtifact = %v, want ErrNotFound", err)
	}
}

// TestOpenCorruptArtifact wants nothing kept of an artifact whose stored bytes are
// wrong, and the right one once they are repaired.
func TestOpenCorruptArtifact(t *testing.T) {
	t.Parallel()
	r, nc := createSmall(t)
	want := blob(1, cache.MinFile)
	digest := putArtifact(t, r, want)
	store, _ := objectsOf(t, nc)
	info, err := store.GetInfo(t.Context(), digest)
	if err != nil {
		t.Fatal(err)
	}
	restore(t, nc, "$O.MODELBUS_ARTIFACTS.C."+info.NUID, func(stored [][]byte) [][]byte {
		stored[1][7] ^= 1
		return stored
	})
	dir := t.TempDir()
	p := process(t, nc, dir)
	if _, err := p.OpenArtifact(t.Context(), digest, int64(len(want))); !errors.Is(err, registry.ErrCorrupt) {
		t.Errorf("OpenArtifact = %v, want ErrCorrupt", err)
	}
	if files, err := filepath.Glob(filepath.Join(dir, digest+"*")); err != nil || files != nil {
		t.Errorf("the folder has %v, %v, want nothing", files, err)
	}
	putArtifact(t, r, want)
	a, err := p.OpenArtifact(t.Context(), digest, int64(len(want)))
	if err != nil || !bytes.Equal(a.Bytes(), want) {
		t.Errorf("repaired, OpenArtifact = %v, want the artifact", err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, digest)); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the file has %d bytes, %v, want the artifact", len(got), err)
	}
	for _, digest := range []string{"", "../x"} {
		if _, err := p.OpenArtifact(t.Context(), digest, 1<<20); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("OpenArtifact(%q) = %v, want ErrInvalid", digest, err)
		}
	}
}
