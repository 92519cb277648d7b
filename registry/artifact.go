package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// maxChunk is the size of a chunk where the server's payload limit allows it.
const maxChunk = 512 << 10

// farewell is how long a failed upload takes to remove its chunks at most.
const farewell = 2 * time.Second

// uploads bounds how often PutArtifact stores an artifact that others remove or
// that reads back wrong.
const uploads = 5

// An object is what the object bucket knows of an artifact.
type object struct {
	info jetstream.ObjectInfo
	seq  uint64    // of the last metadata message, 0 if there is none
	at   time.Time // when that was stored, by the server's clock
	live bool      // false if it was never stored, or is deleted
}

// object reads the metadata of an artifact through the leader.
func (r *Registry) object(ctx context.Context, digest string) (object, error) {
	e, err := r.last(ctx, r.objectStream(), r.metaSubject(digest))
	if err != nil || e.seq == 0 {
		return object{}, err
	}
	return asObject(e)
}

func asObject(e entry) (object, error) {
	o := object{seq: e.seq, at: e.at}
	if err := json.Unmarshal(e.data, &o.info); err != nil {
		return o, fmt.Errorf("reading %s: %w", e.subject, err)
	}
	o.live = !o.info.Deleted && o.info.NUID != ""
	return o, nil
}

// metaSubject is where the object store keeps the metadata of an object: the
// name is encoded, so that any name is a token.
func (r *Registry) metaSubject(digest string) string {
	return r.meta(base64.URLEncoding.EncodeToString([]byte(digest)))
}

func checkDigest(digest string) error {
	b, err := hex.DecodeString(digest)
	if err != nil || len(b) != sha256.Size || hex.EncodeToString(b) != digest {
		return fmt.Errorf("%w: digest %q: want %d lower-case hex digits of a SHA-256", ErrInvalid, digest, 2*sha256.Size)
	}
	return nil
}

// PutArtifact stores artifact under its digest, reads it back, and returns the
// digest. An artifact that is there already is verified, not stored again; if
// its stored bytes are corrupt they are replaced.
//
// The layout is that of the stock object store (ADR-20), which can read it. Its
// Put is not used: under a change of the stream's leader it was seen to store
// chunks out of order and report success. Here each chunk follows the one before by
// compare-and-set, and the metadata comes last.
//
// The cache in [Options] keeps it too, so that who opens it here downloads nothing.
//
// An artifact that no version refers to is kept for an hour at least, counted
// from the last PutArtifact or Publish of it.
func (r *Registry) PutArtifact(ctx context.Context, artifact []byte) (digest string, err error) {
	if len(artifact) == 0 {
		return "", fmt.Errorf("%w: an empty artifact", ErrInvalid)
	}
	sum := sha256.Sum256(artifact)
	digest = hex.EncodeToString(sum[:])
	if err := r.put(ctx, digest, artifact); err != nil {
		return "", fmt.Errorf("storing artifact %s: %w", digest, err)
	}
	r.cache.Add(ctx, digest, artifact)
	return digest, nil
}

func (r *Registry) put(ctx context.Context, digest string, artifact []byte) error {
	pace := newPacer()
	for stored := 0; ; {
		o, err := r.object(ctx, digest)
		if err != nil {
			return err
		}
		err = r.check(ctx, digest, o, artifact)
		if err == nil {
			return nil
		}
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrCorrupt) {
			if stored++; stored > uploads {
				return err
			}
			if err = r.upload(ctx, digest, artifact, o); err == nil {
				continue // round again, to read it back
			}
		}
		if !errors.Is(err, errOther) && !errors.Is(err, errMoved) {
			return err
		}
		if err := pace.pause(ctx, err); err != nil {
			return err
		}
	}
}

// check returns nil if o is artifact, and touches it then.
func (r *Registry) check(ctx context.Context, digest string, o object, artifact []byte) error {
	if !o.live {
		return fmt.Errorf("%w: artifact %s", ErrNotFound, digest)
	}
	if err := r.verify(ctx, o, artifact); err != nil {
		return err
	}
	err := r.touch(ctx, digest, o)
	if errors.Is(err, errOther) || errors.Is(err, errMoved) {
		// Whoever was first has just touched it, if it is still the one that was read.
		if now, failed := r.object(ctx, digest); failed == nil && now.live && now.info.NUID == o.info.NUID {
			return nil
		}
	}
	return err
}

// verify reads an object and compares it with what it should be.
func (r *Registry) verify(ctx context.Context, o object, artifact []byte) error {
	return r.load(ctx, o, func(leader bool) error {
		rest := artifact
		err := r.chunksOf(ctx, o, leader, func(chunk []byte) error {
			if !bytes.HasPrefix(rest, chunk) {
				return fmt.Errorf("%w: byte %d or one of the %d after it is wrong", ErrCorrupt, len(artifact)-len(rest), len(chunk))
			}
			rest = rest[len(chunk):]
			return nil
		})
		if err == nil && len(rest) > 0 {
			err = fmt.Errorf("%w: it has %d bytes, want %d", ErrCorrupt, len(artifact)-len(rest), len(artifact))
		}
		return err
	})
}

// upload stores artifact in place of old. It returns errOther if another
// writer did first.
func (r *Registry) upload(ctx context.Context, digest string, artifact []byte, old object) error {
	id := nuid.Next()
	size := r.chunkSize()
	var seq uint64
	for rest := artifact; len(rest) > 0; {
		n := min(size, len(rest))
		msg := nats.NewMsg(r.chunks(id))
		msg.Data = rest[:n]
		var err error
		if seq, err = r.publish(ctx, r.objectStream(), msg, seq); err != nil {
			return r.abandon(ctx, id, err)
		}
		rest = rest[n:]
	}
	sum, err := hex.DecodeString(digest)
	if err != nil {
		return fmt.Errorf("digest %q: %w", digest, err)
	}
	o := jetstream.ObjectInfo{
		ObjectMeta: jetstream.ObjectMeta{Name: digest, Opts: &jetstream.ObjectMetaOptions{ChunkSize: uint32(size)}}, //nolint:gosec // at most maxChunk
		Bucket:     r.objectBucket(),
		NUID:       id,
		Size:       uint64(len(artifact)),
		Chunks:     uint32((len(artifact) + size - 1) / size), //nolint:gosec // bounded by the memory that holds artifact
		Digest:     "SHA-256=" + base64.URLEncoding.EncodeToString(sum),
	}
	err = r.putMeta(ctx, digest, o, old.seq)
	if err == nil {
		if old.live {
			return r.purge(ctx, old.info.NUID)
		}
		return nil
	}
	if errors.Is(err, errOther) {
		return r.yield(ctx, digest, id, err)
	}
	return err // the metadata may be in or get in: the chunks stay, and Collect takes them if it did not
}

// abandon removes what an upload that failed with cause has stored. What it
// cannot remove now is left to Collect.
func (r *Registry) abandon(ctx context.Context, id string, cause error) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer stop()
	return errors.Join(cause, r.purge(ctx, id))
}

// yield removes an upload's chunks after another writer's metadata was found,
// unless that is the upload's own, touched by somebody who found it.
func (r *Registry) yield(ctx context.Context, digest, id string, lost error) error {
	o, err := r.object(ctx, digest)
	if err != nil {
		return err
	}
	if o.live && o.info.NUID == id {
		return nil
	}
	if err := r.purge(ctx, id); err != nil {
		return err
	}
	return lost
}

// putMeta stores the metadata of an object as the one that follows sequence after.
func (r *Registry) putMeta(ctx context.Context, digest string, o jetstream.ObjectInfo, after uint64) error {
	data, err := json.Marshal(o)
	if err != nil {
		return err
	}
	msg := nats.NewMsg(r.metaSubject(digest))
	msg.Data = data
	msg.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	_, err = r.publish(ctx, r.objectStream(), msg, after)
	return err
}

// touch stores an object's metadata again, so that its age starts anew and a
// collection that has decided on the old one is refused.
func (r *Registry) touch(ctx context.Context, digest string, o object) error {
	return r.putMeta(ctx, digest, o.info, o.seq)
}

// keep makes sure that an artifact is there and stays for an hour, and returns
// its size, which is to be want unless want is 0.
func (r *Registry) keep(ctx context.Context, digest string, want int64) (int64, error) {
	pace := newPacer()
	for {
		o, err := r.object(ctx, digest)
		if err != nil {
			return 0, err
		}
		if !o.live {
			return 0, fmt.Errorf("%w: artifact %s: store it before its version", ErrNotFound, digest)
		}
		size := int64(o.info.Size) //nolint:gosec // of an artifact that was read back
		if want != 0 && want != size {
			return 0, fmt.Errorf("%w: artifact %s has %d bytes, not %d", ErrInvalid, digest, size, want)
		}
		err = r.touch(ctx, digest, o)
		if err == nil {
			return size, nil
		}
		if !errors.Is(err, errOther) {
			return 0, err
		}
		if err := pace.pause(ctx, err); err != nil {
			return 0, err
		}
	}
}

// purge removes the chunks of an upload.
func (r *Registry) purge(ctx context.Context, id string) error {
	err := Retry(ctx, func(ctx context.Context) error {
		return r.objects.Purge(ctx, jetstream.WithPurgeSubject(r.chunks(id)))
	})
	if err != nil {
		return fmt.Errorf("removing the chunks of upload %s: %w", id, err)
	}
	return nil
}

// chunkSize returns the size of chunks: half a megabyte, or what the server takes.
func (r *Registry) chunkSize() int {
	limit := r.nc.MaxPayload()
	return int(min(maxChunk, max(limit-headroom, limit/2, 1)))
}
