package cache_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelbus/modelbus/registry/cache"
)

const mib = 1 << 20

// A blob is an artifact as the registry has it.
type blob struct {
	digest string
	bytes  []byte
}

func newBlob(seed byte, size int) blob {
	b := make([]byte, size)
	if _, err := rand.NewChaCha8([32]byte{seed}).Read(b); err != nil {
		panic(err) // it never fails
	}
	sum := sha256.Sum256(b)
	return blob{hex.EncodeToString(sum[:]), b}
}

// A house is a cache over a folder, and what was downloaded and warned of.
type house struct {
	*cache.Cache

	tb    testing.TB
	dir   string
	mu    sync.Mutex // guards all below
	downs int
	warns []string
}

func newHouse(tb testing.TB, dir string, size int64) *house {
	tb.Helper()
	h := &house{tb: tb, dir: dir}
	h.Cache = cache.New(cache.Options{Dir: dir, Size: size, Warn: func(err error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.warns = append(h.warns, err.Error())
	}})
	return h
}

// fetch writes b in pieces, as a download does.
func (h *house) fetch(ctx context.Context, b blob) func(*cache.Writer) error {
	return func(w *cache.Writer) error {
		h.mu.Lock()
		h.downs++
		h.mu.Unlock()
		return write(ctx, w, b)
	}
}

func write(ctx context.Context, w *cache.Writer, b blob) error {
	if err := w.Start(ctx, int64(len(b.bytes))); err != nil {
		return err
	}
	for piece := range slices.Chunk(b.bytes, 300_000) {
		if _, err := w.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

func (h *house) open(b blob) *cache.Artifact {
	h.tb.Helper()
	a, err := h.Open(context.Background(), b.digest, int64(len(b.bytes)), h.fetch(context.Background(), b))
	if err != nil {
		h.tb.Fatal(err)
	}
	return a
}

// check opens b and wants it right, mapped or not.
func (h *house) check(b blob, mapped bool) {
	h.tb.Helper()
	a := h.open(b)
	if err := a.Verify(0, len(b.bytes)); err != nil {
		h.tb.Errorf("Verify = %v", err)
	}
	if a.Mapped() != mapped && runtime.GOOS != "windows" {
		h.tb.Errorf("Mapped = %v, want %v", a.Mapped(), mapped)
	}
	if !bytes.Equal(a.Bytes(), b.bytes) {
		h.tb.Error("the bytes are not the artifact's")
	}
	runtime.KeepAlive(a)
}

func (h *house) downloads(want int) {
	h.tb.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.downs != want {
		h.tb.Errorf("%d downloads, want %d", h.downs, want)
	}
}

// warned wants as many warnings as there are words, each with its own.
func (h *house) warned(words ...string) {
	h.tb.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.warns) != len(words) {
		h.tb.Fatalf("warnings = %q, want %d", h.warns, len(words))
	}
	for i, w := range words {
		if !strings.Contains(h.warns[i], w) {
			h.tb.Errorf("warning %q does not say %q", h.warns[i], w)
		}
	}
	h.warns = nil
}

func (h *house) path(name string) string { return filepath.Join(h.dir, name) }

// files returns the names of the files in the folder.
func (h *house) files() []string {
	h.tb.Helper()
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		h.tb.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

func (h *house) has(blobs ...blob) {
	h.tb.Helper()
	var want []string
	for _, b := range blobs {
		want = append(want, b.digest, b.digest+".sum")
	}
	slices.Sort(want)
	if got := h.files(); !slices.Equal(got, want) {
		h.tb.Errorf("files = %v, want %v", got, want)
	}
}

// change alters a file of the folder as a fault does, with its time as it was if
// silent.
func (h *house) change(name string, silent bool, fn func(b []byte) []byte) {
	h.tb.Helper()
	path := h.path(name)
	info, err := os.Stat(path)
	if err != nil {
		h.tb.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		h.tb.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		h.tb.Fatal(err)
	}
	if err := os.WriteFile(path, fn(b), 0o600); err != nil {
		h.tb.Fatal(err)
	}
	when := info.ModTime()
	if !silent {
		when = when.Add(time.Second)
	}
	if err := os.Chtimes(path, when, when); err != nil {
		h.tb.Fatal(err)
	}
}
