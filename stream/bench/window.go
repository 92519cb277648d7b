package bench

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/stream/wire"
)

// The latencies that are told apart, with an error below 0.1 %. What takes
// longer counts as the longest.
const (
	shortest = 50 * time.Nanosecond
	longest  = 2 * time.Minute
	digits   = 3
)

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(shortest.Nanoseconds(), longest.Nanoseconds(), digits)
}

func record(h *hdrhistogram.Histogram, d time.Duration) {
	// It is within the histogram's range: recording cannot fail.
	_ = h.RecordValue(min(max(d, shortest), longest).Nanoseconds()) //nolint:errcheck // see above
}

// A window is what was measured of one side for a while.
type window struct {
	took    *hdrhistogram.Histogram // nanoseconds, of requests that were answered well
	lag     *hdrhistogram.Histogram // open loop: nanoseconds, from due to sent
	errors  map[string]uint64       // by code
	last    error
	unsent  uint64
	elapsed time.Duration // to the last answer
}

func newWindow() *window {
	return &window{took: newHistogram(), errors: map[string]uint64{}}
}

// answered is how many requests were answered well.
func (w *window) answered() int64 { return w.took.TotalCount() }

// throughput is requests answered well a second.
func (w *window) throughput() float64 {
	return float64(w.answered()) / max(w.elapsed.Seconds(), 1e-9)
}

// median is the median latency in nanoseconds.
func (w *window) median() float64 { return float64(w.took.ValueAtQuantile(50)) }

// merge adds o to w.
func (w *window) merge(o *window) {
	w.took.Merge(o.took)
	if o.lag != nil {
		if w.lag == nil {
			w.lag = newHistogram()
		}
		w.lag.Merge(o.lag)
	}
	for code, n := range o.errors {
		w.errors[code] += n
	}
	if o.last != nil {
		w.last = o.last
	}
	w.unsent += o.unsent
	w.elapsed += o.elapsed
}

// The windows that must agree, and how closely.
const (
	stableWindows = 3
	tolerance     = 0.1
)

// stable reports whether the throughput and the median latency of the last
// windows are each within the tolerance of their mean.
func stable(windows []*window) bool {
	if len(windows) < stableWindows {
		return false
	}
	last := windows[len(windows)-stableWindows:]
	return level(last, (*window).throughput) && level(last, (*window).median)
}

func level(windows []*window, value func(*window) float64) bool {
	mean := 0.0
	for _, w := range windows {
		mean += value(w) / float64(len(windows))
	}
	return mean > 0 && !slices.ContainsFunc(windows, func(w *window) bool { return math.Abs(value(w)-mean) > tolerance*mean })
}

// middle returns the median of a value over windows.
func middle(windows []*window, value func(*window) float64) float64 {
	if len(windows) == 0 {
		return 0
	}
	values := make([]float64, len(windows))
	for i, w := range windows {
		values[i] = value(w)
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// A recorder collects what several callers measure.
type recorder struct {
	mu     sync.Mutex // guards window
	window *window
}

// A tally is one caller's part of a recorder, which it locks only now and then.
type tally struct {
	to     *recorder
	took   []time.Duration
	lag    []time.Duration
	errors map[string]uint64
	last   error
}

const tallied = 512

func (r *recorder) tally() *tally {
	return &tally{to: r, took: make([]time.Duration, 0, tallied), errors: map[string]uint64{}}
}

// add counts a request.
func (t *tally) add(took time.Duration, err error) {
	if err != nil {
		t.errors[codeOf(err)]++
		t.last = err
		return
	}
	if t.took = append(t.took, took); len(t.took) == tallied {
		t.flush()
	}
}

// late counts how much later than due a request was sent.
func (t *tally) late(by time.Duration) {
	if t.lag = append(t.lag, by); len(t.lag) == tallied {
		t.flush()
	}
}

func (t *tally) flush() {
	t.to.mu.Lock()
	defer t.to.mu.Unlock()
	w := t.to.window
	for _, d := range t.took {
		record(w.took, d)
	}
	if len(t.lag) > 0 && w.lag == nil {
		w.lag = newHistogram()
	}
	for _, d := range t.lag {
		record(w.lag, d)
	}
	for code, n := range t.errors {
		w.errors[code] += n
	}
	if t.last != nil {
		w.last = t.last
	}
	t.took, t.lag = t.took[:0], t.lag[:0]
	clear(t.errors)
}

// The codes of errors that are not a server's answer.
const (
	codeTimeout      = "timeout"
	codeNoResponders = "no_responders"
	codeConnection   = "connection"
)

func codeOf(err error) string {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e.Code
	}
	switch {
	case errors.Is(err, nats.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return codeTimeout
	case errors.Is(err, nats.ErrNoResponders):
		return codeNoResponders
	}
	return codeConnection
}
