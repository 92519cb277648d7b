package serve

import (
	"context"
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
)

// An outbox stores results and dead requests, for which nobody waits, in their
// streams. It never blocks its users: it is bounded in number and bytes, and
// what does not fit, or is not acknowledged after some tries, is logged and counted.
type outbox struct {
	js    jetstream.JetStream
	log   zerolog.Logger
	queue chan *nats.Msg
	bytes atomic.Int64
	lost  atomic.Uint64
	wg    sync.WaitGroup
}

// sent is a message that awaits its acknowledgement.
type sent struct {
	msg *nats.Msg
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
	o := &outbox{js: js, log: log, queue: make(chan *nats.Msg, outboxMessages)}
	flight := make(chan sent, ackWindow)
	o.wg.Go(func() {
		defer close(flight)
		for m := range o.queue {
			flight <- o.send(m)
		}
	})
	o.wg.Go(func() {
		for s := range flight {
			o.settle(s)
			o.bytes.Add(-int64(len(s.msg.Data)))
		}
	})
	return o, nil
}

// put hands m over, which its user must not touch any more.
func (o *outbox) put(m *nats.Msg) {
	if o.bytes.Add(int64(len(m.Data))) <= outboxBytes {
		select {
		case o.queue <- m:
			return
		default:
		}
	}
	o.bytes.Add(-int64(len(m.Data)))
	o.lose(m, fmt.Errorf("more than %d messages or %d bytes wait to be stored", outboxMessages, outboxBytes))
}

// close stores what is there and returns when that is done. No put may follow.
func (o *outbox) close() {
	close(o.queue)
	o.wg.Wait()
}

func (o *outbox) send(m *nats.Msg) sent {
	s := sent{msg: m, id: nuid.Next()}
	s.ack, s.err = o.js.PublishMsgAsync(m, jetstream.WithMsgID(s.id))
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
		}
	}
	pause := firstPause
	for range sendTries - 1 {
		<-time.After(pause)
		pause *= 2
		if err = o.publish(s); err == nil {
			return
		}
	}
	o.lose(s.msg, err)
}

func (o *outbox) publish(s sent) error {
	ctx, cancel := context.WithTimeout(context.Background(), ackTimeout)
	defer cancel()
	_, err := o.js.PublishMsg(ctx, s.msg, jetstream.WithMsgID(s.id))
	return err
}

func (o *outbox) lose(m *nats.Msg, err error) {
	o.lost.Add(1)
	o.log.Error().Err(err).Str("subject", m.Subject).Int("bytes", len(m.Data)).Msg("message could not be stored and is lost")
}
