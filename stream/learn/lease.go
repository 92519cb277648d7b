package learn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

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
		Bucket: bucket, Description: "who trains a model by itself now",
		TTL: leaseTime, Storage: jetstream.MemoryStorage, Replicas: replicas,
	}
}

// A lease is the right to train one model for a time. It decides who tries; what
// counts is decided by the registry's compare-and-set.
type lease struct {
	kv       jetstream.KeyValue
	key      string
	holder   string
	revision uint64
}

// acquire returns nil if another process has the lease.
func acquire(ctx context.Context, kv jetstream.KeyValue, key, holder string) (*lease, error) {
	ctx, cancel := context.WithTimeout(ctx, leaseTime/2)
	defer cancel()
	revision, err := kv.Create(ctx, key, []byte(holder))
	if errors.Is(err, jetstream.ErrKeyExists) {
		return nil, nil //nolint:nilnil // nobody failed: it is taken
	}
	if err != nil {
		return nil, fmt.Errorf("taking the lease on %s: %w", key, err)
	}
	return &lease{kv: kv, key: key, holder: holder, revision: revision}, nil
}

// keep renews the lease until ctx is done. It returns errLeaseLost if the lease
// could not be renewed in its time.
func (l *lease) keep(ctx context.Context) error {
	tick := time.NewTicker(leaseRenew)
	defer tick.Stop()
	renewed := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		try, cancel := context.WithTimeout(ctx, leaseRenew)
		revision, err := l.kv.Update(try, l.key, []byte(l.holder), l.revision)
		cancel()
		switch {
		case err == nil:
			l.revision, renewed = revision, time.Now()
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, jetstream.ErrKeyExists) && l.adopt(ctx):
			renewed = time.Now()
		case errors.Is(err, jetstream.ErrKeyExists), time.Since(renewed) > leaseTime-leaseRenew:
			return errLeaseLost
		}
	}
}

// adopt takes on the lease as it is stored, if it is ours: the answer to an earlier
// renewal may have been lost.
func (l *lease) adopt(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, leaseRenew)
	defer cancel()
	e, err := l.kv.Get(ctx, l.key)
	if err != nil || string(e.Value()) != l.holder {
		return false
	}
	l.revision = e.Revision()
	return true
}

// release gives the lease back. If that fails, it runs out.
func (l *lease) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseRenew)
	defer cancel()
	return l.kv.Delete(ctx, l.key, jetstream.LastRevision(l.revision))
}
