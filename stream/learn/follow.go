package learn

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/registry"
)

const (
	// prefetch bounds the bytes of messages that wait to be decoded; never less
	// than two of the largest.
	prefetch = 8 << 20

	// quiet is how long to wait for a message before asking whether it is still
	// there: a purge may have removed it.
	quiet = 2 * time.Second

	resets = 5 // attempts to make the consumer anew after an interruption
)

// errQuiet says that no message came for a while.
var errQuiet = errors.New("no message came")

// A follower reads a bounded part of one subject of a stream, in order.
type follower struct {
	js          jetstream.JetStream
	stream      string
	subject     string
	headersOnly bool
}

// messages calls fn for the messages with sequences in [from, until], each once.
// It ends early when the rest has been removed from the stream.
func (f *follower) messages(ctx context.Context, from, until uint64, fn func(uint64, jetstream.Msg) error) error {
	var cons jetstream.Consumer
	err := registry.Retry(ctx, func(ctx context.Context) (err error) {
		cons, err = f.js.OrderedConsumer(ctx, f.stream, jetstream.OrderedConsumerConfig{
			FilterSubjects:    []string{f.subject},
			DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
			OptStartSeq:       from,
			HeadersOnly:       f.headersOnly,
			InactiveThreshold: time.Minute,
			MaxResetAttempts:  resets,
		})
		return err
	})
	if err != nil {
		return err
	}
	limit := max(prefetch, 2*int(f.js.Conn().MaxPayload()))
	it, err := cons.Messages(jetstream.PullMaxBytes(limit), jetstream.PullThresholdBytes(limit/2))
	if err != nil {
		return err
	}
	defer it.Stop()
	for at := from; at <= until; {
		seq, err := one(ctx, it, until, fn)
		if errors.Is(err, errQuiet) {
			if gone, err := f.gone(ctx, at, until); err != nil || gone {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		at = seq + 1
	}
	return nil
}

// gone reports whether no message with a sequence in [at, until] is left.
func (f *follower) gone(ctx context.Context, at, until uint64) (bool, error) {
	seq, err := sequenceOf(ctx, f.js, f.stream, place{Seq: at, Next: f.subject})
	if err != nil {
		return false, err
	}
	return seq == 0 || seq > until, nil
}

// one waits for the next message, calls fn if it is not beyond until, and returns
// its sequence. It returns errQuiet if none came for a while, or why ctx ended.
func one(ctx context.Context, it jetstream.MessagesContext, until uint64, fn func(uint64, jetstream.Msg) error) (uint64, error) {
	wait, cancel := context.WithTimeout(ctx, quiet)
	defer cancel()
	msg, err := it.Next(jetstream.NextContext(wait))
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return 0, errQuiet
	default:
		return 0, err
	}
	meta, err := msg.Metadata()
	if err != nil {
		return 0, err
	}
	seq := meta.Sequence.Stream
	if seq > until {
		return seq, nil
	}
	return seq, fn(seq, msg)
}
