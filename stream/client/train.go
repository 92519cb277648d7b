package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

const (
	// pollEvery is how long a training may be silent before the server is asked.
	pollEvery = 3 * time.Second

	// settle is how long a verdict may follow the end of its training.
	settle = 500 * time.Millisecond

	// trainingDone is the state of a training's last event.
	trainingDone = "done"
)

// Train starts a training and follows it: fn (may be nil) is called for each
// event, until the verdict, which is returned. A training that is under way
// already is followed. A training that failed returns
// its error with the verdict. If ctx ends first, the training goes on.
func (c *Client) Train(ctx context.Context, model string, req wire.TrainRequest, fn func(wire.Training)) (*wire.Verdict, error) {
	if err := registry.CheckModel(model); err != nil {
		return nil, err
	}
	sub, err := c.nc.SubscribeSync(c.opts.Subjects.Event(model, "*", "*"))
	if err != nil {
		return nil, fmt.Errorf("following %s: %w", model, err)
	}
	defer sub.Unsubscribe() //nolint:errcheck // fails only on a closed connection, which ended it
	if err := c.flush(ctx); err != nil {
		return nil, fmt.Errorf("following %s: %w", model, err)
	}
	var started wire.TrainReply
	if err := c.Control(ctx, wire.VerbTrain, model, req, &started); err != nil {
		return nil, err
	}
	f := follower{client: c, sub: sub, model: model, id: started.ID, fn: fn}
	verdict, err := f.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("following training %s of %s: %w", started.ID, model, err)
	}
	if verdict.Error != nil {
		return verdict, verdict.Error
	}
	return verdict, nil
}

// flush makes sure that the server knows our subscriptions.
func (c *Client) flush(ctx context.Context) error {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	return c.nc.FlushWithContext(ctx)
}

// A follower waits for the verdict of one training.
type follower struct {
	client *Client
	sub    *nats.Subscription
	model  string
	id     string
	fn     func(wire.Training)
	silent time.Duration // how long the next event may take
}

// run listens to live events, which may get lost; when they stop, it asks
// whether the training is still under way and, if not, looks the verdict up
// among the kept events.
func (f *follower) run(ctx context.Context) (*wire.Verdict, error) {
	f.silent = pollEvery
	for {
		msg, err := f.next(ctx)
		if err == nil {
			if v := f.event(msg.Data); v != nil {
				return v, nil
			}
			continue
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrBadSubscription) {
			return nil, err
		}
		v, err := f.poll(ctx)
		if v != nil || err != nil {
			return v, err
		}
	}
}

func (f *follower) next(ctx context.Context) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, f.silent)
	defer cancel()
	return f.sub.NextMsgWithContext(ctx)
}

// event passes a report on and returns the verdict if data is one of ours.
func (f *follower) event(data []byte) *wire.Verdict {
	var e registry.Event
	if json.Unmarshal(data, &e) != nil {
		return nil // not ours to judge
	}
	if e.Kind != "training" {
		return verdictOf(&e, f.id)
	}
	var t wire.Training
	if json.Unmarshal(e.Data, &t) != nil || t.ID != f.id {
		return nil
	}
	f.silent = pollEvery
	if t.State == trainingDone {
		f.silent = settle
	}
	if f.fn != nil {
		f.fn(t)
	}
	return nil
}

// verdictOf returns the verdict on training id if e carries it: as its data, or
// within it beside a move.
func verdictOf(e *registry.Event, id string) *wire.Verdict {
	switch e.Kind {
	case registry.KindPromoted, "rejected", "unchanged", "failed":
	default:
		return nil
	}
	var v wire.Verdict
	if json.Unmarshal(e.Data, &v) != nil {
		return nil
	}
	var around struct {
		Verdict *wire.Verdict `json:"verdict"`
		Alias   string        `json:"alias"`
		To      uint64        `json:"to"`
		Move    struct {
			To uint64 `json:"to"`
		} `json:"move"`
	}
	if json.Unmarshal(e.Data, &around) == nil && around.Verdict != nil {
		v = *around.Verdict
	}
	if v.ID != id {
		return nil
	}
	v.Promoted = e.Kind == registry.KindPromoted && around.Alias != registry.Challenger // whose trial begins
	if v.Version == 0 {
		v.Version = max(around.To, around.Move.To)
	}
	if v.Version == 0 && e.Kind == "rejected" {
		if n, err := strconv.ParseUint(e.ID, 10, 64); err == nil {
			v.Version = n // a rejected event's id is its version
		}
	}
	return &v
}

// poll asks whether the training is under way. If it is not, its verdict must be
// among the kept events. It returns nil for a training that goes on.
func (f *follower) poll(ctx context.Context) (*wire.Verdict, error) {
	info, err := f.client.Model(ctx, f.model, false)
	switch {
	case repeatable(err), errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return nil, nil //nolint:nilnil // the server is away for a while: nothing is known
	case err != nil:
		return nil, err
	case info.Training != nil && info.Training.ID == f.id:
		return nil, nil //nolint:nilnil // it goes on
	}
	return f.lookUp(ctx)
}

// lookUp reads the kept events of the model up to the verdict.
func (f *follower) lookUp(ctx context.Context) (*wire.Verdict, error) {
	bounded, cancel := f.client.bound(ctx)
	defer cancel()
	reg, err := f.client.registry(bounded)
	if err != nil {
		return nil, err
	}
	reading, stop := context.WithTimeout(bounded, f.client.opts.Timeout)
	defer stop()
	var found *wire.Verdict
	err = reg.Events(reading, f.model, 1, func(_ uint64, e registry.Event) error {
		if found = verdictOf(&e, f.id); found != nil {
			return errFound
		}
		return nil
	})
	switch {
	case found != nil:
		return found, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, err
	}
	return nil, fmt.Errorf("%w: it ended without a verdict, as when its server was killed: train again", wire.ErrUnavailable)
}

// errFound ends the reading of events.
var errFound = errors.New("found")
