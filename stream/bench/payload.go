package bench

import (
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/wire"
)

const (
	// Payloads is how many different requests are sent in turn, where there are
	// rows for as many.
	Payloads = 64

	// payloadBytes bounds them together, but for one.
	payloadBytes = 64 << 20
)

// payloads returns up to [Payloads] requests of that many rows each to subject,
// from the rows of f, which are repeated if there are fewer than one needs.
func payloads(f *feature.Frame, form wire.Form, subject string, rows int) ([]*nats.Msg, error) {
	if f.Len() == 0 {
		return nil, fmt.Errorf("%w: no rows to ask about", wire.ErrInvalid)
	}
	if f.Len() < rows {
		var err error
		if f, err = repeat(f, rows); err != nil {
			return nil, err
		}
	}
	var all []*nats.Msg
	size := 0
	for lo := 0; lo+rows <= f.Len() && len(all) < Payloads && size < payloadBytes; lo += rows {
		msg := &nats.Msg{Subject: subject}
		if err := wire.EncodeRequest(msg, form, f, lo, lo+rows); err != nil {
			return nil, err
		}
		size += len(msg.Data)
		all = append(all, msg)
	}
	return all, nil
}

// repeat returns a frame with the rows of f, again and again, n in all.
func repeat(f *feature.Frame, n int) (*feature.Frame, error) {
	out := feature.NewFrame(f.Schema(), false)
	for i := range n {
		if err := out.Append(f.Row(i % f.Len())); err != nil {
			return nil, fmt.Errorf("repeating row %d: %w", i%f.Len(), err)
		}
	}
	return out, nil
}

// to returns requests of the same bytes to another subject.
func to(subject string, requests []*nats.Msg) []*nats.Msg {
	out := make([]*nats.Msg, len(requests))
	for i, m := range requests {
		out[i] = &nats.Msg{Subject: subject, Header: m.Header, Data: m.Data}
	}
	return out
}
