package registry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	pullExpiry    = 10 * time.Second
	pullHeartbeat = time.Second // a consumer that is silent for two of these is made anew
	apiTimeout    = 2 * time.Second
	pullMessages  = 256         // bounds what waits in this process
	consumerRest  = time.Minute // after which the server removes a consumer nobody pulls from
)

// A follower delivers a stream's messages in order, each once, across
// reconnects and the loss of its consumer. It remembers the sequence it has
// delivered and makes consumers that start behind it.
type follower struct {
	js      jetstream.JetStream
	stream  jetstream.Stream
	filters []string
	from    uint64 // sequence to start at, 0 for those stored from now on

	// every is how often tick is called while nothing comes, and it is called
	// after each loss of the consumer too, and at the start. No ticks if 0.
	every time.Duration
	tick  func() error

	created time.Time // of the stream that next counts in
	next    uint64    // sequence of the message to deliver next
}

// run calls fn with messages until ctx is done, when it returns nil, or until fn
// or tick returns an error, which it returns.
func (f *follower) run(ctx context.Context, fn func(msg jetstream.Msg, seq uint64) error) error {
	pace := newPacer()
	for ctx.Err() == nil {
		before := f.next
		err := f.session(ctx, fn)
		if stop, ok := errors.AsType[*stopError](err); ok {
			return stop.err
		}
		if ctx.Err() == nil && (errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, jetstream.ErrStreamNotFound)) {
			return fmt.Errorf("following %s: %w", f.stream.CachedInfo().Config.Name, err)
		}
		if f.next > before {
			pace = newPacer()
		}
		pace.start = time.Now() // patience is for calls; this goes on until ctx is done
		if err := pace.pause(ctx, err); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// stopError carries what the callback returned.
type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }

func stopped(err error) error {
	if err == nil {
		return nil
	}
	return &stopError{err: err}
}

// session delivers from one consumer until that is lost, as it may be with the
// connection.
func (f *follower) session(ctx context.Context, fn func(jetstream.Msg, uint64) error) error {
	ctx, end := untilReconnect(ctx, f.js.Conn())
	defer end()
	if err := f.place(ctx); err != nil {
		return err
	}
	if f.tick != nil {
		if err := stopped(f.tick()); err != nil {
			return err
		}
	}
	cons, err := f.consumer(ctx)
	if err != nil {
		return err
	}
	defer f.drop(ctx, cons)
	it, err := cons.Messages(jetstream.PullMaxMessages(pullMessages), jetstream.PullExpiry(pullExpiry),
		jetstream.PullHeartbeat(pullHeartbeat), jetstream.WithMessagesErrOnMissingHeartbeat(true))
	if err != nil {
		return err
	}
	defer it.Stop()
	ticked := time.Now()
	for expect := uint64(1); ; {
		msg, err := f.wait(ctx, it, ticked)
		if err != nil {
			return err
		}
		if msg == nil {
			ticked = time.Now()
			err = stopped(f.tick())
		} else {
			err = f.deliver(msg, expect, fn)
			expect++
		}
		if err != nil {
			return err
		}
	}
}

// untilReconnect returns a context that ends when the connection is made again,
// so that what was lost with the old one is noticed at once.
func untilReconnect(ctx context.Context, nc *nats.Conn) (_ context.Context, end func()) {
	ctx, cancel := context.WithCancel(ctx)
	connected := nc.StatusChanged(nats.CONNECTED)
	var watch sync.WaitGroup
	watch.Go(func() {
		for range connected {
			cancel()
		}
	})
	return ctx, func() {
		nc.RemoveStatusListener(connected)
		watch.Wait()
		cancel()
	}
}

// deliver calls fn with the consumer's message number expect, unless it was
// delivered before.
func (f *follower) deliver(msg jetstream.Msg, expect uint64, fn func(jetstream.Msg, uint64) error) error {
	meta, err := msg.Metadata()
	if err != nil {
		return err
	}
	if meta.Sequence.Consumer != expect {
		return fmt.Errorf("message %d of the consumer is missing, got %d", expect, meta.Sequence.Consumer)
	}
	if meta.Sequence.Stream < f.next {
		return nil
	}
	if err := stopped(fn(msg, meta.Sequence.Stream)); err != nil {
		return err
	}
	f.next = meta.Sequence.Stream + 1
	return nil
}

// wait returns the next message, or nil when a tick is due.
func (f *follower) wait(ctx context.Context, it jetstream.MessagesContext, ticked time.Time) (jetstream.Msg, error) {
	if f.every == 0 {
		return it.Next(jetstream.NextContext(ctx))
	}
	due, stop := context.WithDeadline(ctx, ticked.Add(f.every))
	defer stop()
	msg, err := it.Next(jetstream.NextContext(due))
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, nil //nolint:nilnil // no message is not an error here: the caller ticks
	}
	return msg, err
}

// place finds where to start: at the beginning of a stream that was made anew,
// else where the session before ended.
func (f *follower) place(ctx context.Context) error {
	si, err := info(ctx, f.stream, "")
	if err != nil {
		return err
	}
	switch {
	case f.created.IsZero() && f.from == 0:
		f.next = si.State.LastSeq + 1
	case f.created.IsZero():
		f.next = f.from
	case !f.created.Equal(si.Created):
		f.next = 1
	}
	f.created = si.Created
	return nil
}

func (f *follower) consumer(ctx context.Context) (jetstream.Consumer, error) {
	ctx, stop := context.WithTimeout(ctx, apiTimeout)
	defer stop()
	return f.stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       f.next,
		AckPolicy:         jetstream.AckNonePolicy,
		FilterSubjects:    f.filters,
		InactiveThreshold: consumerRest,
		MemoryStorage:     true,
		Replicas:          1,
	})
}

// drop removes a consumer so that none piles up; where that cannot be done now
// the server does it when the consumer was not used for a while.
func (f *follower) drop(ctx context.Context, cons jetstream.Consumer) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), apiTimeout)
	defer stop()
	info := cons.CachedInfo()
	if err := f.js.DeleteConsumer(ctx, info.Stream, info.Name); err != nil {
		return // the server removes it after consumerRest
	}
}
