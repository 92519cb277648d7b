package serve

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"github.com/rs/zerolog"
)

const (
	outboxMessages = 4096
	outboxBytes    = 64 << 20

	ackWindow  = 256 // messages sent and not yet acknowledged
	ackTimeout = 5 * time.Second
	sendTries  = 4
	firstPause = 100 * time.Millisecond // between tries, doubling

	outboxDrain = 10 * time.Second // for what is there when the outbox is closed

	lossLines = 10 // a second, of the log
)

// An outbox stores results and dead requests, for which nobody waits, in their
// streams. It never blocks its users: it is bounded in number and bytes, and
// what does not fit, or is not acknowledged after some tries, is counted and, up to
// some lines a second, logged.
type outbox struct {
	js    jetstream.JetStream
	log   zerolog.Logger
	queue chan posted
	bytes atomic.Int64
	lost  atomic.Uint64
	wg    sync.WaitGroup

	drain time.Duration   // after close, before the rest is given up
	ctx   context.Context //nolint:containedctx // of the outbox's own goroutines
	stop  context.CancelFunc
}

// posted is a message in the outbox.
type posted struct {
	msg  *nats.Msg
	size int // as it was handed over
}

// sent is a message that awaits its acknowledgement.
type sent struct {
	posted

	id  string
	ack jetstream.PubAckFuture // nil: it could not be sent
	err error
}

// newOutbox returns an outbox that works until it is closed.
func newOutbox(nc *nats.Conn, log zerolog.Logger) (*outbox, error) {
	js, err := jetstream.New(nc,
		jetstream.WithPublishAsyncMaxPending(2*ackWindow),
		jetstream.WithPublishAsyncTimeout(ackTimeout))
	if err != nil {
		return nil, fmt.Errorf("preparing to store results: %w", err)
	}
	o := &outbox{
		js: js, log: log.Sample(&zerolog.BurstSampler{Burst: lossLines, Period: time.Second}),
		queue: make(chan posted, outboxMessages), drain: outboxDrain,
	}
	o.ctx, o.stop = context.WithCancel(context.Background())
	flight := make(chan sent, ackWindow)
	o.wg.Go(func() {
		defer close(flight)
		for p := range o.queue {
			flight <- o.send(p)
		}
	})
	o.wg.Go(func() {
		for s := range flight {
			o.settle(s)
			o.bytes.Add(-int64(s.size))
		}
	})
	return o, nil
}

// put hands m over, which its user must not touch any more.
func (o *outbox) put(m *nats.Msg) {
	p := posted{msg: m, size: m.Size()}
	if o.bytes.Add(int64(p.size)) <= outboxBytes {
		select {
		case o.queue <- p:
			return
		default:
		}
	}
	o.bytes.Add(-int64(p.size))
	o.lose(m, fmt.Errorf("more than %d messages or %d bytes wait to be stored", outboxMessages, outboxBytes))
}

// close stores what is there and returns when that is done; what cannot be
// stored within the time for it is lost. No put may follow.
func (o *outbox) close() {
	close(o.queue)
	timer := time.AfterFunc(o.drain, o.stop)
	defer timer.Stop()
	defer o.stop()
	o.wg.Wait()
	o.js.CleanupPublisher() // the connection goes on
}

func (o *outbox) send(p posted) sent {
	s := sent{posted: p, id: nuid.Next()}
	if s.err = o.ctx.Err(); s.err != nil {
		return s
	}
	s.ack, s.err = o.js.PublishMsgAsync(p.msg, jetstream.WithMsgID(s.id))
	return s
}

// settle waits for an acknowledgement and sends again what has none; the
// message id keeps a message whose acknowledgement was lost from being stored twice.
func (o *outbox) settle(s sent) {
	err := s.err
	if err == nil {
		select {
		case <-s.ack.Ok():
			return
		case err = <-s.ack.Err():
		case <-o.ctx.Done():
			err = o.ctx.Err()
		}
	}
	pause := firstPause
	for range sendTries - 1 {
		if errors.Is(err, nats.ErrMaxPayload) {
			break
		}
		select {
		case <-time.After(pause):
		case <-o.ctx.Done():
			o.lose(s.msg, fmt.Errorf("it was not stored before the server stopped: %w", err))
			return
		}
		pause *= 2
		if err = o.publish(s); err == nil {
			return
		}
	}
	o.lose(s.msg, err)
}

func (o *outbox) publish(s sent) error {
	ctx, cancel := context.WithTimeout(o.ctx, ackTimeout)
	defer cancel()
	_, err := o.js.PublishMsg(ctx, s.msg, jetstream.WithMsgID(s.id))
	return err
}

func (o *outbox) lose(m *nats.Msg, err error) {
	lost := o.lost.Add(1)
	o.log.Error().Err(err).Str("subject", m.Subject).Int("bytes", len(m.Data)).Uint64("lost", lost).Msg("message could not be stored and is lost")
}
