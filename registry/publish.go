package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// errOther is returned by publish when another writer's message is the last of
// the subject.
var errOther = errors.New("another writer was first")

// publish stores msg as the one that follows sequence after of its subject, and
// returns its sequence. It tries until it is known to be in, or that another
// message is there instead (errOther).
//
// A request that was not answered may have been carried out. The message id
// tells: the server drops a second one, and after a refused compare-and-set the
// last message of the subject shows whose it is.
func (r *Registry) publish(ctx context.Context, stream string, msg *nats.Msg, after uint64) (uint64, error) {
	id := nuid.Next()
	pace := newPacer()
	for {
		try, stop := pace.try(ctx)
		ack, err := r.js.PublishMsg(try, r.routed(msg),
			jetstream.WithMsgID(id), jetstream.WithExpectLastSequencePerSubject(after), jetstream.WithRetryAttempts(0))
		stop()
		if err == nil {
			return ack.Sequence, nil
		}
		if !transient(err) && !Refused(err) {
			return 0, fmt.Errorf("storing %s: %w", msg.Subject, err)
		}
		e, lookup := r.last(ctx, stream, msg.Subject)
		switch {
		case lookup != nil:
			return 0, lookup
		case e.header.Get(jetstream.MsgIDHeader) == id:
			return e.seq, nil
		case e.seq > after:
			return 0, fmt.Errorf("storing %s: %w", msg.Subject, errOther)
		}
		if err := pace.pause(ctx, err); err != nil {
			return 0, fmt.Errorf("storing %s: %w", msg.Subject, err)
		}
	}
}

// routed returns a copy of msg, but for its data, to publish: the client sets
// headers on what it publishes. What is written to a key goes by way of the
// JetStream API where that is not the default one: leaf nodes do not pass on $KV
// between domains, as they do the subjects of objects.
func (r *Registry) routed(msg *nats.Msg) *nats.Msg {
	c := nats.NewMsg(msg.Subject)
	if r.api != jetstream.DefaultAPIPrefix && strings.HasPrefix(msg.Subject, "$KV.") {
		c.Subject = r.api + msg.Subject
	}
	c.Data = msg.Data
	maps.Copy(c.Header, msg.Header)
	return c
}
