package learn

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/wire"
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
	var decoder wire.ExampleDecoder
	next := jetstream.NextContext(ctx)
	for {
		msg, err := it.Next(next)
		if err != nil {
			return fmt.Errorf("reading the examples of %s: %w", s.name, err)
		}
		d := s.intake.blank()
		meta, err := msg.Metadata()
		if err == nil {
			err = examples.pull(ctx, meta)
		}
		if err != nil {
			return fmt.Errorf("reading the examples of %s: %w", s.name, err)
		}
		d.decode(schema, &decoder, msg, meta)
		if len(msg.Data()) > reused {
			decoder = wire.ExampleDecoder{}
		}
		if err := s.intake.put(ctx, d); err != nil {
			return err
		}
	}
}
