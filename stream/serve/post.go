package serve

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// idRoom is what the message id of a stored result may take.
const idRoom = 64

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
	p.outbox.put(wire.Dead(p.subjects.Dead(model), m.Header, m.Data, m.Subject, e, p.nc.MaxPayload()))
}

// nobody stands on dead subjects for what is no model's name.
const nobody = "unknown"

// lostModel returns the token of a malformed predict subject where its model
// should be, if it could be a model's name.
func lostModel(subject string) string {
	_, rest, _ := strings.Cut(subject, ".predict.")
	token, _, _ := strings.Cut(rest, ".")
	if registry.CheckModel(token) != nil {
		return nobody
	}
	return token
}

// answer sends a result for so many rows: to who waits for it, else to the outbox,
// which then owns msg.
func (p *post) answer(model string, r *request, msg *nats.Msg, rows int) error {
	if r.msg.Reply == "" {
		msg.Subject = p.subjects.Result(model)
		if int64(msg.Size())+idRoom > p.nc.MaxPayload() {
			return p.tooLarge(msg, rows)
		}
		p.outbox.put(msg)
		return nil
	}
	msg.Subject = r.msg.Reply
	err := p.nc.PublishMsg(msg)
	if errors.Is(err, nats.ErrMaxPayload) {
		return p.tooLarge(msg, rows)
	}
	if err != nil {
		p.log.Error().Err(err).Str("model", model).Msg("answer could not be sent")
	}
	return nil
}

func (p *post) tooLarge(msg *nats.Msg, rows int) error {
	size, most := len(msg.Data), p.nc.MaxPayload()
	if rows == 1 {
		return fmt.Errorf("%w: the answer to one row has %d bytes, the server takes %d: ask for fewer outputs, or binary ones",
			wire.ErrTooLarge, size, most)
	}
	fit := max(1, int64(rows)*most/int64(size+idRoom)*9/10)
	return fmt.Errorf("%w: the answer to %d rows has %d bytes, the server takes %d: ask for at most %d at once",
		wire.ErrTooLarge, rows, size, most, fit)
}

func (p *post) send(m *nats.Msg) {
	if err := p.nc.PublishMsg(m); err != nil {
		p.log.Error().Err(err).Msg("answer could not be sent")
	}
}

// passOn copies what goes from a request to its answer unchanged.
func passOn(to, from nats.Header) {
	if len(from) == 0 {
		return
	}
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
