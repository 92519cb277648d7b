package learn

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
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
	seq  uint64 // of the last example that was trained on, or tried to be
	time time.Time
	gap  time.Duration // least time to the next training
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
		err := r.next(ctx)
		if err == nil {
			said, rest = "", afterError
			continue
		}
		if ctx.Err() != nil {
			return
		}
		if text := err.Error(); text != said {
			said = text
			r.log.Warn().Err(err).Msg("training by itself is delayed")
		}
		r.pause(ctx, rest)
		rest = min(2*rest, afterFailure)
	}
}

// next waits until a training is due and has it done, here or elsewhere.
func (r *retrainer) next(ctx context.Context) error {
	from, err := r.mark(ctx)
	if err != nil {
		return err
	}
	why, seq, err := r.wait(ctx, from)
	if err != nil || why == "" {
		return err
	}
	for {
		done, err := r.train(ctx, from, seq, why)
		if err != nil || done || ctx.Err() != nil {
			return err
		}
		r.pause(ctx, leaseRenew) // somebody else trains
	}
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
	versions, err := r.reg.Versions(ctx, r.name)
	if err != nil {
		return mark{}, err
	}
	m := mark{time: r.created}
	for _, v := range versions {
		if v.Lineage.LastSeq > 0 { // not an imported one
			m = mark{seq: v.Lineage.LastSeq, time: v.Created, gap: time.Duration(r.spec.Retrain.MinGap)}
		}
	}
	if r.counted.seq > m.seq {
		m = r.counted
	}
	stream, err := r.js.Stream(ctx, r.opts.Subjects.Stream("TRAIN"))
	if err != nil {
		return mark{}, fmt.Errorf("looking at the examples: %w", err)
	}
	if stream.CachedInfo().State.LastSeq < m.seq {
		m.seq = 0 // it was made anew, and counts from the beginning
	}
	r.counted = m
	return m, nil
}

// wait returns why a training is due, with the sequence of the last example that was
// counted; no reason if the versions changed meanwhile.
func (r *retrainer) wait(ctx context.Context, from mark) (why string, seq uint64, err error) {
	ctx, stop := context.WithCancel(ctx)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer stop()
	arrivals := make(chan arrival)
	failed := make(chan error, 1)
	reading.Go(func() { failed <- r.count(ctx, from.seq+1, arrivals) })

	due := r.due(from)
	timer := time.NewTimer(time.Until(due.earliest()))
	defer timer.Stop()
	rows := 0
	for {
		select {
		case a := <-arrivals:
			rows, seq = rows+a.rows, a.seq
		case <-timer.C:
		case <-r.changed:
			if now, err := r.mark(ctx); err != nil || now.seq != from.seq {
				return "", 0, err
			}
			continue
		case err := <-failed:
			return "", 0, err
		case <-ctx.Done():
			return "", 0, ctx.Err()
		}
		now := time.Now()
		why, next := due.why(rows, now)
		if why != "" {
			return why, seq, nil
		}
		if !next.IsZero() {
			timer.Reset(time.Until(next))
		}
	}
}

// An arrival is a message with examples.
type arrival struct {
	seq  uint64
	rows int
}

// count sends what comes from sequence from on until ctx is done.
func (r *retrainer) count(ctx context.Context, from uint64, to chan<- arrival) error {
	subjects := r.opts.Subjects
	cons, err := r.js.OrderedConsumer(ctx, subjects.Stream("TRAIN"), jetstream.OrderedConsumerConfig{
		FilterSubjects:    []string{subjects.Train(r.name)},
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       from,
		InactiveThreshold: time.Minute,
	})
	if err != nil {
		return fmt.Errorf("counting the examples of %s: %w", r.name, err)
	}
	it, err := cons.Messages(jetstream.PullMaxBytes(max(prefetch, 2*int(r.nc.MaxPayload()))))
	if err != nil {
		return fmt.Errorf("counting the examples of %s: %w", r.name, err)
	}
	defer it.Stop()
	for {
		msg, err := it.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("counting the examples of %s: %w", r.name, err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("counting the examples of %s: %w", r.name, err)
		}
		a := arrival{seq: meta.Sequence.Stream}
		_, _, err = wire.DecodeExamples(&r.spec.Schema, msg.Headers(), msg.Data(), func(int, feature.Row) error {
			a.rows++
			return nil
		})
		if err != nil {
			a.rows = 0 // a training buries it
		}
		select {
		case to <- a:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
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
	d := &due{examples: spec.Every.Examples, open: from.time.Add(from.gap)}
	if r.notBefore.After(d.open) {
		d.open = r.notBefore
	}
	if spec.Every.Time > 0 {
		d.time = from.time.Add(time.Duration(spec.Every.Time))
		d.reason = spec.Every.Time.String() + " have passed"
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

// why returns why a training is due with that many new examples; if it is not, when
// to look again, zero if only examples can make it due.
func (d *due) why(rows int, now time.Time) (why string, next time.Time) {
	byTime := !d.time.IsZero() && !now.Before(d.time)
	switch {
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

// train trains under the lease, unless somebody has meanwhile. It reports false if
// somebody else is about to.
func (r *retrainer) train(ctx context.Context, from mark, seq uint64, why string) (done bool, err error) {
	if now, err := r.mark(ctx); err != nil || now.seq != from.seq {
		return true, err
	}
	p, err := r.seat(ctx, r.name)
	if err != nil || p == nil {
		return false, err
	}
	if now, err := r.mark(ctx); err != nil || now.seq != from.seq {
		return true, errors.Join(err, p.leave(ctx))
	}
	return r.hold(ctx, p, seq, why)
}

// hold trains in seat p.
func (r *retrainer) hold(ctx context.Context, p *seat, seq uint64, why string) (done bool, err error) {
	j := &job{model: r.name, req: wire.TrainRequest{Who: who}, trigger: why, seat: p}
	reply, err := r.begin(ctx, j)
	if err != nil || reply.ID != j.id { // one that somebody asked for is under way
		return false, errors.Join(err, p.leave(ctx))
	}
	r.log.Info().Str("training", j.id).Str("because", why).Msg("training by itself")
	<-j.done
	next := mark{seq: max(seq, j.read), time: time.Now(), gap: time.Duration(r.spec.Retrain.MinGap)}
	if j.failed != nil {
		r.notBefore = time.Now().Add(afterFailure)
	}
	if j.unchanged || ofTheData(j.failed) {
		r.counted = next
	}
	return true, nil
}

// ofTheData reports whether a training would fail again on the same examples, or
// somebody did not want it.
func ofTheData(err error) bool {
	return errors.Is(err, feature.ErrInvalid) || errors.Is(err, wire.ErrInvalid) ||
		errors.Is(err, nn.ErrDiverged) || errors.Is(err, ErrCanceled) || errors.Is(err, ErrPanic)
}
