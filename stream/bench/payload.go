package bench

import (
	"cmp"
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

// probeRows is how many rows tell how long a row is.
const probeRows = 64

// CheckSize returns an error that wraps [wire.ErrTooLarge] if a request of so many
// rows like those of f would have much more than limit bytes. It encodes only some of
// f, so that it can be asked before that many rows are made.
func CheckSize(f *feature.Frame, form wire.Form, rows int, limit int64) error {
	n := min(f.Len(), rows, probeRows)
	if n == 0 {
		return nil
	}
	var one, all nats.Msg // one: what does not grow with the rows
	if err := cmp.Or(wire.EncodeRequest(&one, form, f, 0, 1), wire.EncodeRequest(&all, form, f, 0, n)); err != nil {
		return err
	}
	row := float64(len(all.Data)) / float64(n)
	if n > 1 {
		row = float64(len(all.Data)-len(one.Data)) / float64(n-1)
	}
	if about := row * float64(rows); about > 1.5*float64(limit) {
		return fmt.Errorf("%w: a request of %d rows has about %.0f bytes, the server takes %d: about %.0f rows fit",
			wire.ErrTooLarge, rows, about, limit, max(float64(limit)/row, 0))
	}
	return nil
}

// payloads returns up to [Payloads] requests of that many rows each to subject,
// from the rows of f, which are repeated if there are fewer than one needs. None may
// have more than limit bytes. They say that they are no traffic to be observed.
func (b *Bench) payloads(f *feature.Frame, limit int64) ([]*nats.Msg, error) {
	rows := b.opts.Rows
	if f.Len() == 0 {
		return nil, fmt.Errorf("%w: no rows to ask about", wire.ErrInvalid)
	}
	if err := CheckSize(f, b.opts.Form, rows, limit); err != nil {
		return nil, err
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
		msg := &nats.Msg{Subject: b.opts.Subjects.Predict(b.ref.Model, target(b.ref))}
		if err := wire.EncodeRequest(msg, b.opts.Form, f, lo, lo+rows); err != nil {
			return nil, err
		}
		if msg.Header == nil {
			msg.Header = nats.Header{}
		}
		msg.Header.Set(wire.HeaderObserve, wire.ObserveOff)
		if int64(msg.Size()) > limit {
			return nil, fmt.Errorf("%w: a request of %d rows has %d bytes, the server takes %d: ask for fewer rows",
				wire.ErrTooLarge, rows, msg.Size(), limit)
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
