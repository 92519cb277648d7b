package cache

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

const (
	lockEvery = 10 * time.Millisecond

	// lockPatience is how long an artifact that another process downloads is
	// waited for.
	lockPatience = time.Minute

	// roomPatience is how long another process may take to make room.
	roomPatience = 5 * time.Second
)

// A folder is where the files are: <digest>, which is an artifact, <digest>.sum, which
// has its sums, and <digest>.part, which is being written. Who writes the latter
// holds the lock lock/<first two digits>; those files stay, empty. Who makes room
// holds lock/room.
type folder string

const (
	sumSuffix  = ".sum"
	partSuffix = ".part"
	roomLock   = "room"

	digestSize = 2 * sha256.Size
)

func (d folder) path(name string) string { return filepath.Join(string(d), name) }

// lock makes the caller the only one of all processes who writes the artifact.
func (d folder) lock(ctx context.Context, digest string) (unlock func(), err error) {
	return d.take(ctx, digest[:2], lockPatience)
}

func (d folder) take(ctx context.Context, name string, patience time.Duration) (release func(), err error) {
	if err := os.MkdirAll(d.path("lock"), 0o700); err != nil {
		return nil, fmt.Errorf("making the cache folder: %w", err)
	}
	l := d.lockFile(name)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := l.TryLockContext(ctx, lockEvery); err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s: %w", l.Path(), err), l.Close())
	}
	return func() { _ = l.Close() }, nil //nolint:errcheck // what cannot be unlocked ends with the process
}

func (d folder) lockFile(name string) *flock.Flock {
	return flock.New(d.path(filepath.Join("lock", name)))
}

// sums reads the sums of an artifact.
func (d folder) sums(digest string) (*sums, error) {
	b, err := os.ReadFile(d.path(digest + sumSuffix))
	if err != nil {
		return nil, fmt.Errorf("reading sums: %w", err)
	}
	return decodeSums(b)
}

// record writes the sums of an artifact. A file half written is as good as none.
func (d folder) record(digest string, s *sums) error {
	if err := os.WriteFile(d.path(digest+sumSuffix), s.encode(), 0o600); err != nil {
		return fmt.Errorf("writing sums: %w", err)
	}
	return nil
}

// touch notes that an artifact is used, if that can be noted: its sums' time is when.
func (d folder) touch(digest string) {
	now := time.Now()
	_ = os.Chtimes(d.path(digest+sumSuffix), now, now) //nolint:errcheck // it seems older than it is, no more
}

// remove removes an artifact if it is still the file f.
func (d folder) remove(digest string, f *os.File) error {
	now, err := os.Stat(d.path(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if was, err := f.Stat(); err == nil && !os.SameFile(now, was) {
		return nil
	}
	return d.evict(digest)
}

func (d folder) evict(digest string) error {
	if err := os.Remove(d.path(digest)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Remove(d.path(digest + sumSuffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// reserve makes the file in which an artifact of that size is written, in a
// folder that must not grow beyond limit, and room for it. Artifacts that keep
// reports are not removed.
func (d folder) reserve(ctx context.Context, digest string, size, limit int64, keep func(digest string) bool) (*os.File, error) {
	release, err := d.take(ctx, roomLock, roomPatience)
	if err != nil {
		return nil, err
	}
	defer release()
	part := d.path(digest + partSuffix)
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("removing what was left over: %w", err)
	}
	if err := d.makeRoom(size, limit, keep); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("making a file: %w", err)
	}
	if err := f.Truncate(size); err != nil { // so that others who make room count it whole
		return nil, errors.Join(fmt.Errorf("making a file of %d bytes: %w", size, err), f.Close(), os.Remove(f.Name()))
	}
	return f, nil
}

// An item is an artifact in the folder.
type item struct {
	digest string
	size   int64
	used   time.Time
}

func (d folder) makeRoom(need, limit int64, keep func(digest string) bool) error {
	if need > limit {
		return fmt.Errorf("its %d MiB are more than the %d MiB of the cache", need>>20, limit>>20)
	}
	items, total, err := d.list()
	if err != nil {
		return err
	}
	slices.SortFunc(items, func(a, b item) int { return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.digest, b.digest)) })
	for _, i := range items {
		if total+need <= limit {
			break
		}
		if keep(i.digest) {
			continue
		}
		if d.evict(i.digest) == nil {
			total -= i.size
		}
	}
	if total+need > limit {
		return fmt.Errorf("the cache has no room for %d MiB: of its %d MiB, %d MiB are used and cannot go", need>>20, limit>>20, total>>20)
	}
	return nil
}

// list returns the artifacts in the folder and the size of all that is ours. What was
// left over is removed; files of other names are left alone.
func (d folder) list() (items []item, total int64, err error) {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil, 0, fmt.Errorf("reading the cache folder: %w", err)
	}
	sizes := map[string]int64{}
	for _, e := range entries {
		if digest, _, _ := strings.Cut(e.Name(), "."); !isDigest(digest) {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			sizes[e.Name()] = info.Size()
		}
	}
	for name, size := range sizes {
		digest := name[:digestSize]
		switch name[digestSize:] {
		case sumSuffix:
			if _, ok := sizes[digest]; !ok {
				_ = os.Remove(d.path(name)) //nolint:errcheck // the next one tries again
			}
		case partSuffix:
			if !d.abandoned(digest) {
				total += size
			}
		case "":
			items = append(items, item{digest: digest, size: size, used: d.used(digest)})
			total += size
		}
	}
	return items, total, nil
}

// used returns when an artifact was opened last.
func (d folder) used(digest string) time.Time {
	info, err := os.Stat(d.path(digest + sumSuffix))
	if err != nil {
		info, err = os.Stat(d.path(digest))
	}
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// abandoned removes what a process that ended was writing, and reports whether it
// did.
func (d folder) abandoned(digest string) bool {
	l := d.lockFile(digest[:2])
	defer l.Close() //nolint:errcheck // ends with the process
	if free, err := l.TryLock(); !free || err != nil {
		return false
	}
	return os.Remove(d.path(digest+partSuffix)) == nil
}
