package serve

import (
	"sync/atomic"
	"time"
)

const (
	// shortWork is what may be computed where requests arrive, on the goroutine
	// that all models share: about what it takes to wake a worker and to hand
	// requests over to it.
	shortWork = 100 * time.Microsecond

	// firstPace is what a request is taken to need before any was measured.
	firstPace = time.Millisecond

	// leastPace is below what any request takes.
	leastPace = 100 * time.Nanosecond

	// outlier is how many times as long as those before a request counts at most.
	outlier = 8
)

// A pace is how long the requests of a model take each, from recent batches: a
// moving average in which the last one counts a quarter.
type pace struct{ each atomic.Int64 }

func newPace() *pace {
	p := &pace{}
	p.forget()
	return p
}

// forget is for another version that answers from now on.
func (p *pace) forget() { p.each.Store(int64(firstPace)) }

// note takes a batch into account. One that took far longer than those before counts
// for less: its goroutine may have lost its processor. If the model has become slow,
// the next few batches say so.
func (p *pace) note(requests int, took time.Duration) {
	each := p.each.Load()
	sample := min(int64(took)/int64(requests), outlier*each+int64(leastPace))
	p.each.Store(each + (sample-each)/4)
}

// of returns how long that many requests will take.
func (p *pace) of(requests int) time.Duration {
	return time.Duration(int64(requests) * p.each.Load())
}
