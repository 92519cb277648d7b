package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"weak"
)

// MinFile is the size in bytes from which on artifacts are kept in files.
const MinFile = 1 << 20

// Options are optional parameters of [New].
type Options struct {
	// Dir is the folder, which is made when it is needed. Several processes may
	// use it. If empty, artifacts stay in memory.
	Dir string

	// Size bounds what the folder holds, in bytes. If 0, artifacts stay in memory.
	Size int64

	// Warn, if not nil, is told what keeps artifacts from being kept. It may be
	// called by several goroutines.
	Warn func(error)
}

// A Cache keeps artifacts. The zero value keeps nothing: what it opens is in memory.
type Cache struct {
	folder folder
	size   int64
	warn   func(error)

	mu      sync.Mutex // guards all below
	turns   map[string]chan struct{}
	opened  map[string]weak.Pointer[Artifact]
	shunned map[string]bool // whose files are of no use
}

// New returns a cache. It touches no file until something is opened.
func New(opts Options) *Cache {
	c := &Cache{size: opts.Size, warn: opts.Warn}
	if opts.Size > 0 {
		c.folder = folder(opts.Dir)
	}
	return c
}

// Open returns the artifact of that digest, 64 lower-case hexadecimal digits of a
// SHA-256, which has size bytes as far as the caller knows: one below [MinFile] is
// not looked for. If it is not there, fetch writes it: its errors are returned, and
// what it wrote is verified. An artifact that is open in this process already is
// returned again.
func (c *Cache) Open(ctx context.Context, digest string, size int64, fetch func(*Writer) error) (*Artifact, error) {
	if !isDigest(digest) {
		return nil, fmt.Errorf("opening artifact %q: want the %d lower-case hexadecimal digits of a SHA-256", digest, 2*sha256.Size)
	}
	done, err := c.turn(ctx, digest)
	if err != nil {
		return nil, err
	}
	defer done()
	if a := c.current(digest); a != nil {
		return a, nil
	}
	a, err := c.load(ctx, digest, size, fetch)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.opened == nil {
		c.opened = map[string]weak.Pointer[Artifact]{}
	}
	for old, p := range c.opened {
		if p.Value() == nil {
			delete(c.opened, old)
		}
	}
	c.opened[digest] = weak.Make(a)
	return a, nil
}

// Add keeps an artifact that its caller has in memory, where files are kept and it is
// not one of those that stay in memory. What keeps it from being kept is told Warn.
func (c *Cache) Add(ctx context.Context, digest string, artifact []byte) {
	size := int64(len(artifact))
	if size < MinFile || !c.usable(digest) {
		return
	}
	_, err := c.Open(ctx, digest, size, func(w *Writer) error {
		if err := w.Start(ctx, size); err != nil {
			return err
		}
		_, err := w.Write(artifact)
		return err
	})
	if err != nil && ctx.Err() == nil {
		c.complain("artifact %s is not kept: %w", digest, err)
	}
}

func isDigest(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size && hex.EncodeToString(b) == s
}

// turn waits until nobody else in this process opens the digest. done lets the
// next one.
func (c *Cache) turn(ctx context.Context, digest string) (done func(), err error) {
	for {
		c.mu.Lock()
		other, taken := c.turns[digest]
		if !taken {
			mine := make(chan struct{})
			if c.turns == nil {
				c.turns = map[string]chan struct{}{}
			}
			c.turns[digest] = mine
			c.mu.Unlock()
			return func() {
				c.mu.Lock()
				defer c.mu.Unlock()
				delete(c.turns, digest)
				close(mine)
			}, nil
		}
		c.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// current returns the artifact if it is open in this process, else nil.
func (c *Cache) current(digest string) *Artifact {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opened[digest].Value()
}

// holds reports whether the artifact is open in this process.
func (c *Cache) holds(digest string) bool { return c.current(digest) != nil }

// load finds an artifact in the folder or fetches it: to the folder, or to memory
// where that cannot be.
func (c *Cache) load(ctx context.Context, digest string, size int64, fetch func(*Writer) error) (*Artifact, error) {
	if size < MinFile {
		return c.store(&Writer{cache: c, digest: digest}, fetch)
	}
	if a, err := c.find(ctx, digest); !errors.Is(err, errAbsent) {
		return a, err
	}
	if !c.usable(digest) {
		return c.store(&Writer{cache: c, digest: digest}, fetch)
	}
	unlock, err := c.folder.lock(ctx, digest)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		c.complain("artifact %s is loaded to memory: %w", digest, err)
		return c.store(&Writer{cache: c, digest: digest}, fetch)
	}
	defer unlock()
	if a, err := c.find(ctx, digest); !errors.Is(err, errAbsent) {
		return a, err // another process was first
	}
	return c.store(&Writer{cache: c, digest: digest, filed: c.usable(digest)}, fetch)
}

func (c *Cache) store(w *Writer, fetch func(*Writer) error) (*Artifact, error) {
	defer w.drop()
	if err := fetch(w); err != nil {
		return nil, err
	}
	if err := w.Verify(); err != nil {
		return nil, err
	}
	return w.finish()
}

// forget takes an artifact that turned out to be damaged out of the cache.
func (c *Cache) forget(a *Artifact) {
	c.mu.Lock()
	if c.opened[a.digest].Value() == a {
		delete(c.opened, a.digest)
	}
	c.mu.Unlock()
	if err := c.discard(a.digest, a.file); err != nil {
		c.complain("artifact %s is damaged: %w", a.digest, err)
	}
}

func (c *Cache) complain(format string, args ...any) {
	if c.warn != nil {
		c.warn(fmt.Errorf(format, args...))
	}
}
