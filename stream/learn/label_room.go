package learn

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// roomMade is how many requests lose their labels at once where the stream of joins is full.
const roomMade = 64

// storeFailed is the server's code for a stream that refused to store.
const storeFailed jetstream.ErrorCode = 10077

// errNoRoom says that the stream of joins is full.
var errNoRoom = fmt.Errorf("%w: there is no room for more labels of what was captured", wire.ErrUnavailable)

// isFull reports whether a stream refused a message for its limits.
func isFull(err error) bool {
	e, ok := errors.AsType[*jetstream.APIError](err)
	return ok && e.ErrorCode == storeFailed && strings.HasPrefix(e.Description, "maximum ")
}

// clears returns how often room was made.
func (j *joiner) clears() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.cleared
}

// clear makes room in the stream of joins, unless others have since it was made so often. The
// oldest labels go, what was captured first: a label that comes again then is of an unknown
// id, and not of a request without labels. None go that are younger than a try may last: who
// found that a request had none could write his own after.
func (j *joiner) clear(ctx context.Context, cleared int) error {
	j.clearing.Lock()
	defer j.clearing.Unlock()
	if j.clears() != cleared {
		return nil
	}
	joins, err := j.stream(ctx, "JOIN")
	if err != nil {
		return err
	}
	captures, err := j.stream(ctx, "CAPTURE")
	if err != nil {
		return err
	}
	info, err := joins.Info(ctx)
	if err != nil {
		return err
	}
	removed, next := 0, info.State.FirstSeq
	for ; removed < roomMade; removed++ {
		msg, err := joins.GetMsg(ctx, next, jetstream.WithGetMsgSubject(j.opts.Subjects.Join("*", "*")))
		if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && info.TimeStamp.Sub(msg.Time) < j.tryTime {
			break
		}
		if err != nil {
			return fmt.Errorf("looking for the oldest labels: %w", err)
		}
		if err := j.drop(ctx, captures, joins, msg); err != nil {
			return err
		}
		next = msg.Sequence + 1
	}
	if removed == 0 {
		return errNoRoom
	}
	j.mu.Lock()
	j.cleared++
	j.mu.Unlock()
	j.log.Warn().Int("requests", removed).Msg("the stream of labels that were joined is full: the oldest, and what they are of, were dropped")
	return nil
}

// drop removes what was captured, and then its labels.
func (j *joiner) drop(ctx context.Context, captures, joins jetstream.Stream, msg *jetstream.RawStreamMsg) error {
	tokens := strings.Split(msg.Subject, ".")
	if n := len(tokens); n >= 2 {
		subject := j.opts.Subjects.Capture(tokens[n-2], tokens[n-1])
		err := registry.Retry(ctx, func(ctx context.Context) error { return captures.Purge(ctx, jetstream.WithPurgeSubject(subject)) })
		if err != nil {
			return fmt.Errorf("dropping %s: %w", subject, err)
		}
	}
	err := registry.Retry(ctx, func(ctx context.Context) error { return joins.DeleteMsg(ctx, msg.Sequence) })
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) && !errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
		return fmt.Errorf("dropping %s: %w", msg.Subject, err)
	}
	return nil
}
