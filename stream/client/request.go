package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/stream/wire"
)

// request sends body to subject, again where that may help, and returns the
// answer that is no error. ctx must have a deadline.
func (c *Client) request(ctx context.Context, subject string, body []byte) (*nats.Msg, error) {
	pause := newPauses(c.opts.Backoff, rand.Float64)
	for attempt := 0; ; attempt++ {
		msg, err := c.ask(ctx, subject, body)
		if err == nil {
			return msg, nil
		}
		if attempt == c.opts.Retries || !repeatable(err) || !wait(ctx, pause.next()) {
			return nil, asked(subject, attempt+1, err)
		}
	}
}

// asked says of an error what was asked. An answer says so itself, in its caller's words.
func asked(subject string, times int, err error) error {
	_, answer := errors.AsType[*wire.Error](err)
	switch {
	case answer && times == 1:
		return err
	case answer:
		return fmt.Errorf("%w (asked %d times)", err, times)
	case times == 1:
		return fmt.Errorf("asking %s: %w", subject, err)
	}
	return fmt.Errorf("asking %s, %d times: %w", subject, times, err)
}

// unobservedKey is the key of a context whose predictions are not observed.
type unobservedKey struct{}

// Unobserved has the predictions of calls with the context be answered and no more: they
// are no traffic of the kind that the model is for, such as a test, so that their rows do
// not count for drift, are not captured and are not copied to a shadow.
func Unobserved(ctx context.Context) context.Context {
	return context.WithValue(ctx, unobservedKey{}, true)
}

func (c *Client) ask(ctx context.Context, subject string, body []byte) (*nats.Msg, error) {
	msg := nats.NewMsg(subject)
	msg.Data = body
	if t, ok := ctx.Deadline(); ok {
		wire.SetDeadline(msg.Header, t)
	}
	if id := idOf(ctx); id != "" {
		msg.Header.Set(wire.HeaderID, id)
	}
	if ctx.Value(unobservedKey{}) != nil {
		msg.Header.Set(wire.HeaderObserve, wire.ObserveOff)
	}
	if c.opts.Inject != nil {
		c.opts.Inject(ctx, msg.Header)
	}
	reply, err := c.nc.RequestMsgWithContext(ctx, msg)
	if err != nil {
		return nil, err
	}
	return reply, wire.ErrorFrom(reply)
}

// repeatable reports whether a request that failed so was not carried out and
// may be sooner or later.
func repeatable(err error) bool {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return errors.Is(e, wire.ErrOverloaded) || errors.Is(e, wire.ErrUnavailable)
	}
	return errors.Is(err, nats.ErrNoResponders)
}

// pauses are the growing pauses between repeats.
type pauses struct {
	limit time.Duration
	draw  func() float64 // in [0, 1)
}

func newPauses(first time.Duration, draw func() float64) *pauses {
	return &pauses{limit: min(first, maxBackoff), draw: draw}
}

// next returns a pause from the upper half of the limit, which then doubles.
func (p *pauses) next() time.Duration {
	d := p.limit/2 + time.Duration(p.draw()*float64(p.limit-p.limit/2))
	p.limit = min(2*p.limit, maxBackoff)
	return d
}

// wait waits for d and reports whether there is time left then; if there will
// not be, it does not wait.
func wait(ctx context.Context, d time.Duration) bool {
	if t, ok := ctx.Deadline(); ok && time.Until(t) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
