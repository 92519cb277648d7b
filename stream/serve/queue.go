package serve

import (
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// A request is a received prediction request. It has one owner at a time, who
// answers it or passes it on.
type request struct {
	msg    *nats.Msg
	target string    // version or alias; empty: the champion
	at     time.Time // of receipt
	by     *version  // who answers, if that was settled before the request was queued
	done   bool      // answered or passed on
}

var (
	errQueueFull   = errors.New("queue is full")
	errQueueClosed = errors.New("queue is closed")
)

const (
	// queueBytes bounds the payloads that wait for one model, beside their number.
	queueBytes = 64 << 20

	// shareBytes bounds the payloads that a worker takes at once, so that large
	// requests are spread over the workers.
	shareBytes = 64 << 10
)

// A queue holds the requests that wait for one model, bounded in number and
// bytes: what does not fit is refused at once. A single request is taken
// whatever its size. Requests that waited for a version to be loaded have as
// many places of their own.
type queue struct {
	filled *sync.Cond
	limit  int

	mu     sync.Mutex // guards all below
	ring   []request
	head   int
	n      int
	bytes  int
	idle   int // workers in take that wait
	closed bool
}

func newQueue(limit int) *queue {
	q := &queue{limit: limit, ring: make([]request, 2*limit)}
	q.filled = sync.NewCond(&q.mu)
	return q
}

// put adds r, or returns errQueueFull or errQueueClosed.
func (q *queue) put(r request) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n >= q.limit || q.n > 0 && q.bytes+len(r.msg.Data) > queueBytes {
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
	return q.addLocked(r)
}

func (q *queue) addLocked(r request) error {
	switch {
	case q.closed:
		return errQueueClosed
	case q.n == len(q.ring):
		return errQueueFull
	}
	at := q.head + q.n
	if at >= len(q.ring) {
		at -= len(q.ring)
	}
	q.ring[at] = r
	q.n++
	q.bytes += len(r.msg.Data)
	if q.idle > 0 {
		q.filled.Signal()
	}
	return nil
}

// take waits for requests and appends to dst this worker's share of those that
// wait, oldest first and at most limit. It appends nothing when the queue is
// closed and empty.
func (q *queue) take(dst []request, limit int) []request {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.n == 0 && !q.closed {
		q.idle++
		q.filled.Wait()
		q.idle--
	}
	share := min((q.n+q.idle)/(1+q.idle), limit) // rounded up
	for bytes := 0; share > 0 && bytes < shareBytes; share-- {
		r := &q.ring[q.head]
		bytes += len(r.msg.Data)
		dst = append(dst, *r)
		*r = request{}
		q.n--
		if q.head++; q.head == len(q.ring) {
			q.head = 0
		}
		q.bytes -= len(dst[len(dst)-1].msg.Data)
	}
	return dst
}

// close refuses what comes and lets the workers finish what is there.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.filled.Broadcast()
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n
}
