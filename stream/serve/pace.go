package serve

import (
	"sync/atomic"
	"time"
)

const (
	// shortWork is what may be computed where requests arrive, on the goroutine
	// that all models share: about what it takes to wake a worker and to hand
	// requests over to it.
	shortWork = 50 * time.Microsecond

	// firstPace is what a request is taken to need before any was measured.
	firstPace = time.Millisecond
)

// A pace is how long the requests of a model take each, from recent batches: a
// moving average in which the last one counts a quarter.
type pace struct{ each atomic.Int64 }

func newPace() *pace {
	p := &pace{}
	p.each.Store(int64(firstPace))
	return p
}

// note takes a batch into account.
func (p *pace) note(requests int, took time.Duration) {
	each := p.each.Load()
	// A batch whose goroutine lost its processor says little.
	sample := min(int64(took)/int64(requests), int64(firstPace))
	p.each.Store(each + (sample-each)/4)
}

// of returns how long that many requests will take.
func (p *pace) of(requests int) time.Duration {
	return time.Duration(int64(requests) * p.each.Load())
}
