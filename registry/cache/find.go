package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
)

// errAbsent is returned by find for an artifact that the folder does not have.
var errAbsent = errors.New("not in the cache")

// find opens the artifact in the folder. A damaged file is removed.
func (c *Cache) find(ctx context.Context, digest string) (*Artifact, error) {
	if !c.usable(digest) {
		return nil, errAbsent
	}
	f, err := os.Open(c.folder.path(digest))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			c.complain("artifact %s is loaded to memory: %w", digest, c.shun(digest, err))
		}
		return nil, errAbsent
	}
	a, err := c.admit(ctx, digest, f)
	switch {
	case err == nil:
		c.folder.touch(digest)
		return a, nil
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, ErrDamaged):
		c.complain("artifact %s is loaded again: %w", digest, errors.Join(err, c.discard(digest, f)))
		err = errAbsent
	default:
		c.complain("artifact %s is loaded to memory: %w", digest, c.shun(digest, err))
		err = errAbsent
	}
	return nil, errors.Join(err, f.Close())
}

// admit places a file of the folder if it is what it was when it was stored, as
// far as that shows without reading it, or else if it has the digest.
func (c *Cache) admit(ctx context.Context, digest string, f *os.File) (*Artifact, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("looking at the file: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() < MinFile {
		return nil, fmt.Errorf("%w: it has %d bytes, and mode %v", ErrDamaged, info.Size(), info.Mode())
	}
	if s, err := c.folder.sums(digest); err == nil && s.of(info) {
		return c.place(digest, f, s, false)
	}
	s, err := rehash(ctx, digest, f, info)
	if err != nil {
		return nil, err
	}
	a, err := c.place(digest, f, s, true)
	if err == nil {
		if err := c.folder.record(digest, s); err != nil {
			c.complain("artifact %s will be verified again: %w", digest, err)
		}
	}
	return a, err
}

// rehash reads the whole file and returns its sums if it has the digest.
func rehash(ctx context.Context, digest string, f *os.File, info fs.FileInfo) (*sums, error) {
	whole, blocks := sha256.New(), summer{}
	buffer := make([]byte, block)
	for at := int64(0); at < info.Size(); at += block {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b := buffer[:min(block, info.Size()-at)]
		if _, err := f.ReadAt(b, at); err != nil {
			return nil, fmt.Errorf("%w: reading at %d: %w", ErrDamaged, at, err)
		}
		whole.Write(b)
		blocks.write(b)
	}
	if got := hexSum(whole); got != digest {
		return nil, fmt.Errorf("%w: its SHA-256 is %s", ErrDamaged, got)
	}
	return &sums{size: info.Size(), time: info.ModTime().UnixNano(), blocks: blocks.sums}, nil
}

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// discard takes the file f, which is damaged, out of the folder.
func (c *Cache) discard(digest string, f *os.File) error {
	if err := c.folder.remove(digest, f); err != nil {
		return c.shun(digest, fmt.Errorf("it could not be removed: %w", err))
	}
	return nil
}

// shun has this process use no file for the digest, because of err.
func (c *Cache) shun(digest string, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shunned == nil {
		c.shunned = map[string]bool{}
	}
	c.shunned[digest] = true
	return err
}

// usable reports whether the folder can have the artifact.
func (c *Cache) usable(digest string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.folder != "" && !c.shunned[digest]
}
