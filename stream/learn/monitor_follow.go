package learn

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/wire"
)

// ahead is how many messages may be decoded before they are counted.
const ahead = 64

// follow has the examples scored as they come, and trains when that is due, until ctx is
// done. A training under way then is waited for.
func (r *retrainer) follow(ctx context.Context) (err error) {
	m := &monitor{Trainer: r.Trainer, name: r.name, created: r.created, spec: r.spec, log: r.log}
	if err := m.open(ctx, r.wake); err != nil {
		return err
	}
	f := &following{retrainer: r, monitor: m}
	defer func() {
		m.close(ctx)
		f.settle(ctx)
	}()
	for ctx.Err() == nil {
		from, err := r.mark(ctx)
		if err != nil {
			return err
		}
		if err := f.count(ctx, from); err != nil {
			return err
		}
	}
	return nil
}

// A following is a retrainer that has the lease.
type following struct {
	*retrainer

	monitor *monitor
	job     *job     // the training under way, nil if there is none
	at      position // behind the last example counted
	began   position // likewise, when the training began

	crowded time.Time // since when a training is due and there is no slot; zero if that is not so
}

// done is closed when the training under way has ended; it is nil if there is none.
func (f *following) done() <-chan struct{} {
	if f.job == nil {
		return nil
	}
	return f.job.done
}

// settle ends the training under way if the lease was lost, and waits for it.
func (f *following) settle(ctx context.Context) {
	if f.job == nil {
		return
	}
	if cause := context.Cause(ctx); errors.Is(cause, errLeaseLost) {
		f.end(f.job, cause)
	}
	<-f.job.done
	f.ended(f.job, f.began)
	f.job = nil
}

// begin returns where to read from: behind what both the mark and the monitor have counted.
func (f *following) begin(from mark) (position, error) {
	f.at = from.position
	begin, counted := from.position, f.monitor.state.at()
	if counted.seq < begin.seq {
		begin = counted
	}
	if !begin.made.Equal(counted.made) {
		return begin, fmt.Errorf("following the examples of %s: %w", f.name, errAnew)
	}
	return begin, nil
}

// count counts examples from a mark on until another one holds.
func (f *following) count(ctx context.Context, from mark) error {
	begin, err := f.begin(from)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer stop()
	arrivals := make(chan arrival, ahead)
	failed := make(chan error, 1)
	reading.Go(func() { failed <- f.safely(func() error { return f.read(ctx, begin, arrivals) }) })

	due := f.due(from)
	f.monitor.next = due.next(0)
	timer := time.NewTimer(time.Until(due.earliest()))
	defer timer.Stop()
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	rows := 0
	for {
		select {
		case a := <-arrivals:
			if a.seq > from.seq {
				rows, f.at.seq, f.at.stored = rows+a.rows.Len(), a.seq, a.time
				f.monitor.next = due.next(rows)
			}
			err = f.monitor.observe(ctx, a)
		case <-timer.C:
		case <-tick.C:
			err = f.monitor.tick(ctx)
		case <-f.changed:
			if moved, err := f.look(ctx, from); err != nil || moved {
				return err
			}
		case <-f.done():
			f.settle(ctx)
			f.monitor.wake()
			return nil
		case err := <-failed:
			return err
		case <-ctx.Done():
			return nil
		}
		var next time.Time
		if err == nil {
			next, err = f.train(ctx, due, from, rows)
		}
		if err != nil {
			return err
		}
		if !next.IsZero() {
			timer.Reset(time.Until(next))
		}
	}
}

// look takes notice of what changed in the registry, and reports whether another mark
// holds.
func (f *following) look(ctx context.Context, from mark) (moved bool, err error) {
	f.monitor.wake()
	if err := f.monitor.tick(ctx); err != nil {
		return false, err
	}
	now, err := f.mark(ctx)
	return now.seq != from.seq, err
}

// train begins a training if one is due, and returns when to look again, zero if only
// examples can tell.
func (f *following) train(ctx context.Context, due *due, from mark, rows int) (next time.Time, err error) {
	if f.job != nil {
		return time.Time{}, nil
	}
	signal := f.monitor.pending(from.seq)
	why, next := due.why(rows, signal, time.Now())
	if why == "" {
		return next, nil
	}
	if now, err := f.mark(ctx); err != nil || now.seq != from.seq {
		f.wake()
		return time.Time{}, err
	}
	if err := f.monitor.save(ctx); err != nil { // the training reads where its window is cut
		return time.Time{}, err
	}
	f.job, err = f.beginJob(ctx, why)
	if errors.Is(err, errCrowded) {
		return f.wait(due, err)
	}
	if err != nil {
		return time.Time{}, err
	}
	f.crowded = time.Time{}
	if f.job == nil { // somebody asked for one: it will be counted from
		due.open = time.Now().Add(leaseRenew)
		return due.open, nil
	}
	f.began = f.at
	if signal == "" {
		f.monitor.trigger(triggerSchedule, why, f.at.seq)
	}
	return time.Time{}, nil
}

// wait puts off a training that there is no slot for. If there is none for a while, it returns
// why, which ends the following: whoever has a slot may follow the model.
func (f *following) wait(due *due, why error) (next time.Time, err error) {
	now := time.Now()
	if f.crowded.IsZero() {
		f.crowded = now
	}
	if now.Sub(f.crowded) >= leaseTime {
		return time.Time{}, why
	}
	due.open = now.Add(leaseRenew)
	return due.open, nil
}

// next returns how many examples are to go, or when a training is due.
func (d *due) next(rows int) *wire.LiveNext {
	n := &wire.LiveNext{}
	if d.examples > 0 {
		n.Examples = max(d.examples-rows, 0)
	}
	if at := d.time; !at.IsZero() {
		if at.Before(d.open) {
			at = d.open
		}
		n.Time = &at
	}
	if *n == (wire.LiveNext{}) {
		return nil
	}
	return n
}

// read decodes what comes from sequence from on, until ctx is done.
func (f *following) read(ctx context.Context, from position, to chan<- arrival) error {
	subjects := f.opts.Subjects
	fail := func(err error) error { return fmt.Errorf("following the examples of %s: %w", f.name, err) }
	cons, err := f.js.OrderedConsumer(ctx, subjects.Stream("TRAIN"), jetstream.OrderedConsumerConfig{
		FilterSubjects:    []string{subjects.Train(f.name)},
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       from.seq + 1,
		InactiveThreshold: time.Minute,
	})
	if err != nil {
		return fail(err)
	}
	it, err := cons.Messages(jetstream.PullMaxBytes(max(prefetch, 2*int(f.nc.MaxPayload()))))
	if err != nil {
		return fail(err)
	}
	defer it.Stop()
	examples := thread{Trainer: f.Trainer, at: from}
	for {
		msg, err := it.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fail(err)
		}
		meta, err := msg.Metadata()
		if err == nil {
			err = examples.pull(ctx, meta)
		}
		if err != nil {
			return fail(err)
		}
		a := f.decode(msg, meta)
		select {
		case to <- a:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// decode reads the usable examples of a message. The others are buried by a training.
func (f *following) decode(msg jetstream.Msg, meta *jetstream.MsgMetadata) arrival {
	a := arrival{
		seq: meta.Sequence.Stream, time: meta.Timestamp.UTC(), header: msg.Headers(),
		rows: feature.NewFrame(&f.spec.Schema, true),
	}
	_, _, err := wire.DecodeExamples(&f.spec.Schema, msg.Headers(), msg.Data(), func(_ int, row feature.Row) error {
		return a.rows.Append(row)
	})
	if err != nil {
		a.rows.Truncate(0)
	}
	return a
}
