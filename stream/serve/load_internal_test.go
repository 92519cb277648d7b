package serve

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/registry/cache"
	"github.com/modelbus/modelbus/stream/wire"
)

// TestUnreadableMapping cuts a mapped file off, after which its pages cannot be
// read: loading it is an error, not the end of the process.
func TestUnreadableMapping(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // files are read there
	}
	content := make([]byte, cache.MinFile)
	sum := sha256.Sum256(content)
	digest := hex.EncodeToString(sum[:])
	dir := t.TempDir()
	c := cache.New(cache.Options{Dir: dir, Size: 1 << 30})
	a, err := c.Open(t.Context(), digest, cache.MinFile, func(w *cache.Writer) error {
		if err := w.Start(t.Context(), cache.MinFile); err != nil {
			return err
		}
		_, err := w.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, digest)
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	l := &lane{shared: &shared{
		log: zerolog.New(&log),
		decode: func(a *cache.Artifact, _ wire.Answer, _ limits) (plan, error) {
			return plan{}, errors.New(string(a.Bytes()[:1]))
		},
	}}
	if v, err := l.build(a, 1); v != nil || !errors.Is(err, wire.ErrInternal) || !strings.Contains(err.Error(), "panicked") {
		t.Errorf("build = %v, %v, want an internal error", v, err)
	}
}
