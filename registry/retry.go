package registry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

const (
	// patience bounds the retries of a call whose context has no deadline.
	patience = 30 * time.Second

	// firstTry is how long the first request is waited for, lastTry the last. A
	// change of leader can swallow a request or its answer; to ask again is
	// always safe here, so the first wait is short.
	firstTry = 500 * time.Millisecond
	lastTry  = 16 * time.Second

	firstPause = 4 * time.Millisecond
	lastPause  = 500 * time.Millisecond

	codeInProcess jetstream.ErrorCode = 10158
	codeNoPeers   jetstream.ErrorCode = 10005
)

// A pacer spaces the tries of one call: each may take longer than the one
// before, and the pauses between them grow, with jitter.
type pacer struct {
	start time.Time
	tries int
}

func newPacer() *pacer { return &pacer{start: time.Now()} }

// try returns the context of one try.
func (p *pacer) try(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, p.wait())
}

// wait returns how long one try may take.
func (p *pacer) wait() time.Duration { return min(firstTry<<min(p.tries/2, 8), lastTry) }

// pause waits before the next try. It returns an error that wraps cause when
// ctx is done or patience is at its end.
func (p *pacer) pause(ctx context.Context, cause error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", err, cause)
	}
	if _, ok := ctx.Deadline(); !ok && time.Since(p.start) > patience {
		return fmt.Errorf("gave up after %v: %w", patience, cause)
	}
	d := min(firstPause<<min(p.tries, 10), lastPause)
	p.tries++
	timer := time.NewTimer(d/2 + rand.N(d))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
}

// transient reports whether a request that failed with err may succeed later:
// a leader is being elected, the connection is being made again, the server is busy.
func transient(err error) bool {
	if errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
		return false
	}
	if apiErr, ok := errors.AsType[*jetstream.APIError](err); ok {
		return apiErr.Code >= 500 || apiErr.Code == 429 || apiErr.Code == 408 ||
			apiErr.ErrorCode == jetstreamext.JSErrCodeBatchPublishIncomplete ||
			apiErr.ErrorCode == jetstreamext.JSErrCodeBatchPublishMissingSeq ||
			InProcess(err) || offline(apiErr)
	}
	for _, e := range []error{
		nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected, nats.ErrConnectionReconnecting,
		nats.ErrReconnectBufExceeded, nats.ErrStaleConnection, jetstream.ErrNoStreamResponse,
		jetstream.ErrInvalidJSAck, context.DeadlineExceeded,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// offline reports whether servers are missing to place a stream on, or have not said yet
// that they are there, as when a cluster starts.
func offline(err *jetstream.APIError) bool {
	return err.ErrorCode == codeNoPeers && strings.Contains(err.Description, "peer offline")
}

// Refused reports whether err is JetStream's refusal of a compare-and-set: the sequence
// expected is not the last one. Replicated streams have another code for one that is refused
// for a message on its way.
func Refused(err error) bool {
	apiErr, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (apiErr.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		apiErr.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// InProcess reports whether err is JetStream's refusal of a message whose id is that of one
// on its way in a replicated stream: an earlier try, which was not answered in time. To send
// it again tells how that went.
func InProcess(err error) bool {
	apiErr, ok := errors.AsType[*jetstream.APIError](err)
	return ok && apiErr.ErrorCode == codeInProcess
}

// Retry calls fn, whose context bounds one try, until it succeeds, fails for good,
// or ctx is done; without a deadline it gives up after a while. It is how this package
// works through a change of a stream's leader or a lost connection, for others who
// ask JetStream: fn must do no harm if its request was carried out before.
func Retry(ctx context.Context, fn func(context.Context) error) error {
	p := newPacer()
	for {
		try, stop := p.try(ctx)
		err := fn(try)
		stop()
		if err == nil || !transient(err) {
			return err
		}
		if err := p.pause(ctx, err); err != nil {
			return err
		}
	}
}
