package serve

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

const (
	// What waits for a shadow: what is more is dropped.
	shadowRequests = 256
	shadowBytes    = 16 << 20

	// shadowRest is how long a shadow waits for a turn that nobody else wants.
	shadowRest = time.Millisecond
)

// A shadow is a version that gets a copy of each request that the champion has
// answered, and answers nobody. It computes when the model has nothing else to do, on a
// goroutine of its own.
type shadow struct {
	lane     *lane
	version  *version
	champion *version // whose requests it gets
	wake     chan struct{}
	ctx      context.Context //nolint:containedctx // of the shadow's own goroutine
	stop     context.CancelFunc
	batch    batch // of the goroutine; nil until it is needed

	mu      sync.Mutex // guards all below
	ended   bool
	waiting []copied
	bytes   int
	counts  shadowCounts
}

// shadowCounts are what has become of the copies.
type shadowCounts struct {
	requests uint64 // computed
	errors   uint64
	dropped  uint64
	rows     uint64 // compared
	agreed   uint64 // of rows
	numbers  bool   // rows are numbers: distance, not agreed, says how they agree
	distance float64
	last     string
	latency  *stats // of batches
}

// setShadow has next copy requests to that version, 0 for none, if it is loaded. It
// returns what is to be ended once next is in place.
func (l *lane) setShadow(next *live, number uint64) *shadow {
	before := next.shadow
	v, champion := next.aliases[registry.Shadow], next.aliases[registry.Champion]
	if number == 0 || v == nil || v.number != number || champion == nil {
		next.shadow = nil
	} else if before == nil || before.lane != l || before.version != v || before.champion != champion {
		next.shadow = l.newShadow(v, champion)
	}
	if before == next.shadow || before == nil || before.lane != l {
		return nil
	}
	return before
}

func (l *lane) newShadow(v, champion *version) *shadow {
	s := &shadow{lane: l, version: v, champion: champion, wake: make(chan struct{}, 1)}
	s.counts.latency = newStats(time.Now())
	s.ctx, s.stop = context.WithCancel(context.Background())
	l.shadows.Go(s.run)
	return s
}

// put gives s a copy, or reports that it takes none: it is busy, or has ended.
func (s *shadow) put(c copied) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	if size := c.size(); len(s.waiting) < shadowRequests && s.bytes+size <= shadowBytes {
		s.waiting = append(s.waiting, c)
		s.bytes += size
		select {
		case s.wake <- struct{}{}:
		default:
		}
		return true
	}
	s.counts.dropped++
	return false
}

// end ends s, which may be nil. What waits is dropped.
func (s *shadow) end() {
	if s != nil {
		s.stop()
	}
}

func (s *shadow) take() []copied {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.waiting
	s.waiting, s.bytes = nil, 0
	return taken
}

func (s *shadow) run() {
	debug.SetPanicOnFault(true)
	for {
		select {
		case <-s.wake:
		case <-s.ctx.Done():
			s.drop()
			return
		}
		if !s.rest() {
			continue
		}
		l := s.lane
		l.turns.begin()
		taken := s.take()
		s.shadow(taken)
		l.turns.end()
		l.capture.put(toCapture(taken))
	}
}

// drop ends s and hands on what waits.
func (s *shadow) drop() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	taken := s.take()
	s.mu.Lock()
	s.counts.dropped += uint64(len(taken))
	s.mu.Unlock()
	s.lane.capture.put(toCapture(taken))
}

// rest waits until nobody else wants to compute. It reports false if s ended before.
func (s *shadow) rest() bool {
	timer := time.NewTimer(shadowRest)
	defer timer.Stop()
	for {
		if n, _ := s.lane.queue.waiting(); n == 0 && !s.lane.turns.taken() {
			return true
		}
		timer.Reset(shadowRest)
		select {
		case <-timer.C:
		case <-s.ctx.Done():
			return false
		}
	}
}

// shadow computes what was taken, each request alone where they fail together, and
// compares.
func (s *shadow) shadow(taken []copied) {
	for len(taken) > 0 {
		n := 1
		for rows := len(taken[0].outcomes); n < len(taken); n++ {
			if rows += len(taken[n].outcomes); rows > s.lane.limits.sized(s.version.params).batch {
				break
			}
		}
		if err := s.compute(taken[:n]); err != nil {
			for i := range n {
				if n > 1 {
					err = s.compute(taken[i : i+1])
				}
				s.failed(err)
			}
		}
		taken = taken[n:]
	}
}

// compute runs some requests as one batch and compares its predictions with those
// that were answered.
func (s *shadow) compute(taken []copied) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.lane.log.Error().Interface("panic", p).Bytes("stack", debug.Stack()).Msg("computing a shadow's batch panicked")
			err = fmt.Errorf("%w: computing panicked: %v", wire.ErrInternal, p)
		}
	}()
	begin := time.Now()
	b := s.batch
	if s.batch = nil; b == nil { // after a panic, too
		b = s.version.make()
	}
	t, ok := b.(teller)
	if !ok {
		return errIncomparable
	}
	rows := 0
	for i := range taken {
		n, err := b.add(taken[i].msg)
		if due := len(taken[i].outcomes); err == nil && n != due {
			err = fmt.Errorf("%w: by the shadow's features the request has %d rows, by the champion's %d", wire.ErrInvalid, n, due)
		}
		if err != nil {
			s.keep(b)
			return err
		}
		rows += n
	}
	err = b.run(0, rows, s.lane.turns.pass)
	took := time.Since(begin)
	var all []wire.Outcome
	if err == nil {
		all = t.tell(nil, 0, rows)
	}
	s.keep(b)
	if err != nil {
		return err
	}
	for i := range taken {
		n := len(taken[i].outcomes)
		taken[i].shadow = &wire.Shadowed{Version: s.version.number, Predictions: all[:n:n]}
		all = all[n:]
		s.compare(taken[i].outcomes, taken[i].shadow.Predictions, took)
	}
	return nil
}

// keep keeps a batch for the next requests, if that is worth it.
func (s *shadow) keep(b batch) {
	if b.reset() {
		s.batch = b
	}
}

var errIncomparable = errors.New("the shadow's predictions are of another kind than the champion's")

// compare counts a request and how far two versions agree on it.
func (s *shadow) compare(champion, own []wire.Outcome, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.counts
	c.requests++
	now := time.Now()
	c.latency.countLocked(took, now)
	for i, a := range champion {
		b := own[i]
		if a.Class != b.Class {
			c.errors++
			c.last = errIncomparable.Error()
			return
		}
		c.rows++
		c.numbers = !a.Class
		if a.Class && a.Label == b.Label {
			c.agreed++
		}
		c.distance += math.Abs(float64(a.Value) - float64(b.Value))
	}
}

func (s *shadow) failed(err error) {
	if err == nil {
		return
	}
	e := wire.ErrorOf(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.requests++
	s.counts.errors++
	s.counts.last = strconv.Itoa(e.Status) + ":" + e.Message
}

// A ShadowStatus tells how a shadow does, since it or the champion became that.
type ShadowStatus struct {
	Version   uint64 `json:"version"`
	Requests  uint64 `json:"requests"` // copies computed
	Errors    uint64 `json:"errors"`
	LastError string `json:"last_error,omitempty"`
	Dropped   uint64 `json:"dropped"` // copies, as there was no time for them

	Rows       uint64   `json:"rows"`                               // compared with the champion's
	Agreement  *float64 `json:"agreement,omitempty"`                // share of rows with the champion's label
	Difference *float64 `json:"mean_absolute_difference,omitempty"` // from the champion's numbers

	Latency Latency `json:"latency_ms"` // of the batches that requests were in, without waiting
}

func (s *shadow) status(now time.Time) *ShadowStatus {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.counts
	status := &ShadowStatus{
		Version: s.version.number, Requests: c.requests, Errors: c.errors, LastError: c.last, Dropped: c.dropped,
		Rows: c.rows, Latency: c.latency.latencyLocked(now),
	}
	if c.rows == 0 {
		return status
	}
	if mean := c.distance / float64(c.rows); c.numbers {
		status.Difference = &mean
	} else {
		share := float64(c.agreed) / float64(c.rows)
		status.Agreement = &share
	}
	return status
}
