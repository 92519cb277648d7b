package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelbus/modelbus/registry/cache"
)

func TestKeepsAndMaps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "cache")
	b := newBlob(1, 3*mib+17)
	h := newHouse(t, dir, 10*mib)
	h.check(b, true)
	h.downloads(1)
	h.has(b)
	if got, err := os.ReadFile(h.path(b.digest)); err != nil || !bytes.Equal(got, b.bytes) {
		t.Errorf("the file holds %d bytes, %v, want the artifact", len(got), err)
	}

	again := newHouse(t, dir, 10*mib) // another process, or this one started again
	again.check(b, true)
	again.downloads(0)
	h.warned()
	again.warned()
}

// TestAdd wants what was made here kept as what was downloaded is.
func TestAdd(t *testing.T) {
	h := newHouse(t, t.TempDir(), 10*mib)
	large, small := newBlob(1, 2*mib), newBlob(2, mib-1)
	h.Add(t.Context(), large.digest, large.bytes)
	h.Add(t.Context(), small.digest, small.bytes)
	h.has(large)
	h.check(large, true)
	h.downloads(0)
	h.warned()
	new(cache.Cache).Add(t.Context(), large.digest, large.bytes) // keeps nothing
}

func TestStaysInMemory(t *testing.T) {
	small, large := newBlob(1, mib-1), newBlob(2, mib)
	h := newHouse(t, t.TempDir(), 10*mib)
	h.check(small, false)
	if got := h.files(); got != nil {
		t.Errorf("files = %v, want none for what is small", got)
	}
	off := newHouse(t, t.TempDir(), 0)
	off.check(large, false)
	nowhere := newHouse(t, "", 10*mib)
	nowhere.check(large, false)
	var zero cache.Cache
	a, err := zero.Open(t.Context(), large.digest, mib, h.fetch(t.Context(), large))
	if err != nil || a.Mapped() || !bytes.Equal(a.Bytes(), large.bytes) {
		t.Errorf("a zero cache opens %v, %v", a, err)
	}
	h.warned()
	off.warned()
	nowhere.warned()
}

// TestShares wants what is open in a process returned again, and one download
// when many open at once.
func TestShares(t *testing.T) {
	for _, b := range []blob{newBlob(1, 2*mib), newBlob(2, 1000)} {
		h := newHouse(t, t.TempDir(), 10*mib)
		all := make([]*cache.Artifact, 16)
		var wg sync.WaitGroup
		for i := range all {
			wg.Go(func() { all[i] = h.open(b) })
		}
		wg.Wait()
		for _, a := range all {
			if a != all[0] {
				t.Error("an artifact is open twice in one process")
			}
		}
		h.downloads(1)
	}
}

// TestProcessesDownloadOnce stands for processes with caches of their own.
func TestProcessesDownloadOnce(t *testing.T) {
	dir, b := t.TempDir(), newBlob(1, 4*mib)
	houses := make([]*house, 8)
	var wg sync.WaitGroup
	for i := range houses {
		houses[i] = newHouse(t, dir, 10*mib)
		wg.Go(func() { houses[i].check(b, true) })
	}
	wg.Wait()
	total := 0
	for _, h := range houses {
		total += h.downs
		h.warned()
	}
	if total != 1 {
		t.Errorf("%d downloads, want 1", total)
	}
}

// TestFetchFails wants errors returned, nothing kept, and the next one to do better.
func TestFetchFails(t *testing.T) {
	b := newBlob(1, 2*mib)
	failure := errors.New("no connection")
	tests := []struct {
		name  string
		fetch func(w *cache.Writer) error
		want  error
	}{
		{"at once", func(*cache.Writer) error { return failure }, failure},
		{"nothing written", func(*cache.Writer) error { return nil }, cache.ErrDigest},
		{"half-way", func(w *cache.Writer) error {
			return errors.Join(write(t.Context(), w, b), failure)
		}, failure},
		{"too little", func(w *cache.Writer) error {
			err := w.Start(t.Context(), 2*mib)
			_, writeErr := w.Write(b.bytes[:mib])
			return errors.Join(err, writeErr)
		}, cache.ErrDigest},
		{"other bytes", func(w *cache.Writer) error { return write(t.Context(), w, newBlob(2, 2*mib)) }, cache.ErrDigest},
		{"the right bytes and more announced", func(w *cache.Writer) error {
			err := w.Start(t.Context(), 3*mib)
			_, writeErr := w.Write(b.bytes)
			return errors.Join(err, writeErr)
		}, cache.ErrDigest},
	}
	h := newHouse(t, t.TempDir(), 10*mib)
	for _, tt := range tests {
		if a, err := h.Open(t.Context(), b.digest, 2*mib, tt.fetch); a != nil || !errors.Is(err, tt.want) {
			t.Errorf("%s: Open = %v, %v, want %v", tt.name, a, err, tt.want)
		}
		if got := h.files(); got != nil {
			t.Errorf("%s: files = %v, want none", tt.name, got)
		}
	}
	for name, fetch := range map[string]func(w *cache.Writer) error{
		"more than announced": func(w *cache.Writer) error {
			if err := w.Start(t.Context(), mib); err != nil {
				return err
			}
			_, err := w.Write(b.bytes)
			return err
		},
		"not started":       func(w *cache.Writer) error { _, err := w.Write(b.bytes); return err },
		"less than nothing": func(w *cache.Writer) error { return w.Start(t.Context(), -1) },
	} {
		if a, err := h.Open(t.Context(), b.digest, 2*mib, fetch); a != nil || err == nil {
			t.Errorf("%s: Open = %v, %v, want an error", name, a, err)
		}
	}
	h.check(b, true)
}

// TestStartsAgain wants a second attempt of one fetch to be all that counts.
func TestStartsAgain(t *testing.T) {
	b := newBlob(1, 2*mib)
	for _, size := range []int64{10 * mib, 0} {
		h := newHouse(t, t.TempDir(), size)
		a, err := h.Open(t.Context(), b.digest, 2*mib, func(w *cache.Writer) error {
			if err := write(t.Context(), w, newBlob(2, 3*mib)); err != nil {
				return err
			}
			if err := w.Verify(); !errors.Is(err, cache.ErrDigest) {
				t.Errorf("Verify of the wrong bytes = %v", err)
			}
			return write(t.Context(), w, b)
		})
		if err != nil || !bytes.Equal(a.Bytes(), b.bytes) {
			t.Errorf("Open = %v, want the second bytes", err)
		}
	}
}

func TestDigestIsNoPath(t *testing.T) {
	h := newHouse(t, t.TempDir(), 10*mib)
	for _, digest := range []string{"", "../x", strings.Repeat("a", 63), strings.Repeat("A", 64), strings.Repeat("/", 64)} {
		if _, err := h.Open(t.Context(), digest, 2*mib, func(*cache.Writer) error { return nil }); err == nil {
			t.Errorf("Open(%q) has no error", digest)
		}
	}
}

// TestContextEnds wants a caller whose time is over not to wait for another one.
func TestContextEnds(t *testing.T) {
	dir, b := t.TempDir(), newBlob(1, 2*mib)
	h, other := newHouse(t, dir, 10*mib), newHouse(t, dir, 10*mib)
	started, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := h.Open(context.Background(), b.digest, 2*mib, func(w *cache.Writer) error {
			close(started)
			<-release
			return write(context.Background(), w, b)
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-started
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for name, c := range map[string]*house{"the same cache": h, "another process": other} {
		if _, err := c.Open(ctx, b.digest, 2*mib, c.fetch(ctx, b)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: Open = %v, want the context's error", name, err)
		}
	}
	close(release)
	wg.Wait()
	other.check(b, true)
	other.downloads(0)
}

// TestManyAtOnce has caches of one folder, too small for all, open and drop
// artifacts while files are damaged, and wants no wrong byte.
func TestManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	blobs := make([]blob, 6)
	for i := range blobs {
		blobs[i] = newBlob(byte(i), mib+100*i)
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			h := newHouse(t, dir, 4*mib)
			for range 60 {
				b := blobs[r.IntN(len(blobs))]
				a := h.open(b)
				switch err := a.Verify(0, len(b.bytes)); {
				case errors.Is(err, cache.ErrDamaged):
				case err != nil:
					t.Error(err)
				case !bytes.Equal(a.Bytes(), b.bytes):
					t.Error("wrong bytes were verified")
				}
				runtime.KeepAlive(a)
				if r.IntN(4) == 0 {
					spoil(t, filepath.Join(dir, b.digest), r)
				}
				if r.IntN(4) == 0 {
					runtime.GC()
				}
			}
		})
	}
	wg.Wait()
}

// spoil puts a damaged copy in the place of a file, if it is there.
func spoil(t *testing.T, path string, r *rand.Rand) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil || len(b) == 0 {
		return
	}
	b[r.IntN(len(b))] ^= 1
	temp := fmt.Sprintf("%s-%d", path, r.Uint64())
	if err := os.WriteFile(temp, b, 0o600); err != nil {
		t.Error(err)
	}
	if err := os.Rename(temp, path); err != nil {
		t.Error(err)
	}
}
