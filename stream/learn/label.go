package learn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

const (
	defaultLabelWait = time.Minute

	firstLabelPause = 100 * time.Millisecond // between tries, doubling
	lastLabelPause  = 10 * time.Second
	labelTimeout    = 10 * time.Second // for one try
	labelSearch     = 5 * time.Second  // of it, to look for an example whose claim was found
)

// errUncaptured says that nothing of a label's id was captured, so far.
var errUncaptured = fmt.Errorf("%w: no prediction of this id was captured, or it was too long ago", wire.ErrNotFound)

// take joins one label, or says what becomes of it: nothing is lost if this process
// dies at any point, as the label is acknowledged last.
func (j *joiner) take(ctx context.Context, msg jetstream.Msg) {
	model := modelOf(msg.Subject())
	try, cancel := context.WithTimeout(ctx, j.tryTime)
	defer cancel()
	begin := time.Now()
	meta, err := msg.Metadata()
	if err != nil {
		return
	}
	c := j.counts(model)
	out, err := j.label(try, model, msg.Data())
	if errors.Is(err, errUncaptured) {
		if left, pause := j.patience(try, model, time.Since(meta.Timestamp), meta.NumDelivered); left > 0 {
			if meta.NumDelivered == 1 {
				c.note(labelEarly, nil, 0)
			}
			j.later(msg, pause)
			return
		}
	}
	if err != nil && (ctx.Err() != nil || !lasting(err)) {
		c.join(out)
		j.again(ctx, model, msg, meta, err)
		return
	}
	if err != nil {
		select {
		case j.burials <- struct{}{}:
		default:
			c.join(out)
			j.later(msg, j.deferral(try))
			return
		}
		buried := j.bury(try, letter{msg.Subject(), msg.Headers(), msg.Data(), meta.Sequence.Stream, meta.Timestamp}, err)
		<-j.burials
		if buried != nil {
			c.join(out)
			j.again(ctx, model, msg, meta, buried)
			return
		}
	}
	c.note(out, err, time.Since(begin))
	if err := msg.Ack(); err != nil { // it comes again, and is found to be joined
		j.log.Debug().Err(err).Str("model", model).Msg("acknowledging a label")
	}
}

// again has msg delivered again, after something went wrong that is not its own.
func (j *joiner) again(ctx context.Context, model string, msg jetstream.Msg, meta *jetstream.MsgMetadata, why error) {
	if ctx.Err() == nil {
		j.log.Warn().Err(why).Str("model", model).Msg("a label is tried again")
	}
	j.later(msg, pauseAfter(meta.NumDelivered))
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
func (j *joiner) later(msg jetstream.Msg, pause time.Duration) {
	if err := msg.NakWithDelay(pause); err != nil { // it comes again anyway, later
		j.log.Debug().Err(err).Msg("handing back a label")
	}
}

// A letter is a label as it is stored.
type letter struct {
	subject string
	header  nats.Header
	data    []byte
	seq     uint64
	time    time.Time
}

// bury sends a label that cannot be used to the model's dead subject, once.
func (j *joiner) bury(ctx context.Context, l letter, why error) error {
	name := modelOf(l.subject)
	if registry.CheckModel(name) != nil {
		name = "unknown"
	}
	id := fmt.Sprintf("label-%d-%d", l.seq, l.time.UnixNano())
	dead := wire.Dead(j.opts.Subjects.Dead(name), l.header, l.data, l.subject, why, j.js.Conn().MaxPayload())
	return registry.Retry(ctx, func(ctx context.Context) error {
		m := &nats.Msg{Subject: dead.Subject, Header: dead.Header, Data: dead.Data}
		_, err := j.js.PublishMsg(ctx, m, jetstream.WithMsgID(id))
		return err
	})
}
