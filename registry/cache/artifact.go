package cache

import (
	"fmt"
	"os"
	"runtime"
	"sync"
)

// An Artifact is an artifact in memory or mapped to it. It stays as long as it is
// reachable. It may be used by many goroutines.
type Artifact struct {
	digest string
	bytes  []byte

	// Of one that is mapped.
	cache *Cache
	file  *os.File
	sums  *sums

	mu      sync.Mutex // guards all below
	checked []bool     // blocks that are what was stored
	damage  error      // what Verify found, for good
}

// Memory returns an artifact of bytes in memory, which belong to it from now on.
func Memory(b []byte) *Artifact { return &Artifact{bytes: b} }

// Mapped reports whether the artifact is a mapped file: its memory is the system's
// cache of the file, shared with other processes.
func (a *Artifact) Mapped() bool { return a.file != nil }

// Bytes returns the artifact, valid as long as a is reachable: a caller who keeps a
// part of it has to keep a too. Bytes of a mapped one that [Artifact.Verify] was not
// asked about may be damaged. Nobody may write to them: of a mapped one, that
// ends the process.
func (a *Artifact) Bytes() []byte { return a.bytes }

// Verify returns an error that wraps [ErrDamaged], or that of reading the file,
// unless bytes [from, to) are those of the digest. It reads every block of the file
// once at most, and not through the map: an unreadable disk is an error.
func (a *Artifact) Verify(from, to int) error {
	if from < 0 || from > to || to > len(a.bytes) {
		return fmt.Errorf("verifying bytes [%d, %d) of artifact %s, which has %d", from, to, a.digest, len(a.bytes))
	}
	if !a.Mapped() || from == to {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.damage == nil {
		if a.damage = a.check(from/block, (to-1)/block); a.damage != nil {
			a.cache.forget(a)
		}
	}
	return a.damage
}

// check computes the sums of blocks [first, last] that were not computed before.
func (a *Artifact) check(first, last int) error {
	var buffer []byte
	for i := first; i <= last; i++ {
		if a.checked[i] {
			continue
		}
		if buffer == nil {
			buffer = make([]byte, block)
		}
		b := buffer[:min(block, len(a.bytes)-i*block)]
		if _, err := a.file.ReadAt(b, int64(i)*block); err != nil {
			return fmt.Errorf("%w: of artifact %s, reading bytes %d to %d: %w", ErrDamaged, a.digest, i*block, i*block+len(b), err)
		}
		if crc(b) != a.sums.blocks[i] {
			return fmt.Errorf("%w: of artifact %s, bytes %d to %d are not those stored", ErrDamaged, a.digest, i*block, i*block+len(b))
		}
		a.checked[i] = true
	}
	return nil
}

// place maps a file whose sums are s, or reads it where files cannot be mapped.
// checked says that its content is right. The file belongs to the artifact unless
// there is an error.
func (c *Cache) place(digest string, f *os.File, s *sums, checked bool) (*Artifact, error) {
	if int64(int(s.size)) != s.size {
		return nil, fmt.Errorf("%s has %d bytes, too many for this machine", f.Name(), s.size)
	}
	b, err := mapFile(f, int(s.size))
	if err != nil {
		return nil, fmt.Errorf("mapping %s: %w", f.Name(), err)
	}
	a := &Artifact{digest: digest, bytes: b, cache: c, file: f, sums: s, checked: make([]bool, len(s.blocks))}
	for i := range a.checked {
		a.checked[i] = checked
	}
	if !canMap {
		if err := a.check(0, len(a.checked)-1); err != nil {
			return nil, err
		}
		a.file = nil
		_ = f.Close() //nolint:errcheck // it was read
	}
	runtime.AddCleanup(a, unmap, b)
	return a, nil
}
