package learn

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

const (
	deadInFlight = 256 // publishes that wait for their acknowledgement

	wholeMessage = -1 // as a row
)

// A grave is where a bad example lay in the training stream, and since when: a
// stream that is deleted and made again counts from 1.
type grave struct {
	seq uint64
	at  int64 // when the message was stored, in nanoseconds since 1970
	row int
}

func (g grave) id() string {
	if g.row == wholeMessage {
		return fmt.Sprintf("dead-%d-%d", g.seq, g.at)
	}
	return fmt.Sprintf("dead-%d-%d-%d", g.seq, g.at, g.row)
}

func (g grave) stored() time.Time { return time.Unix(0, g.at).UTC() }

// deadLetters sends what cannot be used to the model's dead subject, each once,
// however many trainings come across it: what the subject holds already is read
// when the first bad example turns up, and the message id covers another process
// that does the same at the same time.
type deadLetters struct {
	js      jetstream.JetStream
	stream  string
	subject string

	known  map[grave]struct{} // nil until looked up
	flying []jetstream.PubAckFuture
}

// take buries what is wrong with a message: all of it, if there is an error, and
// each row with a problem.
func (d *deadLetters) take(ctx context.Context, seq uint64, msg jetstream.Msg, why error, problems []wire.RowProblem) error {
	if why != nil {
		if err := d.message(ctx, seq, msg, why); err != nil {
			return err
		}
	}
	for _, p := range problems {
		if err := d.row(ctx, seq, msg, p); err != nil {
			return err
		}
	}
	return nil
}

// message buries a message that could not be read at all.
func (d *deadLetters) message(ctx context.Context, seq uint64, msg jetstream.Msg, why error) error {
	header := maps.Clone(msg.Headers())
	g, err := graveIn(seq, msg, wholeMessage)
	if err != nil {
		return err
	}
	return d.bury(ctx, g, &nats.Msg{Header: header, Data: msg.Data()}, msg.Subject(), why)
}

// row buries one row of a message, or the message if the row cannot be cut out.
func (d *deadLetters) row(ctx context.Context, seq uint64, msg jetstream.Msg, p wire.RowProblem) error {
	body, err := wire.ExampleRow(msg.Headers(), msg.Data(), p.Row)
	if err != nil {
		return d.message(ctx, seq, msg, p.Err)
	}
	header := nats.Header{wire.HeaderRow: {strconv.Itoa(p.Row)}}
	if trace := msg.Headers().Get(wire.HeaderTrace); trace != "" {
		header.Set(wire.HeaderTrace, trace)
	}
	g, err := graveIn(seq, msg, p.Row)
	if err != nil {
		return err
	}
	return d.bury(ctx, g, &nats.Msg{Header: header, Data: body}, msg.Subject(), p.Err)
}

func (d *deadLetters) bury(ctx context.Context, g grave, msg *nats.Msg, from string, why error) error {
	if d.known == nil {
		if err := d.lookUp(ctx); err != nil {
			return fmt.Errorf("reading what is on %s: %w", d.subject, err)
		}
	}
	if _, ok := d.known[g]; ok {
		return nil
	}
	if msg.Header == nil {
		msg.Header = nats.Header{}
	}
	msg.Header.Set(wire.HeaderSequence, strconv.FormatUint(g.seq, 10))
	msg.Header.Set(wire.HeaderStored, g.stored().Format(time.RFC3339Nano))
	dead := wire.Dead(d.subject, msg.Header, msg.Data, from, why, d.js.Conn().MaxPayload())
	ack, err := d.js.PublishMsgAsync(dead, jetstream.WithMsgID(g.id()))
	if err != nil {
		return fmt.Errorf("publishing message %d to %s: %w", g.seq, d.subject, err)
	}
	d.known[g] = struct{}{}
	d.flying = append(d.flying, ack)
	if len(d.flying) < deadInFlight {
		return nil
	}
	return d.flush(ctx)
}

// flush waits until the stream has everything. Payloads may be reused afterwards.
func (d *deadLetters) flush(ctx context.Context) error {
	for _, ack := range d.flying {
		select {
		case <-ack.Ok():
		case err := <-ack.Err():
			if again := d.again(ctx, ack.Msg()); again != nil {
				return fmt.Errorf("publishing to %s: %w, again: %w", d.subject, err, again)
			}
		case <-ctx.Done():
			return fmt.Errorf("publishing to %s: %w", d.subject, context.Cause(ctx))
		}
	}
	d.flying = d.flying[:0]
	return nil
}

// again publishes a message that was not acknowledged. Its id keeps it from being
// stored twice.
func (d *deadLetters) again(ctx context.Context, msg *nats.Msg) error {
	return registry.Retry(ctx, func(ctx context.Context) error {
		_, err := d.js.PublishMsg(ctx, msg)
		return err
	})
}

// lookUp reads the places of everything on the dead subject.
func (d *deadLetters) lookUp(ctx context.Context) error {
	d.known = map[grave]struct{}{}
	last, err := sequenceOf(ctx, d.js, d.stream, place{Last: d.subject})
	if err != nil || last == 0 {
		return err
	}
	f := follower{js: d.js, stream: d.stream, subject: d.subject, headersOnly: true}
	return f.messages(ctx, 1, last, func(_ uint64, msg jetstream.Msg) error {
		if g, ok := graveOf(msg.Headers()); ok {
			d.known[g] = struct{}{}
		}
		return nil
	})
}

// graveIn returns the grave of a row of a message of the training stream.
func graveIn(seq uint64, msg jetstream.Msg, row int) (grave, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return grave{}, fmt.Errorf("reading when message %d was stored: %w", seq, err)
	}
	return grave{seq: seq, at: meta.Timestamp.UnixNano(), row: row}, nil
}

// graveOf reads the place that a dead example came from. ok is false for a message
// that is not one of ours.
func graveOf(header nats.Header) (g grave, ok bool) {
	seq, err := strconv.ParseUint(header.Get(wire.HeaderSequence), 10, 64)
	if err != nil {
		return grave{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, header.Get(wire.HeaderStored))
	if err != nil {
		return grave{}, false
	}
	g = grave{seq: seq, at: at.UnixNano(), row: wholeMessage}
	if row, failed := strconv.Atoi(header.Get(wire.HeaderRow)); failed == nil {
		g.row = row
	}
	return g, true
}
