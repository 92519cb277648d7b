package learn

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/model/feature"
)

// read decodes the messages after s.at until ctx is done.
func (s *session) read(ctx context.Context, schema *feature.Schema) error {
	subjects := s.opts.Subjects
	cons, err := s.js.OrderedConsumer(ctx, subjects.Stream("TRAIN"), jetstream.OrderedConsumerConfig{
		FilterSubjects:    []string{subjects.Train(s.name)},
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       s.begin.seq + 1,
		InactiveThreshold: time.Minute,
	})
	if err != nil {
		return fmt.Errorf("reading the examples of %s: %w", s.name, err)
	}
	limit := max(prefetch, 2*int(s.nc.MaxPayload()))
	it, err := cons.Messages(jetstream.PullMaxBytes(limit), jetstream.PullThresholdBytes(limit/2))
	if err != nil {
		return fmt.Errorf("reading the examples of %s: %w", s.name, err)
	}
	defer it.Stop()
	examples := thread{Trainer: s.Trainer, at: s.begin}
	for {
		msg, err := it.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("reading the examples of %s: %w", s.name, err)
		}
		var d *delivery
		select {
		case d = <-s.free:
		default:
			d = &delivery{}
		}
		meta, err := msg.Metadata()
		if err == nil {
			err = examples.pull(ctx, meta)
		}
		if err != nil {
			return fmt.Errorf("reading the examples of %s: %w", s.name, err)
		}
		d.decode(schema, msg, meta)
		if err := s.pass(ctx, d); err != nil {
			return err
		}
	}
}

// pass hands a message to who learns it, when there is room.
func (s *session) pass(ctx context.Context, d *delivery) error {
	size := int64(len(d.msg.Data()))
	for n := s.queued.Load(); n > 0 && n+size > prefetch; n = s.queued.Load() {
		select {
		case <-s.room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.queued.Add(size)
	select {
	case s.ready <- d:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
