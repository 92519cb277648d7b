package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/stream/serve"
)

const (
	// firstQuiet is how long the servers' answers may be apart while it is not
	// known how many there are.
	firstQuiet = 250 * time.Millisecond

	// statsTime bounds the wait for all that are known.
	statsTime = 5 * time.Second

	maxServers = 1024
)

// counters are what a server has counted for the model since its start.
type counters struct {
	requests             uint64
	total                time.Duration // from receipt to answer
	queue, compute       time.Duration
	batches              float64
	batched, batchedRows float64 // requests and rows in batches
}

func (c counters) minus(o counters) counters {
	return counters{
		requests: c.requests - o.requests,
		total:    c.total - o.total, queue: c.queue - o.queue, compute: c.compute - o.compute,
		batches: c.batches - o.batches, batched: c.batched - o.batched, batchedRows: c.batchedRows - o.batchedRows,
	}
}

func (c counters) plus(o counters) counters {
	return c.minus(counters{}.minus(o))
}

// statistics are what of a server's $SRV.STATS answer is read.
type statistics struct {
	ID        string `json:"id"`
	Endpoints []struct {
		Name     string `json:"name"`
		Subject  string `json:"subject"`
		Requests uint64 `json:"num_requests"`
		Time     int64  `json:"processing_time"`
		Data     struct {
			Batches serve.Batches `json:"batches"`
			Times   *serve.Times  `json:"times_ns"` // nil: a server that does not tell
		} `json:"data"`
	} `json:"endpoints"`
}

// snapshot asks the model's servers for their counters, by server. known is how
// many answer, 0 if that is not known. Servers that do not tell the times are
// left out, as are those of deployments with another prefix.
func snapshot(ctx context.Context, nc *nats.Conn, model, subject string, known int) (map[string]counters, error) {
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		return nil, fmt.Errorf("asking the servers for statistics: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }() //nolint:errcheck // of a connection that ended
	if err := nc.PublishRequest("$SRV.STATS."+model, inbox, nil); err != nil {
		return nil, fmt.Errorf("asking the servers for statistics: %w", err)
	}
	all := map[string]counters{}
	end := time.Now().Add(statsTime)
	for seen := 0; seen < maxServers && (known == 0 || len(all) < known) && ctx.Err() == nil; seen++ {
		wait := time.Until(end)
		if known == 0 && seen > 0 {
			wait = firstQuiet
		}
		m, err := sub.NextMsg(max(wait, time.Millisecond))
		if errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrNoResponders) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("asking the servers for statistics: %w", err)
		}
		if id, c, ok := read(m.Data, subject); ok {
			all[id] = c
		}
	}
	return all, nil
}

// read returns the counters of the endpoint on subject.
func read(data []byte, subject string) (id string, c counters, ok bool) {
	var s statistics
	if err := json.Unmarshal(data, &s); err != nil {
		return "", c, false
	}
	for i := range s.Endpoints {
		e := &s.Endpoints[i]
		if e.Name != serve.EndpointPredict || e.Subject != subject || e.Data.Times == nil {
			continue
		}
		b := &e.Data.Batches
		return s.ID, counters{
			requests: e.Requests, total: time.Duration(e.Time),
			queue: time.Duration(e.Data.Times.Queue), compute: time.Duration(e.Data.Times.Compute),
			batches: float64(b.Count), batched: float64(b.Count) * b.Requests, batchedRows: float64(b.Count) * b.Rows,
		}, true
	}
	return "", c, false
}

// spent returns what the servers that are in both snapshots did in between.
func spent(before, after map[string]counters) *Server {
	var sum counters
	servers := 0
	for id, c := range after {
		b, ok := before[id]
		if !ok || c.requests < b.requests {
			continue
		}
		if d := c.minus(b); d.requests > 0 {
			servers++
			sum = sum.plus(d)
		}
	}
	if servers == 0 {
		return nil
	}
	each := func(d time.Duration) float64 { return micros(float64(d) / float64(sum.requests)) }
	s := &Server{
		Servers: servers, Requests: sum.requests,
		Total: each(sum.total), Queue: each(sum.queue), Compute: each(sum.compute),
		Other: each(max(sum.total-sum.queue-sum.compute, 0)),
	}
	if sum.batches > 0.5 {
		s.BatchRequests, s.BatchRows = round(sum.batched/sum.batches, 3), round(sum.batchedRows/sum.batches, 3)
	}
	return s
}
