package control

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// operand says whether a verb stands before a model in its subject.
type operand uint8

const (
	noModel operand = iota
	mayModel
	mustModel
)

// A verb is one thing that can be asked for.
type verb struct {
	name    string
	operand operand
	changes bool // it is logged
	do      func(ctx context.Context, c *call) (any, error)
	stats   stats
}

// A call is one request on its way through its verb.
type call struct {
	model string // "" if the subject names none
	body  []byte
}

func (c *Controller) table() []*verb {
	return []*verb{
		{name: wire.VerbCreate, operand: mayModel, changes: true, do: c.create},
		{name: wire.VerbUpdate, operand: mayModel, changes: true, do: c.update},
		{name: wire.VerbDelete, operand: mustModel, changes: true, do: c.remove},
		{name: wire.VerbList, operand: noModel, do: c.list},
		{name: wire.VerbShow, operand: mustModel, do: c.show},
		{name: wire.VerbTrain, operand: mustModel, changes: true, do: c.train},
		{name: wire.VerbCancel, operand: mustModel, changes: true, do: c.cancel},
		{name: wire.VerbPause, operand: mustModel, changes: true, do: c.pause},
		{name: wire.VerbResume, operand: mustModel, changes: true, do: c.resume},
		{name: wire.VerbPromote, operand: mustModel, changes: true, do: c.promote},
		{name: wire.VerbRollback, operand: mustModel, changes: true, do: c.rollback},
		{name: wire.VerbUnalias, operand: mustModel, changes: true, do: c.unalias},
	}
}

// split returns the verb and the model of a subject.
func (c *Controller) split(subject string) (name, model string) {
	name, model, _ = strings.Cut(strings.TrimPrefix(subject, c.prefix), ".")
	return name, model
}

// verb returns the verb of a subject, nil if there is none of that name.
func (c *Controller) verb(subject string) *verb {
	name, _ := c.split(subject)
	for _, v := range c.verbs {
		if v.name == name {
			return v
		}
	}
	return nil
}

// resolve returns the verb and the model of a subject. v is set, for the counts,
// even where the model is wrong.
func (c *Controller) resolve(subject string) (v *verb, model string, err error) {
	name, model := c.split(subject)
	v = c.verb(subject)
	switch {
	case v == nil:
		names := make([]string, len(c.verbs))
		for i, v := range c.verbs {
			names[i] = v.name
		}
		return nil, "", fmt.Errorf("%w: no control verb %q: there are %s", wire.ErrNotFound, name, strings.Join(names, ", "))
	case model == "" && v.operand == mustModel:
		return v, "", fmt.Errorf("%w: %s needs a model: ask %s.<model>", wire.ErrInvalid, subject, subject)
	case model != "" && v.operand == noModel:
		return v, "", fmt.Errorf("%w: %s is about all models: ask %s", wire.ErrInvalid, name, c.opts.Subjects.Control(name, ""))
	case model != "":
		err = registry.CheckModel(model)
	}
	return v, model, err
}

// answer carries out one request and replies.
func (c *Controller) answer(ctx context.Context, r request) {
	v, model, err := c.resolve(r.msg.Subject)
	var result any
	if err == nil {
		result, err = c.carryOut(ctx, v, &call{model: model, body: r.msg.Data}, r)
	}
	c.reply(r, v, result, err)
}

// carryOut runs a verb within the request's time. A panic is an internal error.
func (c *Controller) carryOut(ctx context.Context, v *verb, in *call, r request) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			c.opts.Logger.Error().Str("subject", r.msg.Subject).Bytes("stack", debug.Stack()).Msg("panic in a control request")
			err = fmt.Errorf("%w: panic: %v", wire.ErrInternal, p)
		}
	}()
	end := r.at.Add(requestTimeout)
	deadline, err := wire.Deadline(r.msg.Header)
	if err != nil {
		return nil, err
	}
	if !deadline.IsZero() && deadline.Before(end) {
		end = deadline
	}
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%w before its turn", wire.ErrDeadlineExceeded)
	}
	result, err = v.do(ctx, in)
	return result, c.reg.Instead(ctx, registry.Ref{Model: in.model}, err)
}

// reply answers, counts and logs one request. v is nil for an unknown verb.
func (c *Controller) reply(r request, v *verb, result any, err error) {
	msg := nats.NewMsg(r.msg.Reply)
	if err == nil {
		msg.Data, err = json.Marshal(result)
	}
	if room := c.nc.MaxPayload(); err == nil && int64(len(msg.Data)) > room {
		err = fmt.Errorf("%w: the answer has %d bytes and a message at most %d", wire.ErrTooLarge, len(msg.Data), room)
	}
	var failure *wire.Error
	if err != nil {
		failure = wire.ErrorOf(err)
		failure.Reply(msg)
	}
	if r.msg.Reply != "" {
		if sent := c.nc.PublishMsg(msg); sent != nil && failure == nil {
			failure = wire.ErrorOf(sent)
		}
	}
	took := time.Since(r.at)
	if v != nil {
		v.stats.count(took, failure)
	}
	c.log(r.msg.Subject, v, took.Round(time.Microsecond), failure)
}

func (c *Controller) log(subject string, v *verb, took time.Duration, failure *wire.Error) {
	switch {
	case failure != nil && failure.Status >= 500:
		c.opts.Logger.Error().Str("subject", subject).Str("code", failure.Code).Stringer("took", took).Msg(failure.Message)
	case failure != nil:
		c.opts.Logger.Debug().Str("subject", subject).Str("code", failure.Code).Stringer("took", took).Msg(failure.Message)
	case v != nil && v.changes:
		c.opts.Logger.Info().Str("subject", subject).Stringer("took", took).Msg("done")
	}
}
