package learn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// orphansEvery is how often trainings are looked for that lost their trainer.
const orphansEvery = 15 * time.Second

// errOrphaned is how a training failed whose process was killed.
var errOrphaned error = &sentinel{"the trainer ended during it, as when it is killed: train again", wire.ErrUnavailable}

// An orphanage finds the trainings that have begun and whose trainer is no more, and
// announces that they failed. They are known by their model's lease, which is free.
// It must have been free for leaseTime: a server that starts anew has forgotten all
// leases, and their holders take them again.
type orphanage struct {
	*Trainer

	seen map[string]time.Time // since when, by id
	said string               // the last that was said of records that cannot be read
}

// orphans ends trainings without a trainer until ctx is done.
func (t *Trainer) orphans(ctx context.Context) {
	o := &orphanage{Trainer: t, seen: map[string]time.Time{}}
	for ctx.Err() == nil {
		wait := orphansEvery
		waiting, err := o.look(ctx)
		if err != nil && ctx.Err() == nil {
			t.opts.Logger.Warn().Err(err).Msg("looking for trainings whose trainer ended")
		}
		if waiting {
			wait = leaseRenew
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// look ends those that were seen for long enough, and reports whether there are others.
func (o *orphanage) look(ctx context.Context) (waiting bool, err error) {
	all, err := o.reg.Trainings(ctx)
	if err != nil && !errors.Is(err, registry.ErrCorrupt) {
		return true, err
	}
	o.say(err)
	seen := map[string]time.Time{}
	var errs []error
	for _, t := range all {
		if o.runs(t) {
			continue
		}
		seen[t.ID] = time.Now()
		if since, ok := o.seen[t.ID]; ok {
			seen[t.ID] = since
		}
		if time.Since(seen[t.ID]) < leaseTime {
			waiting = true
			continue
		}
		errs = append(errs, o.end(ctx, t.Model))
	}
	o.seen = seen
	return waiting, errors.Join(errs...)
}

// say logs once which records of trainings cannot be read: the next training of the model
// replaces its.
func (o *orphanage) say(unreadable error) {
	text := ""
	if unreadable != nil {
		text = unreadable.Error()
	}
	if text != o.said && text != "" {
		o.opts.Logger.Warn().Err(unreadable).Msg("looking for trainings whose trainer ended")
	}
	o.said = text
}

// runs reports whether a training is known to be under way, here or elsewhere.
func (o *orphanage) runs(t registry.Training) bool {
	running := o.Running(t.Model)
	return running != nil && running.ID == t.ID
}

// end ends the training of a model if nobody has the lease.
func (o *orphanage) end(ctx context.Context, model string) (err error) {
	l, err := o.acquire(ctx, model)
	if err != nil || l == nil {
		return err
	}
	defer func() { err = errors.Join(err, l.release(ctx)) }()
	return o.bury(ctx, model)
}

// bury announces that the training of the model that has begun failed, for its trainer
// is no more. Whoever calls it has the model's lease.
func (t *Trainer) bury(ctx context.Context, model string) error {
	all, err := t.reg.Trainings(ctx)
	if err != nil && !errors.Is(err, registry.ErrCorrupt) { // of those of others
		return err
	}
	for _, lost := range all {
		if lost.Model != model {
			continue
		}
		verdict, err := json.Marshal(wire.Verdict{ID: lost.ID, Error: wire.ErrorOf(errOrphaned)})
		if err != nil {
			return fmt.Errorf("encoding event %s of %s: %w", kindFailed, model, err)
		}
		err = t.reg.EndTraining(ctx, registry.Ending{
			Model: model, Training: lost.ID,
			Event: registry.Event{Kind: kindFailed, ID: lost.ID, Data: verdict},
		})
		if err != nil && !errors.Is(err, registry.ErrEnded) {
			return err
		}
		t.opts.Logger.Warn().Str("model", model).Str("training", lost.ID).Time("began", lost.Began).Msg("a training failed: its trainer ended")
	}
	return nil
}
