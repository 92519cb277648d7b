package learn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

const (
	// leaseTime is how long a lease lasts that is not renewed: another process
	// takes over so long after its holder has died.
	leaseTime = 6 * time.Second

	leaseRenew = leaseTime / 3
)

// errLeaseLost is the cause that ends a training whose lease went to another process.
var errLeaseLost error = &sentinel{"the lease on the model was lost, another process may train it", wire.ErrUnavailable}

// leaseConfig is the bucket of leases by model. They need not survive a restart of
// the server.
func leaseConfig(bucket string, replicas int) jetstream.KeyValueConfig {
	return jetstream.KeyValueConfig{
		Bucket: bucket, Description: "who trains a model now",
		TTL: leaseTime, Storage: jetstream.MemoryStorage, Replicas: replicas,
	}
}

// A lease is the right to train one model for a time. It decides who tries; what
// counts is decided by the registry's compare-and-set.
type lease struct {
	bucket   func(context.Context) (jetstream.KeyValue, error)
	kv       jetstream.KeyValue
	key      string
	holder   string
	revision uint64
}

// followKey is the key of the lease of whoever follows a model's examples; that of whoever
// trains it is the model's name.
func followKey(model string) string { return "follow." + model }

// acquire takes the lease of that key, under a name that nobody else has, here or
// elsewhere: who finds the lease with its own name takes it on. It returns nil if it is taken.
func (t *Trainer) acquire(ctx context.Context, key string) (*lease, error) {
	l := &lease{bucket: t.leases, key: key, holder: t.name + "." + nuid.Next()}
	err := registry.Retry(ctx, l.take)
	if errors.Is(err, errLeaseLost) {
		return nil, nil //nolint:nilnil // nobody failed: it is taken
	}
	if err != nil {
		return nil, fmt.Errorf("taking the lease %s: %w", key, err)
	}
	return l, nil
}

// take takes the lease once. It returns errLeaseLost if another one has it.
func (l *lease) take(ctx context.Context) error {
	kv, err := l.bucket(ctx)
	if err != nil {
		return err
	}
	l.kv = kv
	revision, err := kv.Create(ctx, l.key, []byte(l.holder))
	if errors.Is(err, jetstream.ErrKeyExists) {
		return l.adopt(ctx) // the answer to an earlier try may have been lost
	}
	if err == nil {
		l.revision = revision
	}
	return err
}

// keep renews the lease until ctx is done. It returns errLeaseLost if another process
// has it. While JetStream cannot be reached nothing is lost: who comes later ends what
// has begun here, and the registry has one of the two win.
func (l *lease) keep(ctx context.Context) error {
	tick := time.NewTicker(leaseRenew)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := l.renew(ctx); errors.Is(err, errLeaseLost) {
			return err
		}
	}
}

// renew renews the lease once, or takes it again if it was forgotten.
func (l *lease) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leaseRenew)
	defer cancel()
	revision, err := l.kv.Update(ctx, l.key, []byte(l.holder), l.revision)
	if err == nil {
		l.revision = revision
		return nil
	}
	if !errors.Is(err, jetstream.ErrKeyExists) {
		kv, err := l.bucket(ctx) // which may be gone, as when the server started anew
		if err != nil {
			return err
		}
		l.kv = kv
	}
	return l.adopt(ctx)
}

// adopt takes on the lease as it is stored, if it is ours: the answer to an earlier
// renewal may have been lost. One that is not stored is made again.
func (l *lease) adopt(ctx context.Context) error {
	e, err := l.kv.Get(ctx, l.key)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		revision, err := l.kv.Create(ctx, l.key, []byte(l.holder))
		if errors.Is(err, jetstream.ErrKeyExists) {
			return errLeaseLost
		}
		if err == nil {
			l.revision = revision
		}
		return err
	case err != nil:
		return err
	case string(e.Value()) != l.holder:
		return errLeaseLost
	}
	l.revision = e.Revision()
	return nil
}

// release gives the lease back. If that fails, it runs out.
func (l *lease) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseRenew)
	defer cancel()
	return l.kv.Delete(ctx, l.key, jetstream.LastRevision(l.revision))
}

// leases returns the bucket of leases. It is made again if the server has forgotten it,
// as it does when it starts anew.
func (t *Trainer) leases(ctx context.Context) (jetstream.KeyValue, error) {
	bucket := t.opts.Subjects.Stream("LEASE")
	kv, err := t.js.KeyValue(ctx, bucket)
	if !errors.Is(err, jetstream.ErrBucketNotFound) {
		if err != nil {
			return nil, fmt.Errorf("looking for leases: %w", err)
		}
		return kv, nil
	}
	examples, err := t.js.Stream(ctx, t.opts.Subjects.Stream("TRAIN"))
	if err != nil {
		return nil, fmt.Errorf("making the bucket of leases: %w", err)
	}
	kv, err = t.js.CreateKeyValue(ctx, leaseConfig(bucket, examples.CachedInfo().Config.Replicas))
	if errors.Is(err, jetstream.ErrBucketExists) {
		kv, err = t.js.KeyValue(ctx, bucket)
	}
	if err != nil {
		return nil, fmt.Errorf("making the bucket of leases: %w", err)
	}
	return kv, nil
}
