package learn

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// A reading is a part of a model's examples, decoded.
type reading struct {
	train, held *feature.Frame

	stream      string
	first, last uint64    // sequences of the first and last message read
	stored      time.Time // when the last one was
	begin       spot      // of the first row that counts
	rejected    int       // rows
	reason      error     // why the last of them was
	digest      string    // SHA-256 of the payloads in order, each after its length

	replayed *registry.Replayed // older ones, which train begins with; nil if there are none
}

// rows returns how many examples are used, without replayed ones.
func (r *reading) rows() int {
	n := r.train.Len() + r.held.Len()
	if r.replayed != nil {
		n -= r.replayed.Examples
	}
	return n
}

// A reader reads the examples of one model that are in the stream when it
// begins. Payloads are decoded into frames as they come and not kept.
type reader struct {
	js      jetstream.JetStream
	stream  string
	subject string
	schema  *feature.Schema
	dead    *deadLetters // nil: bad examples are counted and left where they are
	report  func(rows, rejected int)
}

// read reads the examples with sequences in [from, until].
func (r *reader) read(ctx context.Context, from, until uint64, into *split) (*reading, error) {
	got := &reading{stream: r.stream}
	sum := sha256.New()
	if until >= from {
		var end jetstream.Msg
		f := follower{js: r.js, stream: r.stream, subject: r.subject}
		err := f.messages(ctx, from, until, func(seq uint64, msg jetstream.Msg) error {
			if got.first == 0 {
				got.first = seq
			}
			got.last, end = seq, msg
			return r.decode(ctx, got, sum, into, seq, msg)
		})
		if err == nil {
			got.stored, err = storedAt(end)
		}
		if err != nil {
			return nil, fmt.Errorf("reading examples from stream %s: %w", r.stream, err)
		}
	}
	if r.dead != nil {
		if err := r.dead.flush(ctx); err != nil {
			return nil, err
		}
	}
	if into.rows() == 0 {
		return nil, r.nothing(got, from)
	}
	got.train, got.held = into.finish()
	got.begin = into.begin
	got.digest = hex.EncodeToString(sum.Sum(nil))
	return got, nil
}

// storedAt returns when a message was stored, the zero time of none.
func storedAt(msg jetstream.Msg) (time.Time, error) {
	if msg == nil {
		return time.Time{}, nil
	}
	meta, err := msg.Metadata()
	if err != nil {
		return time.Time{}, err
	}
	return meta.Timestamp.UTC(), nil
}

// nothing explains why there is nothing to train on.
func (r *reader) nothing(got *reading, from uint64) error {
	switch {
	case got.rejected > 0:
		return fmt.Errorf("%w that can be used: all %d in messages %d to %d of %s were refused, the last one because %w",
			ErrNoExamples, got.rejected, got.first, got.last, r.subject, got.reason)
	case from > 1:
		return fmt.Errorf("%w since message %d, the last one that the champion saw: publish some to %s",
			ErrNoExamples, from-1, r.subject)
	}
	return fmt.Errorf("%w: publish some to %s", ErrNoExamples, r.subject)
}

// addPayload adds a message's payload to the digest of a lineage.
func addPayload(sum hash.Hash, body []byte) {
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(body)))
	sum.Write(length[:])
	sum.Write(body)
}

// decode adds the rows of one message to the frames and sends its bad rows to
// the dead subject.
func (r *reader) decode(ctx context.Context, got *reading, sum hash.Hash, into *split, seq uint64, msg jetstream.Msg) error {
	addPayload(sum, msg.Data())
	_, problems, err := wire.DecodeExamples(r.schema, msg.Headers(), msg.Data(), func(row int, v feature.Row) error {
		return into.add(seq, row, v)
	})
	if err != nil {
		got.rejected, got.reason = got.rejected+1, err
	}
	for _, p := range problems {
		got.rejected, got.reason = got.rejected+1, p.Err
	}
	r.report(into.rows(), got.rejected)
	if r.dead == nil {
		return nil
	}
	return r.dead.take(ctx, seq, msg, err, problems)
}
