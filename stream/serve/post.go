package serve

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"unicode"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/stream/wire"
)

// post sends answers. Those nobody waits for go to the outbox.
type post struct {
	nc       *nats.Conn
	subjects wire.Subjects
	outbox   *outbox
	log      zerolog.Logger
}

// fail answers r with an error, or sends it whole to the dead subject if it has
// no reply subject. model may be empty.
func (p *post) fail(model string, r *request, e *wire.Error) {
	if e.Is(wire.ErrInternal) {
		p.log.Error().Err(e).Str("subject", r.msg.Subject).Msg("request failed")
	}
	if r.msg.Reply == "" {
		p.bury(model, r.msg, e)
		return
	}
	reply := &nats.Msg{Subject: r.msg.Reply, Header: nats.Header{}}
	e.Reply(reply)
	passOn(reply.Header, r.msg.Header)
	if model != "" {
		setHeader(reply.Header, wire.HeaderModel, model)
	}
	p.send(reply)
}

// bury sends a request that cannot be answered, whole, to the dead subject.
func (p *post) bury(model string, m *nats.Msg, e *wire.Error) {
	if model == "" {
		model = lostModel(m.Subject)
	}
	dead := &nats.Msg{Subject: p.subjects.Dead(model), Header: maps.Clone(m.Header), Data: m.Data}
	if dead.Header == nil {
		dead.Header = nats.Header{}
	}
	maps.DeleteFunc(dead.Header, func(key string, _ []string) bool { return strings.HasPrefix(key, "Nats-") })
	setHeader(dead.Header, wire.HeaderReason, oneLine(e.Message))
	setHeader(dead.Header, wire.HeaderSubject, m.Subject)
	p.outbox.put(dead)
}

// lostModel returns the token of a malformed predict subject where its model
// should be.
func lostModel(subject string) string {
	_, rest, _ := strings.Cut(subject, ".predict.")
	token, _, _ := strings.Cut(rest, ".")
	return token
}

// answer sends a result: to who waits for it, else to the outbox, which then
// owns msg.
func (p *post) answer(model string, r *request, msg *nats.Msg) error {
	if r.msg.Reply == "" {
		msg.Subject = p.subjects.Result(model)
		p.outbox.put(msg)
		return nil
	}
	msg.Subject = r.msg.Reply
	err := p.nc.PublishMsg(msg)
	if errors.Is(err, nats.ErrMaxPayload) {
		return fmt.Errorf("%w: the answer has %d bytes, the server takes %d: ask for fewer rows",
			wire.ErrTooLarge, len(msg.Data), p.nc.MaxPayload())
	}
	if err != nil {
		p.log.Error().Err(err).Str("model", model).Msg("answer could not be sent")
	}
	return nil
}

func (p *post) send(m *nats.Msg) {
	if err := p.nc.PublishMsg(m); err != nil {
		p.log.Error().Err(err).Msg("answer could not be sent")
	}
}

// passOn copies what goes from a request to its answer unchanged.
func passOn(to, from nats.Header) {
	for _, key := range [...]string{wire.HeaderID, wire.HeaderTrace} {
		if v := from[key]; len(v) > 0 {
			to[key] = v
		}
	}
}

// setHeader sets a header whose key is written as it travels.
func setHeader(h nats.Header, key, value string) {
	h[key] = []string{value}
}

// reasonBytes bounds the reason in the header of a dead request.
const reasonBytes = 512

// oneLine makes text fit into a header.
func oneLine(text string) string {
	text = strings.ToValidUTF8(text[:min(len(text), reasonBytes)], "")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}
