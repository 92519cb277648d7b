package learn

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

const (
	defaultLabelWait = time.Minute

	// labelConsumer is the durable consumer that all trainers share.
	labelConsumer = "trainers"

	labelsAtOnce = 16               // joined by one trainer
	labelsPulled = 2 * labelsAtOnce // in memory of one trainer
	labelAckWait = 15 * time.Second // after which a label whose trainer died is given to another

	// labelsPending is how many labels may be with trainers, or wait for what was captured:
	// more than their stream has room for, so that those that wait never hold up others.
	labelsPending = 1 << 20

	firstLabelPause = 100 * time.Millisecond // between tries, doubling
	lastLabelPause  = 10 * time.Second
	labelTimeout    = 10 * time.Second // for one try
	labelSearch     = 5 * time.Second  // of it, to look for an example whose claim was found
)

// errUncaptured says that nothing of a label's id was captured, so far.
var errUncaptured = fmt.Errorf("%w: no prediction of this id was captured, or it was too long ago", wire.ErrNotFound)

// joinLabels joins labels with what was captured until ctx is done.
func (t *Trainer) joinLabels(ctx context.Context) {
	j := newJoiner(t)
	pause := firstLabelPause
	for ctx.Err() == nil {
		began := time.Now()
		err := j.consume(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > lastLabelPause {
			pause = firstLabelPause
		}
		t.opts.Logger.Warn().Err(err).Stringer("retry", pause).Msg("labels are not joined")
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, lastLabelPause)
	}
}

// consume joins labels until ctx is done or the consumer is lost.
func (j *joiner) consume(ctx context.Context) error {
	var cons jetstream.Consumer
	err := registry.Retry(ctx, func(ctx context.Context) (err error) {
		cons, err = j.js.CreateOrUpdateConsumer(ctx, j.opts.Subjects.Stream("LABEL"), jetstream.ConsumerConfig{
			Durable:       labelConsumer,
			Description:   "joins labels with what was captured",
			AckPolicy:     jetstream.AckExplicitPolicy,
			AckWait:       labelAckWait,
			MaxAckPending: labelsPending,
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("preparing to join labels: %w", err)
	}
	it, err := cons.Messages(jetstream.PullMaxMessages(labelsPulled))
	if err != nil {
		return fmt.Errorf("reading labels: %w", err)
	}
	defer it.Stop()
	var busy sync.WaitGroup
	defer busy.Wait()
	places := make(chan struct{}, labelsAtOnce)
	for {
		msg, err := it.Next(jetstream.NextContext(ctx))
		if err != nil {
			j.handBack(it)
			return err
		}
		places <- struct{}{}
		busy.Go(func() {
			j.take(ctx, msg)
			<-places
		})
	}
}

// handBack gives labels that were fetched and not looked at to other trainers at once.
func (j *joiner) handBack(it jetstream.MessagesContext) {
	it.Drain()
	ctx, cancel := context.WithTimeout(context.Background(), firstLabelPause)
	defer cancel()
	for {
		msg, err := it.Next(jetstream.NextContext(ctx))
		if err != nil {
			return
		}
		j.later(msg, 1)
	}
}

// take joins one label, or says what becomes of it: nothing is lost if this process
// dies at any point, as the label is acknowledged last.
func (j *joiner) take(ctx context.Context, msg jetstream.Msg) {
	model := msg.Subject()[strings.LastIndexByte(msg.Subject(), '.')+1:]
	try, cancel := context.WithTimeout(ctx, j.tryTime)
	defer cancel()
	begin := time.Now()
	meta, err := msg.Metadata()
	if err != nil {
		return
	}
	c := j.counts(model)
	out, err := j.label(try, model, msg.Data())
	switch {
	case errors.Is(err, errUncaptured) && time.Since(meta.Timestamp) < j.patience(try, model):
		if meta.NumDelivered == 1 {
			c.note(labelEarly, nil, 0)
		}
		j.later(msg, meta.NumDelivered)
		return
	case err != nil && (ctx.Err() != nil || !lasting(err)):
		c.join(out)
		if ctx.Err() == nil {
			j.log.Warn().Err(err).Str("model", model).Msg("a label is tried again")
		}
		j.later(msg, meta.NumDelivered)
		return
	case err != nil:
		if buried := j.bury(try, model, msg, meta, err); buried != nil {
			j.log.Warn().Err(buried).Str("model", model).Msg("a label is tried again")
			j.later(msg, meta.NumDelivered)
			return
		}
	}
	c.note(out, err, time.Since(begin))
	if err := msg.Ack(); err != nil { // it comes again, and is found to be joined
		j.log.Debug().Err(err).Str("model", model).Msg("acknowledging a label")
	}
}

// lasting reports whether an error is the label's own, and will be the same next time.
func lasting(err error) bool {
	switch e := wire.ErrorOf(err); e.Status {
	case 400, 404, 409, 413:
		return true
	}
	return false
}

// later has msg delivered again after a pause.
func (j *joiner) later(msg jetstream.Msg, deliveries uint64) {
	pause := min(firstLabelPause<<min(deliveries-1, 10), lastLabelPause)
	if err := msg.NakWithDelay(pause); err != nil { // it comes again anyway, later
		j.log.Debug().Err(err).Msg("handing back a label")
	}
}

// bury sends a label that cannot be used to the model's dead subject, once.
func (j *joiner) bury(ctx context.Context, model string, msg jetstream.Msg, meta *jetstream.MsgMetadata, why error) error {
	if registry.CheckModel(model) != nil {
		model = "unknown"
	}
	id := fmt.Sprintf("label-%d-%d", meta.Sequence.Stream, meta.Timestamp.UnixNano())
	dead := wire.Dead(j.opts.Subjects.Dead(model), msg.Headers(), msg.Data(), msg.Subject(), why, j.js.Conn().MaxPayload())
	return registry.Retry(ctx, func(ctx context.Context) error {
		m := &nats.Msg{Subject: dead.Subject, Header: dead.Header, Data: dead.Data}
		_, err := j.js.PublishMsg(ctx, m, jetstream.WithMsgID(id))
		return err
	})
}
