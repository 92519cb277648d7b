package bench

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/stream/wire"
)

// A load sends requests over connections.
type load struct {
	conns    []*nats.Conn
	timeout  time.Duration
	requests int // of a window; 0: no bound
	inFlight int // of an open loop
	seed     uint64
}

// window sends requests in turn for a while and waits for all answers. round
// numbers the windows of a side, so that both sides see the same arrivals.
func (l *load) window(ctx context.Context, s shape, requests []*nats.Msg, length time.Duration, round int) *window {
	rec := &recorder{window: newWindow()}
	begin := time.Now()
	planned := begin
	if s.callers > 0 {
		l.closed(ctx, s.callers, requests, begin.Add(length), rec)
	} else {
		due := arrivals{
			due: begin, end: begin.Add(length), gap: float64(time.Second) / s.rate, poisson: s.poisson,
			rng: rand.New(rand.NewPCG(l.seed, uint64(round))), //nolint:gosec // a count
		}
		planned = l.open(ctx, requests, due, rec)
	}
	rec.window.elapsed = max(time.Since(begin), planned.Sub(begin))
	return rec.window
}

// ask sends one request.
func (l *load) ask(nc *nats.Conn, m *nats.Msg) error {
	reply, err := nc.RequestMsg(m, l.timeout)
	if err != nil {
		return err //nolint:wrapcheck // it is counted
	}
	return wire.ErrorFrom(reply)
}

// closed has callers that each ask again as soon as they are answered.
func (l *load) closed(ctx context.Context, callers int, requests []*nats.Msg, end time.Time, rec *recorder) {
	var sent atomic.Int64
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			t := rec.tally()
			defer t.flush()
			nc := l.conns[c%len(l.conns)]
			next := c % len(requests)
			for now := time.Now(); now.Before(end) && ctx.Err() == nil; {
				if l.requests > 0 && sent.Add(1) > int64(l.requests) {
					return
				}
				err := l.ask(nc, requests[next])
				answered := time.Now()
				t.add(answered.Sub(now), err)
				now = answered
				if next++; next == len(requests) {
					next = 0
				}
			}
		})
	}
	wg.Wait()
}

// open sends requests when they are due, as long as no more wait for an answer
// than the bound; else later, and its latency counts from when it was due. It
// returns when the first one that was not sent is due, the window's end at most.
func (l *load) open(ctx context.Context, requests []*nats.Msg, due arrivals, rec *recorder) time.Time {
	slots := make(chan arrival)
	var wg sync.WaitGroup
	for c := range l.inFlight {
		wg.Go(func() { l.sender(l.conns[c%len(l.conns)], requests, slots, rec) })
	}
	unsent := uint64(0)
	at, ok := due.next()
	for n := 0; ok && (l.requests == 0 || n < l.requests); n++ {
		if unsent > 0 || !pause(ctx, at) || !offer(slots, arrival{at, n}, due.end) {
			if ctx.Err() != nil {
				break
			}
			unsent++
		}
		at, ok = due.next()
	}
	close(slots)
	wg.Wait()
	rec.window.unsent = unsent
	if at.After(due.end) {
		return due.end
	}
	return at
}

// sender sends what is due, one request at a time.
func (l *load) sender(nc *nats.Conn, requests []*nats.Msg, slots <-chan arrival, rec *recorder) {
	var t *tally // most senders are never needed
	for a := range slots {
		if t == nil {
			t = rec.tally()
		}
		t.late(time.Since(a.due))
		err := l.ask(nc, requests[a.number%len(requests)])
		t.add(time.Since(a.due), err)
	}
	if t != nil {
		t.flush()
	}
}

// An arrival is a request that is due.
type arrival struct {
	due    time.Time
	number int
}

// offer hands a to a free sender and reports whether there was one before the
// window's end.
func offer(slots chan<- arrival, a arrival, end time.Time) bool {
	select {
	case slots <- a:
		return true
	default:
	}
	timer := time.NewTimer(time.Until(end))
	defer timer.Stop()
	select {
	case slots <- a:
		return true
	case <-timer.C:
		return false
	}
}

// arrivals are the times at which requests of a window are due.
type arrivals struct {
	due, end time.Time
	gap      float64 // between them, nanoseconds; the mean if poisson
	poisson  bool
	rng      *rand.Rand
}

// next returns the next one, and whether it is within the window.
func (a *arrivals) next() (time.Time, bool) {
	at := a.due
	gap := a.gap
	if a.poisson {
		gap *= a.rng.ExpFloat64()
	}
	a.due = at.Add(max(time.Duration(gap), 1))
	return at, at.Before(a.end)
}
