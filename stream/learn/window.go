package learn

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/registry"
)

// A window looks for the message that a window of a model's examples begins with.
type window struct {
	js      jetstream.JetStream
	stream  string
	subject string
}

// probeRest is after how long the server removes a consumer that was left behind.
const probeRest = 10 * time.Second

// begin returns the sequence to read from: of the newest so many messages, which have
// as many rows or more if few were refused, or of what was stored since so long ago.
func (w *window) begin(ctx context.Context, size model.Amount, now time.Time) (uint64, error) {
	switch {
	case size.Time > 0:
		at := now.Add(-time.Duration(size.Time))
		info, err := w.probe(ctx, jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &at})
		if err != nil {
			return 0, err
		}
		return info.Delivered.Stream + 1, nil
	case size.Examples > 0:
		return w.newest(ctx, uint64(size.Examples))
	}
	return 1, nil
}

// newest returns the largest sequence from which on there are at least n messages, 1 if
// there are fewer.
func (w *window) newest(ctx context.Context, n uint64) (uint64, error) {
	last, err := sequenceOf(ctx, w.js, w.stream, place{Last: w.subject})
	if err != nil || last < n {
		return 1, err
	}
	lo, hi := uint64(1), last-n+1 // from lo on there are enough, or lo is 1; from hi+1 on there are not
	for lo < hi {
		mid := hi - (hi-lo)/2
		info, err := w.probe(ctx, jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: mid})
		if err != nil {
			return 0, err
		}
		if info.NumPending >= n {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return lo, nil
}

// probe makes a consumer of the subject, says what it would deliver, and removes it.
func (w *window) probe(ctx context.Context, cfg jetstream.ConsumerConfig) (*jetstream.ConsumerInfo, error) {
	cfg.FilterSubject, cfg.AckPolicy = w.subject, jetstream.AckNonePolicy
	cfg.MemoryStorage, cfg.InactiveThreshold = true, probeRest
	var info *jetstream.ConsumerInfo
	err := registry.Retry(ctx, func(ctx context.Context) error {
		c, err := w.js.CreateConsumer(ctx, w.stream, cfg)
		if err != nil {
			return err
		}
		info = c.CachedInfo()
		return w.js.DeleteConsumer(ctx, w.stream, info.Name)
	})
	if err != nil {
		return nil, fmt.Errorf("looking for the window of %s: %w", w.subject, err)
	}
	return info, nil
}
