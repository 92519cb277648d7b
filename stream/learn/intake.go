package learn

import (
	"context"
	"sync"
)

// mostQueued is how many messages an intake holds, if their payloads are no more than
// half of prefetch together.
const mostQueued = 128

// An intake is the queue between the goroutine that reads and decodes messages and the one
// that learns them. The latter takes all there are at once, so that neither takes the lock
// often nor wakes the other for each message: one that waits for room wakes when there is
// room for many.
type intake struct {
	arrived chan struct{} // holds a value if there may be messages
	room    chan struct{} // holds a value if there may be room

	mu     sync.Mutex // guards what follows
	queued []*delivery
	bytes  int         // of their payloads
	lent   []*delivery // taken
	spare  []*delivery // learned, their memory to be used again
}

func newIntake() *intake {
	return &intake{arrived: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// put adds a message when there is room.
func (q *intake) put(ctx context.Context, d *delivery) error {
	size := len(d.msg.Data())
	for !q.add(d, size) {
		select {
		case <-q.room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (q *intake) add(d *delivery, size int) bool {
	q.mu.Lock()
	n := len(q.queued)
	fits := n == 0 || n < mostQueued && q.bytes+size <= prefetch/2
	if fits {
		q.queued = append(q.queued, d)
		q.bytes += size
	}
	q.mu.Unlock()
	if n == 0 {
		signal(q.arrived)
	}
	return fits
}

// take returns the messages that are there, in order, until the next call. Those given are
// decoded into anew.
func (q *intake) take(learned []*delivery) []*delivery {
	q.mu.Lock()
	q.spare = append(q.spare, learned...)
	clear(q.lent)
	q.queued, q.lent, q.bytes = q.lent[:0], q.queued, 0
	got := q.lent
	q.mu.Unlock()
	if len(got) > 0 {
		signal(q.room)
	}
	return got
}

// empty reports whether no message is there.
func (q *intake) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.queued) == 0
}

// blank returns a delivery to decode into.
func (q *intake) blank() *delivery {
	q.mu.Lock()
	defer q.mu.Unlock()
	last := len(q.spare) - 1
	if last < 0 {
		return &delivery{}
	}
	d := q.spare[last]
	q.spare = q.spare[:last]
	return d
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
