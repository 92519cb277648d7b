package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Kinds of the events that the registry announces itself, each in one step
// with what it announces. Announcers of others choose their own kinds:
// [a-z][a-z0-9_-]{0,31}.
const (
	KindCreated  = "created"  // data: Model; id: number of the model's change
	KindUpdated  = "updated"  // data: Model; id: number of the model's change
	KindVersion  = "version"  // data: Version; id: its number
	KindPromoted = "promoted" // data: Promoted; id: <alias>-<move number>
	KindRemoved  = "removed"  // data: Move of an alias with To 0; id: <alias>-<move number>
	KindDeleted  = "deleted"  // data: Removal; id: version-<n>, or model-<number of the model's change>
)

const maxID = 128 // bytes of an event's id

func checkEvent(e Event) error {
	switch {
	case !isWord(e.Kind):
		return fmt.Errorf("%w: event kind %q: want a-z, then up to %d of a-z, 0-9, _ and -", ErrInvalid, e.Kind, maxAlias-1)
	case len(e.ID) < 1 || len(e.ID) > maxID || !isToken(e.ID):
		return fmt.Errorf("%w: event id %q: want 1 to %d of A-Z, a-z, 0-9, _ and -", ErrInvalid, e.ID, maxID)
	case len(e.Data) > 0 && !json.Valid(e.Data):
		return fmt.Errorf("%w: the data of event %s %s is not JSON: %.80q", ErrInvalid, e.Kind, e.ID, e.Data)
	}
	return CheckModel(e.Model)
}

// announcement returns the write of a new event with the JSON of v as its data.
func announcement(model, kind, id string, at time.Time, v any) (put, error) {
	data, err := encode(v)
	if err != nil {
		return put{}, err
	}
	return record(eventKey(model, kind, id), Event{Model: model, Kind: kind, ID: id, Time: at, Data: data}, 0)
}

// Announce stores an event that goes with no other record, such as "failed".
// An event of the same model, kind and id is stored once. Time is now if zero.
func (r *Registry) Announce(ctx context.Context, e Event) error {
	if err := checkEvent(e); err != nil {
		return err
	}
	if e.Time.IsZero() {
		e.Time = now()
	}
	p, err := record(eventKey(e.Model, e.Kind, e.ID), e, 0)
	if err != nil {
		return err
	}
	if err := r.fits([]put{p}); err != nil {
		return err
	}
	if _, err = r.publish(ctx, r.kvStream(), r.message(p), p.after); err != nil && !errors.Is(err, errOther) {
		return fmt.Errorf("announcing %s: %w", p.key, err)
	}
	return nil
}

// LastEvent returns the last announcement of a kind about a model, and whether there
// is one. It asks the stream's leader, so that what [Registry.Announce] stored is not
// missed.
func (r *Registry) LastEvent(ctx context.Context, model, kind string) (e Event, ok bool, err error) {
	if err := checkEvent(Event{Model: model, Kind: kind, ID: "0"}); err != nil {
		return Event{}, false, err
	}
	last, err := r.read(ctx, eventKey(model, kind, "*"))
	if err != nil || last.seq == 0 || last.gone() {
		return Event{}, false, err
	}
	if json.Unmarshal(last.data, &e) != nil {
		e = Event{Data: quoted(last.data)} // put there by hand
	}
	e.Model, e.Kind, e.ID = model, kind, tail(last.subject)
	return e, true, nil
}

// Events calls fn for announcements of model (all if empty), first the kept
// ones from sequence from on (1: all; 0: only new ones), then live ones, in
// order, until ctx is done or fn returns an error, which it returns. When ctx
// is done it returns nil. It survives reconnects; an event comes once. fn runs
// on Events' goroutine.
func (r *Registry) Events(ctx context.Context, model string, from uint64, fn func(seq uint64, e Event) error) error {
	pattern := r.event(">")
	if model != "" {
		if err := CheckModel(model); err != nil {
			return err
		}
		pattern = r.event(model + ".>")
	}
	f := follower{js: r.js, stream: r.log, filters: []string{pattern}, from: from}
	return f.run(ctx, func(msg jetstream.Msg, seq uint64) error {
		e, ok := r.asEvent(msg)
		if !ok {
			return nil
		}
		return fn(seq, e)
	})
}

// asEvent reads an announcement. What somebody put under an event's key by hand
// is passed on as its data, a deleted key is none.
func (r *Registry) asEvent(msg jetstream.Msg) (Event, bool) {
	tokens := strings.Split(strings.TrimPrefix(msg.Subject(), r.event("")), ".")
	if msg.Headers().Get("KV-Operation") != "" || len(tokens) != 3 {
		return Event{}, false
	}
	var e Event
	if json.Unmarshal(msg.Data(), &e) != nil {
		e = Event{Data: quoted(msg.Data())}
	}
	e.Model, e.Kind, e.ID = tokens[0], tokens[1], tokens[2]
	return e, true
}

// quoted returns data itself if it is JSON, else as a JSON string.
func quoted(data []byte) json.RawMessage {
	if json.Valid(data) {
		return bytes.Clone(data)
	}
	s, err := json.Marshal(string(data))
	if err != nil {
		return nil
	}
	return s
}
