package learn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/nn"
	"github.com/modelbus/modelbus/stream/wire"
)

const (
	who = "modelbus" // who asks for a training that nobody asked for

	// afterFailure is the least time between two trainings of which the first failed.
	afterFailure = time.Minute

	// afterError is how long to wait when the state could not be read.
	afterError = 2 * time.Second
)

// A retrainer trains one model by itself. What it counts from is the newest version,
// so that whoever comes later, here or elsewhere, counts from the same; a training
// that was due while nobody was there is due once.
type retrainer struct {
	*Trainer

	name     string
	revision uint64
	created  time.Time // of the model
	spec     *model.Spec
	changed  chan struct{} // holds a value if versions may have changed
	cancel   context.CancelFunc
	log      zerolog.Logger

	counted   mark      // the latest that was counted from: a version that is deleted does not come back
	notBefore time.Time // of the next training, after one that failed
}

// A mark is what a trigger counts from.
type mark struct {
	position // behind the last example that was trained on, or tried to be

	time time.Time
	gap  time.Duration // least time to the next training

	first bool // there is no version yet
}

// wake has the retrainer look at the versions again.
func (r *retrainer) wake() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

func (r *retrainer) run(ctx context.Context) {
	said, rest := "", afterError
	for ctx.Err() == nil {
		err := r.lead(ctx)
		if err == nil {
			said, rest = "", afterError
			continue
		}
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errCrowded) {
			r.pause(ctx, 2*leaseRenew) // so long that any other process has asked for the lease
			continue
		}
		if text := err.Error(); text != said {
			said = text
			r.log.Warn().Err(err).Msg("following the examples is delayed")
		}
		r.pause(ctx, rest)
		rest = min(2*rest, afterFailure)
	}
}

// lead follows the examples under the lease, until ctx is done or the lease is lost. If
// somebody else has it, it waits a while.
func (r *retrainer) lead(ctx context.Context) (err error) {
	l, err := r.acquire(ctx, followKey(r.name))
	if err != nil {
		return err
	}
	if l == nil {
		r.pause(ctx, r.turn(ctx))
		return nil
	}
	leased, stop := context.WithCancel(context.WithoutCancel(ctx)) // a training goes on after ctx
	held, lose := context.WithCancelCause(ctx)
	var keeping sync.WaitGroup
	keeping.Go(func() {
		if err := l.keep(leased); err != nil {
			lose(err)
		}
	})
	defer func() {
		stop()
		keeping.Wait()
		if lost := context.Cause(held); errors.Is(lost, errLeaseLost) {
			err = errors.Join(lost, err)
		} else if failed := l.release(ctx); failed != nil && ctx.Err() == nil {
			err = errors.Join(err, failed)
		}
		lose(nil)
	}()
	return r.safely(func() error { return r.follow(held) })
}

// safely calls fn, which looks at examples; a panic is an error. What else the process does
// goes on.
func (r *retrainer) safely(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.log.Error().Bytes("stack", debug.Stack()).Msg("panic while following examples")
			err = fmt.Errorf("%w: %v", ErrPanic, p)
		}
	}()
	return fn()
}

// turn returns how long to wait before asking for the lease again: not long if it is of
// this process, whose retrainer of an earlier spec is about to end.
func (r *retrainer) turn(ctx context.Context) time.Duration {
	kv, err := r.leases(ctx)
	if err != nil {
		return leaseRenew
	}
	e, err := kv.Get(ctx, followKey(r.name))
	if err == nil && strings.HasPrefix(string(e.Value()), r.Trainer.name) {
		return leaseRenew / 10
	}
	return leaseRenew
}

// pause waits for d, or for the model's versions to change.
func (r *retrainer) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-r.changed:
	}
}

// mark returns what to count from: the newest version, the latest failed attempt, or
// the model's creation.
func (r *retrainer) mark(ctx context.Context) (mark, error) {
	v, ok, err := r.reg.Newest(ctx, r.name, trainedHere)
	if err != nil {
		return mark{}, err
	}
	m := mark{time: r.created, first: true}
	if ok {
		m = mark{position: behind(&v), time: v.Created, gap: r.gap()}
	}
	g, err := r.ground(ctx)
	if err != nil {
		return mark{}, err
	}
	if m.position, err = r.locate(ctx, g, m.position, m.time); err != nil {
		return mark{}, err
	}
	tried, err := r.tried(ctx)
	if err != nil {
		return mark{}, err
	}
	for _, c := range append(tried, r.counted) {
		if c.position, err = r.locate(ctx, g, c.position, c.time); err != nil {
			return mark{}, err
		}
		if c.seq > m.seq {
			m = c
		}
	}
	r.counted = m
	return m, nil
}

// gap returns the least time between two trainings.
func (r *retrainer) gap() time.Duration { return time.Duration(r.spec.Retrain.MinGap) }

// tried returns what the last trainings by themselves came to that led to no version and would
// not on the same examples, as their events say.
func (r *retrainer) tried(ctx context.Context) ([]mark, error) {
	var all []mark
	for _, kind := range []string{kindSame, kindFailed} {
		e, ok, err := r.reg.LastEvent(ctx, r.name, kind)
		if err != nil {
			return nil, err
		}
		var v wire.Verdict
		if !ok || json.Unmarshal(e.Data, &v) != nil || v.Tried == nil || !v.Tried.ModelCreated.Equal(r.created) {
			continue
		}
		p := position{seq: v.Tried.LastSeq, stored: v.Tried.LastTime, made: v.Tried.StreamCreated}
		all = append(all, mark{position: p, time: e.Time, gap: r.gap()})
	}
	return all, nil
}

// A due tells when a training is due.
type due struct {
	examples int       // as many must have come, 0: whatever their number
	time     time.Time // it is due from then on, zero: never by time
	reason   string    // if it is by time
	open     time.Time // not before
}

// due returns when a training is due, counted from a mark.
func (r *retrainer) due(from mark) *due {
	spec := r.spec.Retrain
	if now := time.Now(); from.time.After(now) { // by a clock that is ahead, or ours went back
		from.time = now
	}
	examples, after := spec.When(from.first)
	d := &due{examples: examples, open: from.time.Add(from.gap)}
	if r.notBefore.After(d.open) {
		d.open = r.notBefore
	}
	if after > 0 {
		d.time = from.time.Add(time.Duration(after))
		d.reason = after.String() + " have passed"
	}
	if next := spec.Next(from.time); !next.IsZero() && (d.time.IsZero() || next.Before(d.time)) {
		d.time, d.reason = next, "cron "+spec.Cron
	}
	return d
}

// earliest returns when to look at the clock for the first time.
func (d *due) earliest() time.Time {
	if d.time.IsZero() || d.time.Before(d.open) {
		return d.open
	}
	return d.time
}

// why returns why a training is due with that many new examples, if there are some and
// something else signalled it (why it did is signal) or by their number or time; if it is
// not, when to look again, zero if only examples can make it due.
func (d *due) why(rows int, signal string, now time.Time) (why string, next time.Time) {
	byTime := !d.time.IsZero() && !now.Before(d.time)
	switch {
	case signal != "" && rows > 0:
		why = signal
	case d.examples > 0 && rows >= d.examples:
		why = fmt.Sprintf("%d new examples", rows)
	case byTime && rows > 0:
		why = fmt.Sprintf("%s, %d new examples", d.reason, rows)
	}
	if now.Before(d.open) {
		return "", d.open
	}
	if why == "" && !d.time.IsZero() && now.Before(d.time) {
		return "", d.time
	}
	return why, time.Time{}
}

// beginJob begins a training. It returns nil if one that somebody asked for is under way.
func (r *retrainer) beginJob(ctx context.Context, why string) (*job, error) {
	j := &job{model: r.name, req: wire.TrainRequest{Who: who}, trigger: why}
	reply, err := r.begin(ctx, j)
	if err != nil || reply.ID != j.id {
		return nil, err
	}
	r.log.Info().Str("training", j.id).Str("because", why).Msg("training by itself")
	return j, nil
}

// ended notes how a training went that was begun at that position.
func (r *retrainer) ended(j *job, began position) {
	if j.failed != nil {
		r.notBefore = time.Now().Add(afterFailure)
	}
	if j.unchanged || ofTheData(j.failed) {
		at := j.read
		if began.seq > at.seq {
			at = began
		}
		r.counted = mark{position: at, time: time.Now(), gap: r.gap()}
	}
}

// ofTheData reports whether a training would fail again on the same examples, or
// somebody did not want it.
func ofTheData(err error) bool {
	return errors.Is(err, feature.ErrInvalid) || errors.Is(err, wire.ErrInvalid) ||
		errors.Is(err, nn.ErrDiverged) || errors.Is(err, ErrCanceled) || errors.Is(err, ErrPanic)
}
