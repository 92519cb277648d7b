package learn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// askEvery is how long to wait for an answer before asking again, for whoever was
// asked may have died.
const askEvery = 2 * time.Second

// catchUp has an online model learn all examples there are now and a version be cut: by
// whoever has the lease or, if nobody has, here. From here on the training cannot be
// canceled, since another process may be carrying it out.
func (t *training) catchUp(ctx context.Context, p *plan) (outcome, error) {
	if t.job.req.Seed != nil {
		return outcome{}, fmt.Errorf("%w: %s learns online: its seed is that of its spec", wire.ErrInvalid, t.job.model)
	}
	if ctx.Err() != nil || !t.ending(t.job) {
		return outcome{}, ended(ctx)
	}
	t.progress.report(wire.Training{State: stateReading})
	for ctx.Err() == nil {
		l, err := t.acquire(ctx, followKey(p.record.Name))
		if err != nil {
			return outcome{}, err
		}
		if l != nil {
			out, err := t.catchUpHere(ctx, p, l)
			if !handsOver(err) {
				return out, err
			}
			t.log.Info().Err(err).Msg("learning up to now is interrupted: somebody else may go on")
			continue
		}
		answer, err := t.askForCut(ctx)
		if err != nil {
			return outcome{}, err
		}
		if answer == nil {
			continue
		}
		if answer.Error != nil {
			return outcome{}, answer.Error
		}
		return outcome{Verdict: *answer.Verdict, metrics: answer.Verdict.Challenger}, nil
	}
	return outcome{}, ended(ctx)
}

// handsOver reports whether what was to be learned under a lease of our own is to be learned by
// whoever has it now, or anew: nothing is wrong with the examples, nor with the model.
func handsOver(err error) bool {
	return errors.Is(err, errLeaseLost) || errors.Is(err, errAnew) || errors.Is(err, registry.ErrOvertaken)
}

// catchUpHere does it under a lease of its own.
func (t *training) catchUpHere(ctx context.Context, p *plan, l *lease) (outcome, error) {
	own := newOnline(&retrainer{
		Trainer: t.Trainer, name: p.record.Name, revision: p.record.Revision, created: p.record.Created, spec: p.spec,
		changed: make(chan struct{}, 1), log: t.log,
	}, p.record.Spec)
	own.once = t.job.id
	answer := make(chan cutResult, 1)
	own.ask(&wish{id: t.job.id, req: t.job.req, reply: func(v *wire.Verdict, err error) { answer <- cutResult{v, err} }})
	err := own.hold(ctx, l)
	select {
	case r := <-answer:
		if r.err != nil {
			return outcome{}, r.err
		}
		return outcome{Verdict: *r.verdict, metrics: r.verdict.Challenger}, nil
	default:
	}
	if err == nil {
		err = ended(ctx)
	}
	return outcome{}, err
}

type cutResult struct {
	verdict *wire.Verdict
	err     error
}

// askForCut asks whoever has the lease. It returns nil if nobody answered in time.
func (t *training) askForCut(ctx context.Context) (*cutAnswer, error) {
	e, err := t.event(kindCut, t.job.req)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encoding event %s of %s: %w", e.Kind, e.Model, err)
	}
	wait, cancel := context.WithTimeout(ctx, askEvery)
	defer cancel()
	msg, err := t.nc.RequestWithContext(wait, t.opts.Subjects.Event(e.Model, e.Kind, e.ID), data)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, ended(ctx)
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, nats.ErrConnectionClosed):
		<-wait.Done()   // the holder may be about to listen
		return nil, nil //nolint:nilnil // no answer yet
	default:
		return nil, nil //nolint:nilnil // no answer yet
	}
	var answer cutAnswer
	if err := json.Unmarshal(msg.Data, &answer); err != nil || answer.Verdict == nil && answer.Error == nil {
		return nil, fmt.Errorf("asking for a version of %s: %w: the answer is %.100q", e.Model, wire.ErrInternal, msg.Data)
	}
	return &answer, nil
}

// listenForWishes takes requests of other processes, and of this one, to cut a version.
func (o *online) listenForWishes() (*nats.Subscription, error) {
	sub, err := o.nc.Subscribe(o.opts.Subjects.Event(o.name, kindCut, "*"), func(msg *nats.Msg) {
		var e registry.Event
		var req wire.TrainRequest
		if msg.Reply == "" || json.Unmarshal(msg.Data, &e) != nil || json.Unmarshal(e.Data, &req) != nil || e.ID == "" {
			return
		}
		o.ask(&wish{id: e.ID, req: req, reply: func(v *wire.Verdict, err error) {
			answer := cutAnswer{Verdict: v}
			if err != nil {
				answer.Error = wire.ErrorOf(err)
			}
			data, err := json.Marshal(answer)
			if err == nil {
				err = msg.Respond(data)
			}
			if err != nil {
				o.log.Debug().Err(err).Msg("answering a request for a version")
			}
		}})
	})
	if err != nil {
		return nil, fmt.Errorf("listening for requests: %w", err)
	}
	return sub, nil
}

// A cutAnswer is what came of a wish.
type cutAnswer struct {
	Verdict *wire.Verdict `json:"verdict,omitempty"`
	Error   *wire.Error   `json:"error,omitempty"`
}
