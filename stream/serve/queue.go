package serve

import (
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/stream/wire"
)

// A request is a received prediction request. It has one owner at a time, who
// answers it or passes it on.
type request struct {
	msg    *nats.Msg
	target string    // version or alias; empty: the champion
	at     time.Time // of receipt
	size   int       // of msg with subject and headers
	by     *version  // who answers, if that was settled before the request was queued
	done   bool      // answered or passed on
}

func newRequest(m *nats.Msg, at time.Time) request {
	return request{msg: m, at: at, size: m.Size()}
}

// unobserved reports whether r is to be answered and no more: its caller says that it is
// no traffic of the kind that the model is for.
func (r *request) unobserved() bool {
	h := r.msg.Header
	if len(h) == 0 {
		return false
	}
	v := h[wire.HeaderObserve]
	return len(v) > 0 && v[0] == wire.ObserveOff
}

var (
	errQueueFull   = errors.New("queue is full")
	errQueueClosed = errors.New("queue is closed")
)

const (
	// queueBytes bounds the requests that wait for one model, beside their number.
	queueBytes = 64 << 20

	// shareBytes bounds the bytes that a worker takes at once, so that large
	// requests are spread over the workers.
	shareBytes = 64 << 10

	// shareWork is how much must wait to be spread over the workers, and to wake
	// another one while one computes: a network takes far less time for a row
	// in a batch than for a row alone.
	shareWork = 5 * shortWork
)

// A queue holds the requests that wait for one model, bounded in number and
// bytes: what does not fit is refused at once. A single request is taken
// whatever its size. Requests that waited for a version to be loaded have as
// many places of their own.
type queue struct {
	filled *sync.Cond

	mu     sync.Mutex // guards all below
	limit  int
	ring   []request // grows up to twice the limit
	head   int
	n      int
	bytes  int
	idle   int  // workers in await
	busy   int  // workers that compute
	waking bool // one of them was told and has not looked yet
	closed bool
}

// firstRing is how many requests a queue has room for before it grows.
const firstRing = 16

func newQueue(limit int) *queue {
	q := &queue{limit: limit}
	q.filled = sync.NewCond(&q.mu)
	return q
}

// put adds r, or returns errQueueFull or errQueueClosed. No worker is told: see wake.
func (q *queue) put(r request) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n >= q.limit || q.n > 0 && q.bytes+r.size > queueBytes {
		if q.closed {
			return errQueueClosed
		}
		return errQueueFull
	}
	return q.addLocked(r)
}

// putBack adds r, which was taken before, even if new requests are refused.
func (q *queue) putBack(r request) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	err := q.addLocked(r)
	q.wakeLocked(true)
	return err
}

func (q *queue) addLocked(r request) error {
	switch {
	case q.closed:
		return errQueueClosed
	case q.n >= 2*q.limit:
		return errQueueFull
	case q.n == len(q.ring):
		q.growLocked()
	}
	at := q.head + q.n
	if at >= len(q.ring) {
		at -= len(q.ring)
	}
	q.ring[at] = r
	q.n++
	q.bytes += r.size
	return nil
}

func (q *queue) growLocked() {
	larger := make([]request, max(firstRing, 2*len(q.ring)))
	n := copy(larger, q.ring[q.head:])
	copy(larger[n:], q.ring[:q.head])
	q.ring, q.head = larger, 0
}

// wake tells an idle worker that requests wait, unless one was told already or,
// if they are not much, one is busy and takes them next.
func (q *queue) wake(much bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.wakeLocked(much)
}

func (q *queue) wakeLocked(much bool) {
	if q.n > 0 && q.idle > 0 && !q.waking && (much || q.busy == 0) {
		q.waking = true
		q.filled.Signal()
	}
}

// await waits for requests. It reports false when the queue is closed and empty.
func (q *queue) await() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.n == 0 && !q.closed {
		q.idle++
		q.filled.Wait()
		q.idle--
		q.waking = false
	}
	return q.n > 0
}

// take appends to dst requests that wait, oldest first and at most limit: all, or
// where idle workers share them, this worker's part. If another has to take the
// rest, it is told.
func (q *queue) take(dst []request, limit int, share bool) []request {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.n
	if share {
		n = (q.n + q.idle) / (1 + q.idle) // rounded up
	}
	n = min(n, limit)
	for bytes := 0; n > 0 && (!share || bytes < shareBytes); n-- {
		r := &q.ring[q.head]
		bytes += r.size
		q.bytes -= r.size
		dst = append(dst, *r)
		*r = request{}
		q.n--
		if q.head++; q.head == len(q.ring) {
			q.head = 0
		}
	}
	q.busy++
	q.wakeLocked(share)
	return dst
}

// done says that what was taken is answered.
func (q *queue) done() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.busy--
	q.wakeLocked(false)
}

// bound changes how many requests may wait.
func (q *queue) bound(limit int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.limit = limit
}

// close refuses what comes and lets the workers finish what is there.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.filled.Broadcast()
}

// depth returns how many requests wait and how many may.
func (q *queue) depth() (waiting, limit int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n, q.limit
}

// waiting returns how many requests wait and how many bytes they have.
func (q *queue) waiting() (requests, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n, q.bytes
}
