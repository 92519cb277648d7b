package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// PublisherOptions are optional parameters of an [ExamplePublisher].
type PublisherOptions struct {
	// BatchRows bounds the rows of a message: 512 if 0. The server's maximum payload bounds it too.
	BatchRows int

	// InFlight bounds messages that are not acknowledged: 1024 if 0. Add waits
	// while there are as many, or they have 4 MiB together: a server that has
	// too much to store refuses more.
	InFlight int

	// ID makes publishing idempotent: message i has Nats-Msg-Id "<ID>-<i>", so
	// publishing the same rows again within the stream's window stores nothing
	// twice. If empty, a random one is drawn.
	ID string
}

const (
	defaultBatchRows = 512
	defaultInFlight  = 1024

	inFlightBytes = 4 << 20
)

// An ExamplePublisher publishes training examples with acknowledgement: batches
// of rows, in order, a bounded number in flight, repeated until stored or the
// context ends. It is not safe for concurrent use, but for Published.
type ExamplePublisher struct {
	client    *Client
	model     string
	opts      PublisherOptions
	batch     *wire.ExampleBatch
	rows      int // of a message, at most
	next      int // number of the next message
	pending   []*pending
	bytes     int      // of those pending
	spare     [][]byte // payloads of messages that are stored, to be written anew
	published atomic.Int64
	repeated  atomic.Int64 // of these
	err       error        // ended the publishing

	subject string
	stream  string
	once    jetstream.PublishOpt // send once: repeating is done here
}

// A pending message is not acknowledged yet.
type pending struct {
	msg    *nats.Msg // never handed out: a copy of it is
	rows   int
	sent   int                    // how often
	future jetstream.PubAckFuture // nil if it could not be sent
	err    error                  // why not
}

// Examples returns a publisher of examples of a model with schema s. It sends
// nothing yet.
func (c *Client) Examples(model string, s *feature.Schema, opts PublisherOptions) *ExamplePublisher {
	if opts.BatchRows <= 0 {
		opts.BatchRows = defaultBatchRows
	}
	if opts.InFlight <= 0 {
		opts.InFlight = defaultInFlight
	}
	if opts.ID == "" {
		opts.ID = nuid.Next()
	}
	return &ExamplePublisher{
		client: c, model: model, opts: opts, rows: opts.BatchRows,
		batch: wire.NewExampleBatch(s), err: registry.CheckModel(model),
		subject: c.opts.Subjects.Train(model), stream: c.opts.Subjects.Stream("TRAIN"), once: jetstream.WithRetryAttempts(0),
	}
}

// PublishExamples publishes rows and waits until all are stored.
func (c *Client) PublishExamples(ctx context.Context, model string, s *feature.Schema, rows []feature.Row) error {
	p := c.Examples(model, s, PublisherOptions{})
	for i, row := range rows {
		if err := p.Add(ctx, row); err != nil {
			return fmt.Errorf("publishing example %d of %d: %w", i, len(rows), err)
		}
	}
	return p.Flush(ctx)
}

// Add adds one example. An error that wraps [feature.ErrInvalid] is about this
// row, which is then left out; any other ends the publishing, but for that of a
// context that ended: the row is in, and a Flush can go on.
func (p *ExamplePublisher) Add(ctx context.Context, row feature.Row) error {
	if p.err != nil {
		return p.err
	}
	if err := p.batch.Append(row); err != nil {
		return err
	}
	if p.batch.Len() < p.opts.BatchRows {
		return nil
	}
	return p.publish(ctx)
}

// Flush publishes what is buffered and waits until all is acknowledged.
func (p *ExamplePublisher) Flush(ctx context.Context) error {
	if p.err != nil {
		return p.err
	}
	if err := p.publish(ctx); err != nil {
		return err
	}
	for len(p.pending) > 0 {
		if err := p.settle(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Published returns how many rows are acknowledged: they are in the stream.
func (p *ExamplePublisher) Published() int { return int(p.published.Load()) }

// Repeated returns how many of the rows that are acknowledged were in the stream before,
// so that nothing was stored of them: a publisher of the same ID had published them.
func (p *ExamplePublisher) Repeated() int { return int(p.repeated.Load()) }

// publish sends the buffered rows, in as few messages as they fit, and waits for
// room before each.
func (p *ExamplePublisher) publish(ctx context.Context) error {
	done := 0
	defer func() { p.batch.Drop(done) }()
	for done < p.batch.Len() {
		for len(p.pending) > 0 && p.pending[0].stored() { // their memory is written anew
			if err := p.settle(ctx); err != nil {
				return err
			}
		}
		for len(p.pending) >= p.opts.InFlight || p.bytes >= inFlightBytes {
			if err := p.settle(ctx); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("publishing examples of %s: %w", p.model, err)
		}
		n := min(p.rows, p.batch.Len()-done)
		msg, err := p.message(ctx, done, n)
		if errors.Is(err, wire.ErrTooLarge) && n > 1 {
			p.rows = (n + 1) / 2
			continue
		}
		if err != nil {
			return p.end(err)
		}
		msg.Header.Set(jetstream.MsgIDHeader, p.opts.ID+"-"+strconv.Itoa(p.next))
		msg.Header.Set(jetstream.ExpectedStreamHeader, p.stream)
		p.next++
		m := &pending{msg: msg, rows: n}
		p.send(m)
		p.pending = append(p.pending, m)
		p.bytes += len(msg.Data)
		done += n
	}
	return nil
}

// message encodes n buffered rows from lo on.
func (p *ExamplePublisher) message(ctx context.Context, lo, n int) (*nats.Msg, error) {
	msg := nats.NewMsg(p.subject)
	if last := len(p.spare) - 1; last >= 0 {
		msg.Data, p.spare = p.spare[last], p.spare[:last]
	}
	if err := p.batch.Encode(msg, lo, lo+n); err != nil {
		return nil, fmt.Errorf("encoding examples of %s: %w", p.model, err)
	}
	if room := payloadRoom(p.client.nc.MaxPayload()); len(msg.Data) > room {
		return nil, fmt.Errorf("%w: an example of %s takes %d bytes, a message %d", wire.ErrTooLarge, p.model, len(msg.Data), room)
	}
	if p.client.opts.Inject != nil {
		p.client.opts.Inject(ctx, msg.Header)
	}
	return msg, nil
}

// send sends a copy of a message: JetStream's client writes the reply subject to
// what it sends, and keeps it.
func (p *ExamplePublisher) send(m *pending) {
	msg := &nats.Msg{Subject: m.msg.Subject, Header: m.msg.Header, Data: m.msg.Data}
	m.sent++
	m.future, m.err = p.client.js.PublishMsgAsync(msg, p.once)
}

// settle waits until the oldest message is stored, sending it again where that
// may help.
func (p *ExamplePublisher) settle(ctx context.Context) error {
	m := p.pending[0]
	var pause *pauses
	for {
		ack, err := m.wait(ctx)
		if err == nil {
			if ack.Duplicate && m.sent == 1 { // sent again, it is a double of itself
				p.repeated.Add(int64(m.rows))
			}
			p.pending = p.pending[1:]
			p.bytes -= len(m.msg.Data)
			p.spare = append(p.spare, m.msg.Data[:0])
			p.published.Add(int64(m.rows))
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("publishing examples of %s: %w", p.model, ctx.Err())
		}
		if err := p.hopeless(ctx, err); err != nil {
			return p.end(fmt.Errorf("publishing examples of %s: %w", p.model, err))
		}
		if pause == nil {
			pause = newPauses(p.client.opts.Backoff, rand.Float64)
		}
		if !wait(ctx, pause.next()) {
			return fmt.Errorf("publishing examples of %s: %w, last %w", p.model, cmp.Or(ctx.Err(), context.DeadlineExceeded), err)
		}
		p.send(m)
	}
}

// stored reports whether an acknowledgement has come, so that wait does not.
func (m *pending) stored() bool { return m.err == nil && len(m.future.Ok()) > 0 }

// wait waits for the acknowledgement.
func (m *pending) wait(ctx context.Context) (*jetstream.PubAck, error) {
	if m.err != nil {
		return nil, m.err
	}
	select {
	case ack := <-m.future.Ok():
		return ack, nil
	case err := <-m.future.Err():
		m.err = err // a later call does not wait for it again
		return nil, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// storeFailed is the server's code for a stream that is full.
const storeFailed jetstream.ErrorCode = 10077

// hopeless returns the error to end with if sending a message that failed with
// err again will not help.
func (p *ExamplePublisher) hopeless(ctx context.Context, err error) error {
	if registry.InProcess(err) {
		return nil
	}
	if e, ok := errors.AsType[*jetstream.APIError](err); ok && (e.Code < 429 || e.ErrorCode == storeFailed) {
		return err
	}
	if errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrMaxPayload) {
		return err
	}
	if !errors.Is(err, nats.ErrNoResponders) && !errors.Is(err, jetstream.ErrNoStreamResponse) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.client.opts.Timeout)
	defer cancel()
	_, lookup := p.client.js.Stream(ctx, p.stream)
	if errors.Is(lookup, jetstream.ErrStreamNotFound) || errors.Is(lookup, jetstream.ErrJetStreamNotEnabled) ||
		errors.Is(lookup, nats.ErrNoResponders) {
		return fmt.Errorf("stream %s is not there: run `modelbus serve`: %w", p.stream, lookup)
	}
	return nil
}

// end makes err the end of the publishing.
func (p *ExamplePublisher) end(err error) error {
	p.err = err
	return err
}
