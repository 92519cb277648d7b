package registry

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

const (
	// maxBatch is the number of messages of an atomic batch that nats-server accepts.
	maxBatch = 1000

	// headroom is what a message's subject and headers may take of the server's
	// payload limit, which counts headers too.
	headroom = 4 << 10
)

// commit writes puts in one atomic batch and returns the sequence of the
// first. On an error, sent reports whether the batch may be in, now or later.
func (r *Registry) commit(ctx context.Context, pace *pacer, puts []put) (seq uint64, sent bool, err error) {
	if err := r.fits(puts); err != nil {
		return 0, false, err
	}
	ctx, stop := pace.try(ctx)
	defer stop()
	batch, err := jetstreamext.NewBatchPublisher(r.js, jetstreamext.BatchFlowControl{AckFirst: true, AckTimeout: pace.wait()})
	if err != nil {
		return 0, false, err
	}
	last := puts[len(puts)-1]
	for _, p := range puts[:len(puts)-1] {
		if err := batch.AddMsg(r.routed(r.message(p)), jetstreamext.WithBatchExpectLastSequencePerSubject(p.after)); err != nil {
			return 0, false, fmt.Errorf("writing %s: %w", p.key, err)
		}
	}
	ack, err := batch.CommitMsg(ctx, r.routed(r.message(last)), jetstreamext.WithBatchExpectLastSequencePerSubject(last.after))
	if err != nil {
		return 0, true, fmt.Errorf("committing %s: %w", puts[0].key, err)
	}
	return ack.Sequence - ack.BatchSize + 1, false, nil
}

func (r *Registry) message(p put) *nats.Msg {
	msg := nats.NewMsg(r.subject(p.key))
	msg.Data = p.data
	if p.remove {
		msg.Header.Set("KV-Operation", "DEL")
	}
	return msg
}

// fits returns an error that wraps [ErrInvalid] if a record is larger than the
// server takes.
func (r *Registry) fits(puts []put) error {
	if len(puts) > maxBatch {
		return fmt.Errorf("%w: %d records in one step: want up to %d", ErrInvalid, len(puts), maxBatch)
	}
	limit := r.nc.MaxPayload() - headroom
	for _, p := range puts {
		if int64(len(p.data)) > limit {
			return fmt.Errorf("%w: %s has %d bytes: this NATS server takes up to %d (max_payload)", ErrInvalid, p.key, len(p.data), limit)
		}
	}
	return nil
}

// record returns the write of v under a key whose last sequence is after.
func record(key string, v any, after uint64) (put, error) {
	data, err := encode(v)
	return put{key: key, data: data, after: after}, err
}

// removal returns the write that deletes a key whose last sequence is after.
func removal(key string, after uint64) put { return put{key: key, after: after, remove: true} }
