package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/registry/cache"
)

// stallTime is how long a download waits for the next piece of an artifact: one that
// gets nothing must not keep others from being loaded.
const stallTime = 20 * time.Second

// errStalled is why a download ended of which nothing came any more.
var errStalled = errors.New("the download stalled")

// errMoved is returned by load when the object was replaced while it was read.
var errMoved = errors.New("the artifact was replaced meanwhile")

// Artifact returns the artifact of that digest, verified: [ErrCorrupt] if the
// bytes are not those of the digest, [ErrNotFound] if there is none.
func (r *Registry) Artifact(ctx context.Context, digest string) ([]byte, error) {
	var memory cache.Cache
	a, err := r.open(ctx, &memory, digest, 0)
	if err != nil {
		return nil, err
	}
	return a.Bytes(), nil
}

// OpenArtifact returns the artifact of that digest, which has size bytes by its
// version's record, from the cache in [Options], into which it is downloaded if
// need be. Its errors are those of [Registry.Artifact].
func (r *Registry) OpenArtifact(ctx context.Context, digest string, size int64) (*cache.Artifact, error) {
	return r.open(ctx, r.cache, digest, size)
}

func (r *Registry) open(ctx context.Context, c *cache.Cache, digest string, size int64) (*cache.Artifact, error) {
	if err := checkDigest(digest); err != nil {
		return nil, err
	}
	return c.Open(ctx, digest, size, func(w *cache.Writer) error { return r.download(ctx, digest, w) })
}

// download writes an artifact to w, verified.
func (r *Registry) download(ctx context.Context, digest string, w *cache.Writer) error {
	pace := newPacer()
	for {
		o, err := soon(ctx, r.stall, func(ctx context.Context) (object, error) { return r.object(ctx, digest) })
		if err != nil {
			return err
		}
		if !o.live {
			return fmt.Errorf("%w: artifact %s", ErrNotFound, digest)
		}
		err = r.fetch(ctx, o, w)
		if err == nil {
			return nil
		}
		if !errors.Is(err, errMoved) {
			return fmt.Errorf("reading artifact %s: %w", digest, err)
		}
		if err := pace.pause(ctx, err); err != nil {
			return err
		}
	}
}

func (r *Registry) fetch(ctx context.Context, o object, w *cache.Writer) error {
	return r.load(ctx, o, func(leader bool) error {
		if err := w.Start(ctx, int64(o.info.Size)); err != nil { //nolint:gosec // Start refuses what is negative
			return err
		}
		err := r.chunksOf(ctx, o, leader, func(chunk []byte) error {
			_, err := w.Write(chunk)
			return err
		})
		if err == nil {
			err = w.Verify()
		}
		if errors.Is(err, cache.ErrDigest) {
			err = fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		return err
	})
}

// load reads an object: from whatever replica answers first, and if what that
// has is wrong, which may be its fault alone, from the stream's leader.
func (r *Registry) load(ctx context.Context, o object, read func(leader bool) error) error {
	err := read(false)
	if !errors.Is(err, ErrCorrupt) {
		return err
	}
	if err = read(true); !errors.Is(err, ErrCorrupt) {
		return err
	}
	now, lookup := r.object(ctx, o.info.Name)
	if lookup != nil {
		return lookup
	}
	if now.info.NUID != o.info.NUID || now.live != o.live {
		return errMoved
	}
	return err
}

// chunksOf calls fn with the chunks of an object in order.
func (r *Registry) chunksOf(ctx context.Context, o object, leader bool, fn func(chunk []byte) error) error {
	subject := r.chunks(o.info.NUID)
	var size uint64
	from := uint64(1)
	for i := range o.info.Chunks {
		c, err := soon(ctx, r.stall, func(ctx context.Context) (chunk, error) { return r.chunk(ctx, subject, from, leader) })
		if err != nil {
			return err
		}
		if c.seq == 0 {
			return fmt.Errorf("%w: chunk %d of %d is missing", ErrCorrupt, i+1, o.info.Chunks)
		}
		if size += uint64(len(c.data)); size > o.info.Size {
			break
		}
		if err := fn(c.data); err != nil {
			return err
		}
		from = c.seq + 1
	}
	if size != o.info.Size {
		return fmt.Errorf("%w: the chunks hold %d bytes, the metadata says %d", ErrCorrupt, size, o.info.Size)
	}
	return nil
}

// soon calls fn, which has d to return.
func soon[T any](ctx context.Context, d time.Duration, fn func(context.Context) (T, error)) (T, error) {
	bounded, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	v, err := fn(bounded)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: nothing came for %v: %w", errStalled, d, err)
	}
	return v, err
}

// A chunk is a piece of an artifact and its place in the stream.
type chunk struct {
	seq  uint64
	data []byte
}

// chunk returns the first chunk of an upload at or after a sequence, with
// sequence 0 if there is none. A replica that does not have it may be behind, so
// the leader has the last word.
func (r *Registry) chunk(ctx context.Context, subject string, from uint64, leader bool) (chunk, error) {
	if !leader {
		try, stop := newPacer().try(ctx)
		msg, err := r.objects.GetMsg(try, from, jetstream.WithGetMsgSubject(subject))
		stop()
		if err == nil {
			return chunk{msg.Sequence, msg.Data}, nil
		}
	}
	e, err := r.next(ctx, r.objectStream(), subject, from)
	return chunk{e.seq, e.data}, err
}

// Export writes the artifact of v to w. Nothing is written unless it was verified.
func (r *Registry) Export(ctx context.Context, v Version, w io.Writer) error {
	artifact, err := r.Artifact(ctx, v.Digest)
	if err != nil {
		return fmt.Errorf("exporting version %d of %s: %w", v.Number, v.Model, err)
	}
	if _, err := w.Write(artifact); err != nil {
		return fmt.Errorf("exporting version %d of %s: %w", v.Number, v.Model, err)
	}
	return nil
}
