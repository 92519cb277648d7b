package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// idKey is the key of a context's prediction id.
type idKey struct{}

// WithID gives the predictions of calls with the context that id, under which a label
// may come later, if the model captures; a canary tells callers apart by it, too. A call
// that takes several requests gives the later ones <id>-2, <id>-3 and so on, with a hash in
// place of the end of an id that leaves no room for the number: [wire.Predictions.Row] says
// which row has which. An id is a token, 1 to 128 of A-Z a-z 0-9 _ -, and of one call: a
// second prediction of an id is answered and not captured.
func WithID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, idKey{}, id)
}

func idOf(ctx context.Context) string {
	id, ok := ctx.Value(idKey{}).(string)
	if !ok {
		return ""
	}
	return id
}

// numbered gives a request of a call, of which so many were answered, an id of its own.
func numbered(ctx context.Context, answered int) context.Context {
	id := idOf(ctx)
	if id == "" || answered == 0 {
		return ctx
	}
	number := "-" + strconv.Itoa(answered+1)
	if wire.CheckID(id) == nil && len(id)+len(number) > wire.MaxID {
		h := fnv.New64a()
		h.Write([]byte(id))
		hash := "-" + strconv.FormatUint(h.Sum64(), 36)
		id = id[:wire.MaxID-len(number)-len(hash)] + hash
	}
	return WithID(ctx, id+number)
}

// Label says what was true of a prediction of one row that a model has captured, by the
// prediction's id: a string, a number or a boolean, as the model's label is. It returns
// when the label is stored; whether it fits shows later, in the model's statistics
// and on its dead subject.
func (c *Client) Label(ctx context.Context, model, id string, label any) error {
	return c.label(ctx, model, labelMessage{ID: id, Label: label})
}

// LabelRow is [Client.Label] for one row, from 0, of a prediction of several.
func (c *Client) LabelRow(ctx context.Context, model, id string, row int, label any) error {
	return c.label(ctx, model, labelMessage{ID: id, Row: row, Label: label})
}

// Labels is [Client.Label] for all rows of a prediction, nil for those whose label is
// not known.
func (c *Client) Labels(ctx context.Context, model, id string, labels ...any) error {
	return c.label(ctx, model, labelMessage{ID: id, Labels: labels})
}

// Captured reports whether the prediction of an id, or any if id is empty, is kept of a
// model, so that a label could be of it. One that was answered a moment ago may not be yet.
func (c *Client) Captured(ctx context.Context, model, id string) (bool, error) {
	if err := registry.CheckModel(model); err != nil {
		return false, err
	}
	if id == "" {
		id = "*"
	} else if err := wire.CheckID(id); err != nil {
		return false, err
	}
	ctx, cancel := c.bound(ctx)
	defer cancel()
	err := registry.Retry(ctx, func(ctx context.Context) error {
		s, err := c.js.Stream(ctx, c.opts.Subjects.Stream("CAPTURE"))
		if err == nil {
			_, err = s.GetLastMsgForSubject(ctx, c.opts.Subjects.Capture(model, id))
		}
		return err
	})
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound), errors.Is(err, jetstream.ErrStreamNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("looking for predictions that are kept of %s: %w", model, err)
	}
	return true, nil
}

// labelMessage is a [wire.Label] before it is JSON.
type labelMessage struct {
	ID     string `json:"id"`
	Row    int    `json:"row,omitempty"`
	Label  any    `json:"label,omitempty"`
	Labels []any  `json:"labels,omitempty"`
}

func (c *Client) label(ctx context.Context, model string, l labelMessage) error {
	if err := registry.CheckModel(model); err != nil {
		return err
	}
	if slices.Contains(l.Labels, any("")) {
		return fmt.Errorf("labelling %s: %w: a label is empty: want what was true, or nil where it is not known", model, wire.ErrInvalid)
	}
	body, err := json.Marshal(l)
	if err == nil {
		_, err = wire.DecodeLabel(body)
	}
	if err != nil {
		return fmt.Errorf("labelling %s: %w: %w", model, wire.ErrInvalid, err)
	}
	ctx, cancel := c.bound(ctx)
	defer cancel()
	id := nuid.Next() // sent again, it is stored once
	err = registry.Retry(ctx, func(ctx context.Context) error {
		msg := &nats.Msg{Subject: c.opts.Subjects.Label(model), Header: nats.Header{}, Data: body}
		if c.opts.Inject != nil {
			c.opts.Inject(ctx, msg.Header)
		}
		_, err := c.js.PublishMsg(ctx, msg, jetstream.WithMsgID(id), jetstream.WithExpectStream(c.opts.Subjects.Stream("LABEL")))
		return err
	})
	if err != nil {
		return fmt.Errorf("storing a label of %s: %w", model, err)
	}
	return nil
}
