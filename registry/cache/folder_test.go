package cache_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestLongestUnusedGoes fills the folder beyond its size.
func TestLongestUnusedGoes(t *testing.T) {
	blobs := []blob{newBlob(1, 2*mib), newBlob(2, 2*mib), newBlob(3, 2*mib), newBlob(4, 2*mib)}
	dir := t.TempDir()
	at := time.Now().Add(-time.Hour)
	for i, b := range blobs[:3] {
		newHouse(t, dir, 6*mib).open(b)
		when := at.Add(time.Duration(i) * time.Minute)
		if err := os.Chtimes(filepath.Join(dir, b.digest+".sum"), when, when); err != nil {
			t.Fatal(err)
		}
	}
	newHouse(t, dir, 6*mib).open(blobs[0]) // so that blobs[1] is the one
	h := newHouse(t, dir, 6*mib)
	h.check(blobs[3], true)
	h.has(blobs[0], blobs[2], blobs[3])
	h.warned()
}

// TestNothingMappedGoes wants artifacts in use kept, and one without room served
// from memory.
func TestNothingMappedGoes(t *testing.T) {
	a, b, c, huge := newBlob(1, 2*mib), newBlob(2, 2*mib), newBlob(3, 2*mib), newBlob(4, 6*mib)
	h := newHouse(t, t.TempDir(), 5*mib)
	first, second := h.open(a), h.open(b)
	h.check(c, false)
	h.warned("no room for 2 MiB")
	h.has(a, b)
	h.check(huge, false)
	h.warned("its 6 MiB are more than the 5 MiB of the cache")
	if !bytes.Equal(first.Bytes(), a.bytes) || !bytes.Equal(second.Bytes(), b.bytes) {
		t.Error("what is mapped changed")
	}
	runtime.KeepAlive(first)
	runtime.KeepAlive(second)
}

// TestMappedSurvivesOthers has another process make room with a file that is
// mapped here.
func TestMappedSurvivesOthers(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // files are read there
	}
	dir, a, b := t.TempDir(), newBlob(1, 2*mib), newBlob(2, 2*mib)
	h, other := newHouse(t, dir, 3*mib), newHouse(t, dir, 3*mib)
	mapped := h.open(a)
	other.check(b, true)
	other.has(b)
	if !bytes.Equal(mapped.Bytes(), a.bytes) {
		t.Error("what is mapped changed")
	}
	runtime.KeepAlive(mapped)
}

// TestUnmapsWhenUnused wants an artifact that nobody reaches to make room.
func TestUnmapsWhenUnused(t *testing.T) {
	h := newHouse(t, t.TempDir(), 5*mib)
	for i := range byte(20) {
		b := newBlob(i, 3*mib)
		runtime.GC()
		h.check(b, true)
	}
	h.warned()
}

// TestTrouble wants artifacts loaded whatever the folder is.
func TestTrouble(t *testing.T) {
	b := newBlob(1, 2*mib)
	t.Run("a file in the place of the folder", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		h := newHouse(t, path, 10*mib)
		h.check(b, false)
		h.downloads(1)
		h.warned("is loaded to memory")
	})
	t.Run("a folder in the place of a file", func(t *testing.T) {
		h := newHouse(t, t.TempDir(), 10*mib)
		if err := os.MkdirAll(h.path(filepath.Join(b.digest, "x")), 0o700); err != nil {
			t.Fatal(err)
		}
		h.check(b, false)
		h.check(b, false)
		h.warned("could not be removed")
	})
	t.Run("no sums can be written", func(t *testing.T) {
		h := newHouse(t, t.TempDir(), 10*mib)
		if err := os.MkdirAll(h.path(filepath.Join(b.digest+".sum", "x")), 0o700); err != nil {
			t.Fatal(err)
		}
		h.check(b, true)
		h.warned("will be verified again")
		again := newHouse(t, h.dir, 10*mib)
		again.check(b, true)
		again.downloads(0)
		again.warned("will be verified again")
	})
	t.Run("what was left over cannot go", func(t *testing.T) {
		h := newHouse(t, t.TempDir(), 10*mib)
		if err := os.MkdirAll(h.path(filepath.Join(b.digest+".part", "x")), 0o700); err != nil {
			t.Fatal(err)
		}
		h.check(b, false)
		h.warned("stays in memory")
	})
}

// TestLeftovers wants what killed processes left removed, and sums of nothing.
func TestLeftovers(t *testing.T) {
	h := newHouse(t, t.TempDir(), 5*mib)
	a, b := newBlob(1, 2*mib), newBlob(2, 3*mib)
	for name, size := range map[string]int{
		a.digest + ".part": 100, newBlob(3, 1).digest + ".part": 4 * mib, newBlob(4, 1).digest + ".sum": 10,
	} {
		if err := os.WriteFile(h.path(name), make([]byte, size), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	held := h.open(a)
	h.check(b, true)
	h.has(a, b)
	h.warned()
	runtime.KeepAlive(held)
}

// TestLeavesOtherFilesAlone fills a folder that is somebody's.
func TestLeavesOtherFilesAlone(t *testing.T) {
	h := newHouse(t, t.TempDir(), 3*mib)
	names := []string{"README", "notes.sum", "video.part", newBlob(1, 1).digest + ".txt", strings.Repeat("A", 64)}
	for _, name := range names {
		if err := os.WriteFile(h.path(name), make([]byte, 2*mib), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := range byte(3) {
		b := newBlob(i+2, 2*mib)
		runtime.GC()
		h.check(b, true)
		names = append(names[:5:5], b.digest, b.digest+".sum")
	}
	slices.Sort(names)
	if got := h.files(); !slices.Equal(got, names) {
		t.Errorf("files = %v, want %v", got, names)
	}
}
