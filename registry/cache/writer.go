package cache

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
)

// firstReserve is how much memory is taken on the word of who begins an artifact;
// afterwards no more than four times what has come.
const firstReserve = 64 << 20

// A Writer takes an artifact that is fetched: to a file if the cache has room for
// it, else to memory. It is not safe for concurrent use.
type Writer struct {
	cache  *Cache
	digest string
	filed  bool // else it stays in memory

	size, written int64 // as announced; so far
	hash          hash.Hash
	sums          summer
	file          *os.File // nil: memory
	memory        []byte
}

// Start begins an artifact of size bytes. What was written before is dropped.
func (w *Writer) Start(ctx context.Context, size int64) error {
	if size < 0 || int64(int(size)) != size {
		return fmt.Errorf("writing artifact %s: it cannot have %d bytes", w.digest, size)
	}
	w.drop()
	w.size, w.written, w.memory = size, 0, nil
	w.hash, w.sums = sha256.New(), summer{}
	if !w.filed || size < MinFile {
		return nil
	}
	var err error
	if w.file, err = w.cache.folder.reserve(ctx, w.digest, size, w.cache.size, w.cache.holds); err != nil {
		w.settleForMemory(err)
	}
	return ctx.Err()
}

// Write appends to the artifact. A file that cannot be written is no error: the
// artifact goes on in memory.
func (w *Writer) Write(b []byte) (int, error) {
	if w.hash == nil || int64(len(b)) > w.size-w.written {
		return 0, fmt.Errorf("writing artifact %s: %d bytes follow %d of %d", w.digest, len(b), w.written, w.size)
	}
	w.hash.Write(b)
	if w.file != nil {
		if _, err := w.file.WriteAt(b, w.written); err != nil {
			if err := w.spill(err); err != nil {
				return 0, err
			}
		}
	}
	if w.file == nil {
		w.keep(b)
	} else {
		w.sums.write(b)
	}
	w.written += int64(len(b))
	return len(b), nil
}

// keep appends to what is in memory.
func (w *Writer) keep(b []byte) {
	if n := len(w.memory) + len(b); n > cap(w.memory) {
		grown := make([]byte, len(w.memory), min(w.size, max(firstReserve, 4*int64(n))))
		copy(grown, w.memory)
		w.memory = grown
	}
	w.memory = append(w.memory, b...)
}

// Verify returns an error that wraps [ErrDigest] unless the artifact is whole.
func (w *Writer) Verify() error {
	if w.hash == nil {
		return fmt.Errorf("%w: nothing was written", ErrDigest)
	}
	if got := hexSum(w.hash); got != w.digest || w.written != w.size {
		return fmt.Errorf("%w: the SHA-256 of its %d bytes, of which there should be %d, is %s", ErrDigest, w.written, w.size, got)
	}
	return nil
}

// spill moves what was written from the file, which failed, to memory.
func (w *Writer) spill(cause error) error {
	w.memory = make([]byte, w.written, w.size)
	if _, err := io.ReadFull(io.NewSectionReader(w.file, 0, w.written), w.memory); err != nil {
		return fmt.Errorf("writing artifact %s: %w", w.digest, errors.Join(cause, err))
	}
	w.settleForMemory(cause)
	return nil
}

func (w *Writer) settleForMemory(cause error) {
	w.drop()
	w.filed = false
	w.cache.complain("artifact %s stays in memory: %w", w.digest, cause)
}

// drop removes a file that is not finished.
func (w *Writer) drop() {
	if w.file == nil {
		return
	}
	_ = w.file.Close()           //nolint:errcheck // of a file that goes
	_ = os.Remove(w.file.Name()) //nolint:errcheck // who makes room tries again
	w.file = nil
}

// finish returns the artifact, which was verified.
func (w *Writer) finish() (*Artifact, error) {
	if w.file != nil {
		a, err := w.publish()
		if err == nil {
			return a, nil
		}
		if err := w.spill(err); err != nil {
			return nil, err
		}
	}
	return &Artifact{digest: w.digest, bytes: w.memory}, nil
}

// publish gives the file its name.
func (w *Writer) publish() (*Artifact, error) {
	if err := w.file.Sync(); err != nil {
		return nil, fmt.Errorf("syncing: %w", err)
	}
	info, err := w.file.Stat()
	if err != nil {
		return nil, fmt.Errorf("looking at the file: %w", err)
	}
	part := w.file.Name()
	if err := os.Chmod(part, 0o400); err != nil {
		return nil, fmt.Errorf("making it read-only: %w", err)
	}
	f, err := os.Open(part)
	if err != nil {
		return nil, fmt.Errorf("opening it again: %w", err)
	}
	s := &sums{size: w.size, time: info.ModTime().UnixNano(), blocks: w.sums.sums}
	a, err := w.cache.place(w.digest, f, s, true)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	_ = w.file.Close() //nolint:errcheck // synced, and open once more
	w.file = nil
	if err := os.Rename(part, w.cache.folder.path(w.digest)); err != nil {
		w.cache.complain("artifact %s is not kept: %w", w.digest, errors.Join(err, os.Remove(part)))
		return a, nil
	}
	if err := w.cache.folder.record(w.digest, s); err != nil {
		w.cache.complain("artifact %s will be verified again: %w", w.digest, err)
	}
	return a, nil
}
