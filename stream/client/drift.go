package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

const (
	statsFirst   = time.Second            // to wait for a server to answer
	statsQuiet   = 200 * time.Millisecond // after which no other is expected
	statsServers = 1024
)

// A ServerDrift is what one server knows of the drift of a model's live rows.
type ServerDrift struct {
	wire.FeatureDrift

	Server string `json:"server"` // the id of its service
}

// Drift asks the servers of a model for the drift of the rows that each has answered,
// which it returns by server. It is empty if none compares them: the model has no
// champion, or one without a reference, or its spec has that off. Servers that answer
// after a fifth of a second of silence are left out.
func (c *Client) Drift(ctx context.Context, model string) ([]ServerDrift, error) {
	answers, err := c.Statistics(ctx, model)
	if err != nil {
		return nil, err
	}
	return c.DriftIn(model, answers), nil
}

// DriftIn is [Client.Drift] from answers of [Client.Statistics].
func (c *Client) DriftIn(model string, answers []json.RawMessage) []ServerDrift {
	var all []ServerDrift
	for _, answer := range answers {
		if d := driftOf(answer, c.opts.Subjects.Predict(model, "")); d != nil {
			all = append(all, *d)
		}
	}
	slices.SortFunc(all, func(a, b ServerDrift) int { return cmp.Compare(a.Server, b.Server) })
	return all
}

// Statistics asks the servers of a model for their statistics, as ADR-32 has them
// ($SRV.STATS), and returns what each answers. Servers that answer after a fifth of a
// second of silence are left out, the first has a second.
func (c *Client) Statistics(ctx context.Context, model string) ([]json.RawMessage, error) {
	if err := registry.CheckModel(model); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	inbox := c.nc.NewInbox()
	sub, err := c.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, fmt.Errorf("asking the servers of %s for statistics: %w", model, err)
	}
	defer func() { _ = sub.Unsubscribe() }() //nolint:errcheck // of a connection that ended
	if err := c.nc.PublishRequest("$SRV.STATS."+model, inbox, nil); err != nil {
		return nil, fmt.Errorf("asking the servers of %s for statistics: %w", model, err)
	}
	var all []json.RawMessage
	wait := statsFirst
	for range statsServers {
		m, err := next(ctx, sub, wait)
		if err != nil {
			return nil, fmt.Errorf("asking the servers of %s for statistics: %w", model, err)
		}
		if m == nil {
			break
		}
		wait = statsQuiet
		all = append(all, m.Data)
	}
	return all, nil
}

// next returns the next message that comes in time, nil if none does.
func next(ctx context.Context, sub *nats.Subscription, wait time.Duration) (*nats.Msg, error) {
	brief, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	m, err := sub.NextMsgWithContext(brief)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout), errors.Is(err, nats.ErrNoResponders):
		return nil, nil //nolint:nilnil // none came
	}
	return m, err
}

// driftOf reads the statistics of a server; nil if they tell of no drift on subject.
func driftOf(data []byte, subject string) *ServerDrift {
	var s struct {
		ID        string `json:"id"`
		Endpoints []struct {
			Subject string `json:"subject"`
			Data    struct {
				Drift *wire.FeatureDrift `json:"drift"`
			} `json:"data"`
		} `json:"endpoints"`
	}
	if json.Unmarshal(data, &s) != nil {
		return nil
	}
	for _, e := range s.Endpoints {
		if e.Subject == subject && e.Data.Drift != nil {
			return &ServerDrift{FeatureDrift: *e.Data.Drift, Server: s.ID}
		}
	}
	return nil
}
