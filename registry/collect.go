package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// grace is how long what no version refers to is kept.
const grace = time.Hour

// Collect removes artifacts and leftovers of uploads that no version refers to
// and that are older than an hour. It returns the digests removed and the bytes freed.
//
// It may run beside uploads and publications, and beside another Collect. An
// artifact's age counts from the last time it was stored, found stored, or published,
// by the server's clock. Collect first notes which artifacts are old, then which are
// referred to, and removes one only if it was not touched since; Publish touches
// the artifact before each try of its commit. So a commit could lose its artifact
// only if it came in more than an hour after it was sent, and the server
// abandons a batch after ten seconds.
//
// A reader that resolved a version which was then deleted may find its artifact gone.
func (r *Registry) Collect(ctx context.Context) (digests []string, bytes int64, err error) {
	return r.collect(ctx, grace)
}

func (r *Registry) collect(ctx context.Context, age time.Duration) ([]string, int64, error) {
	metas, err := r.metas(ctx, age)
	if err != nil {
		return nil, 0, fmt.Errorf("collecting artifacts: %w", err)
	}
	digests, freed, err := r.collectObjects(ctx, metas)
	if err != nil {
		return digests, freed, fmt.Errorf("collecting artifacts: %w", err)
	}
	n, err := r.collectChunks(ctx, age)
	if err != nil {
		return digests, freed, fmt.Errorf("collecting chunks: %w", err)
	}
	return digests, freed + n, nil
}

// metas returns the objects whose metadata is at least that old.
func (r *Registry) metas(ctx context.Context, age time.Duration) ([]object, error) {
	si, err := info(ctx, r.objects, r.meta(">"))
	if err != nil {
		return nil, err
	}
	var old []object
	for _, subject := range slices.Sorted(maps.Keys(si.State.Subjects)) {
		e, err := r.last(ctx, r.objectStream(), subject)
		if err != nil {
			return nil, err
		}
		o, err := asObject(e)
		if err != nil || checkDigest(o.info.Name) != nil || r.metaSubject(o.info.Name) != subject {
			continue // not ours: somebody else's object stays
		}
		if si.TimeStamp.Sub(e.at) >= age {
			old = append(old, o)
		}
	}
	return old, nil
}

// collectObjects removes those of old that no version refers to.
func (r *Registry) collectObjects(ctx context.Context, old []object) (digests []string, freed int64, err error) {
	if len(old) == 0 {
		return nil, 0, nil
	}
	used, err := r.used(ctx)
	if err != nil {
		return nil, 0, err
	}
	for _, o := range old {
		if used[o.info.Name] {
			continue
		}
		err := r.remove(ctx, o)
		if errors.Is(err, errOther) {
			continue // touched since
		}
		if err != nil {
			return digests, freed, err
		}
		if o.live {
			digests = append(digests, o.info.Name)
			freed += int64(o.info.Size) //nolint:gosec // of an artifact that was stored
		}
	}
	return digests, freed, nil
}

// used returns the digests that versions refer to.
func (r *Registry) used(ctx context.Context) (map[string]bool, error) {
	entries, err := r.list(ctx, "version.*.*")
	if err != nil {
		return nil, err
	}
	used := make(map[string]bool, len(entries))
	for _, e := range entries {
		v, err := decode[Version](r.key(e.subject), e.data)
		if err != nil {
			return nil, err
		}
		used[v.Digest] = true
	}
	return used, nil
}

// remove deletes an object unless its metadata has changed: it marks it
// deleted, removes its chunks, then the mark.
func (r *Registry) remove(ctx context.Context, o object) error {
	mark := o
	if o.live {
		gone := jetstream.ObjectInfo{
			ObjectMeta: jetstream.ObjectMeta{Name: o.info.Name}, Bucket: o.info.Bucket, NUID: o.info.NUID, Deleted: true,
		}
		if err := r.putMeta(ctx, o.info.Name, gone, o.seq); err != nil {
			return err
		}
		var err error
		if mark, err = r.object(ctx, o.info.Name); err != nil {
			return err
		}
	}
	if err := r.purge(ctx, o.info.NUID); err != nil || mark.live || mark.seq == 0 {
		return err
	}
	return Retry(ctx, func(ctx context.Context) error {
		return r.objects.Purge(ctx, jetstream.WithPurgeSubject(r.metaSubject(o.info.Name)), jetstream.WithPurgeSequence(mark.seq+1))
	})
}

// collectChunks removes the chunks that no metadata refers to and none of which
// is younger than age, and returns their bytes.
func (r *Registry) collectChunks(ctx context.Context, age time.Duration) (int64, error) {
	// Chunks first: an upload that ends in between has its metadata listed.
	chunks, err := info(ctx, r.objects, r.chunks(">"))
	if err != nil {
		return 0, err
	}
	metas, err := info(ctx, r.objects, r.meta(">"))
	if err != nil {
		return 0, err
	}
	live := map[string]bool{}
	for subject := range metas.State.Subjects {
		e, err := r.last(ctx, r.objectStream(), subject)
		if err != nil {
			return 0, err
		}
		if o, err := asObject(e); err == nil && o.live {
			live[o.info.NUID] = true
		}
	}
	var freed int64
	for _, subject := range slices.Sorted(maps.Keys(chunks.State.Subjects)) {
		id := strings.TrimPrefix(subject, r.chunks(""))
		if live[id] {
			continue
		}
		e, err := r.last(ctx, r.objectStream(), subject)
		if err != nil {
			return freed, err
		}
		if e.seq == 0 || chunks.TimeStamp.Sub(e.at) < age {
			continue
		}
		if err := r.purge(ctx, id); err != nil {
			return freed, err
		}
		// All chunks but the last are of one size, which the last does not exceed.
		freed += int64(len(e.data)) * int64(chunks.State.Subjects[subject]) //nolint:gosec // counts what was stored
	}
	return freed, nil
}
