package learn

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// leaseRetry is how often a training that waits for its model's lease asks for it.
const leaseRetry = leaseTime / 12

// A seat is what a training needs to run: one of the process's slots and the lease on
// its model. Nobody who waits for one of the two holds the other.
type seat struct {
	slots chan struct{}
	lease *lease
}

// seat waits for a slot, and returns a seat if the lease is free then, else nil.
func (t *Trainer) seat(ctx context.Context, model string) (*seat, error) {
	select {
	case t.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	l, err := t.acquire(ctx, model)
	if err != nil || l == nil {
		<-t.slots
		return nil, err
	}
	return &seat{slots: t.slots, lease: l}, nil
}

// leave gives slot and lease back.
func (p *seat) leave(ctx context.Context) error {
	<-p.slots
	return p.lease.release(ctx)
}

// admit waits until the training has its seat, and notes that it has begun. It says
// that it waits if it does.
func (t *Trainer) admit(ctx context.Context, tr *training) error {
	for tr.job.seat == nil {
		if len(t.slots) == cap(t.slots) {
			tr.progress.report(wire.Training{State: stateWaiting})
		}
		p, err := t.seat(ctx, tr.job.model)
		if err != nil {
			return err
		}
		if tr.job.seat = p; p != nil {
			break
		}
		tr.progress.report(wire.Training{State: stateWaiting})
		timer := time.NewTimer(leaseRetry)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ended(ctx)
		}
	}
	return t.note(ctx, tr.job)
}

// note notes in the registry that j has begun. One that had begun before and did not
// end has lost its trainer, for we have its lease.
func (t *Trainer) note(ctx context.Context, j *job) error {
	for {
		err := t.reg.BeginTraining(ctx, j.model, j.id)
		if err == nil {
			j.begun = true
			return nil
		}
		if !errors.Is(err, registry.ErrConflict) {
			return err
		}
		if err := t.bury(ctx, j.model); err != nil {
			return err
		}
	}
}

// keep renews the lease of a training's seat until stop is called, which waits for
// the last renewal. If another process has taken it, the training ends.
func (t *Trainer) keep(ctx context.Context, j *job) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // until the training has ended
	var keeping sync.WaitGroup
	keeping.Go(func() {
		if err := j.seat.lease.keep(ctx); err != nil {
			t.end(j, err)
		}
	})
	return func() {
		cancel()
		keeping.Wait()
	}
}
