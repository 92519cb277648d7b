package serve

import (
	"cmp"
	"strconv"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/modelbus/modelbus/stream/wire"
)

// The latencies that are told apart, with an error below 1 %. What takes
// longer counts as the longest.
const (
	shortest = time.Microsecond
	longest  = time.Minute
	digits   = 2

	// latencyWindow is how long a histogram is filled; two are read.
	latencyWindow = time.Minute
)

// stats counts what became of a model's requests.
type stats struct {
	mu         sync.Mutex // guards all below
	requests   uint64
	errors     uint64
	overloaded uint64
	late       uint64
	last       string
	time       time.Duration
	queued     time.Duration // part of time: before a worker took them
	computed   time.Duration // part of time: while the model ran
	batches    uint64
	batched    uint64 // requests in batches
	rows       uint64
	largest    int // rows of the largest batch
	since      time.Time
	now, past  *hdrhistogram.Histogram // microseconds
}

func newStats(now time.Time) *stats {
	return &stats{since: now, now: newHistogram(), past: newHistogram()}
}

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(shortest.Microseconds(), longest.Microseconds(), digits)
}

// A span is when a batch was taken and how long the model ran for it.
type span struct {
	taken time.Time
	model time.Duration
}

// answered counts a batch that was answered at now, by its requests' receipts.
func (s *stats) answered(received []time.Time, rows int, took span, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches++
	s.batched += uint64(len(received))
	s.rows += uint64(rows)
	s.largest = max(s.largest, rows)
	s.computed += time.Duration(len(received)) * took.model
	for _, at := range received {
		s.queued += took.taken.Sub(at)
		s.countLocked(now.Sub(at), now)
	}
}

// failed counts a request that was answered with an error, at now.
func (s *stats) failed(e *wire.Error, took time.Duration, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.countLocked(took, now)
	s.errors++
	s.last = strconv.Itoa(e.Status) + ":" + e.Message
	switch {
	case e.Is(wire.ErrOverloaded):
		s.overloaded++
	case e.Is(wire.ErrDeadlineExceeded):
		s.late++
	}
}

func (s *stats) countLocked(took time.Duration, now time.Time) {
	s.requests++
	s.time += took
	s.rotateLocked(now)
	us := min(max(took, shortest), longest).Microseconds()
	if err := s.now.RecordValue(us); err != nil {
		return // us is within the histogram's range: it cannot fail
	}
}

func (s *stats) rotateLocked(now time.Time) {
	switch age := now.Sub(s.since); {
	case age < latencyWindow:
		return
	case age < 2*latencyWindow:
		s.now, s.past = s.past, s.now
	default:
		s.past.Reset()
	}
	s.now.Reset()
	s.since = now
}

// Latency is how long requests took from receipt to answer, in milliseconds,
// over the last one to two minutes.
type Latency struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Times are parts of the time from receipt to answer, in nanoseconds, summed
// over all requests since the start; ADR-32's processing_time is the whole. The
// rest of it is decoding, encoding and sending. Each request counts the whole
// time of the batch it was in.
type Times struct {
	Queue   int64 `json:"queue"`   // until a worker took the request
	Compute int64 `json:"compute"` // while the model ran
}

// Batches tells what was computed together since the start.
type Batches struct {
	Count    uint64  `json:"count"`
	Requests float64 `json:"requests_mean"` // in a batch
	Rows     float64 `json:"rows_mean"`     // in a batch
	Largest  int     `json:"rows_max"`      // in a batch
}

// latencyLocked returns the latencies up to now.
func (s *stats) latencyLocked(now time.Time) Latency {
	s.rotateLocked(now)
	h := newHistogram()
	h.Merge(s.now)
	h.Merge(s.past)
	ms := func(us int64) float64 { return float64(us) / 1000 }
	return Latency{
		P50: ms(h.ValueAtQuantile(50)),
		P90: ms(h.ValueAtQuantile(90)),
		P99: ms(h.ValueAtQuantile(99)),
		Max: ms(h.Max()),
	}
}

func (s *stats) batchesLocked() Batches {
	n := float64(cmp.Or(s.batches, 1))
	return Batches{
		Count: s.batches, Requests: float64(s.batched) / n, Rows: float64(s.rows) / n, Largest: s.largest,
	}
}
