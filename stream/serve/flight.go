package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A flight is messages on their way to a stream, at most so many, until they are
// acknowledged. It keeps nothing of them but what counts them: for a stream of many
// small messages that may be lost, the stock publisher takes longer than the stream. One
// goroutine sends; acknowledgements come on another one.
type flight struct {
	nc     *nats.Conn
	sub    *nats.Subscription
	inbox  string                 // of acknowledgements, but for the number
	settle func(*captures, error) // told once of each message that was sent
	landed chan struct{}          // holds one wake-up for who waits for a place

	mu   sync.Mutex // guards all below
	ring []awaited  // by number
	next uint64     // number
	last uint64     // the oldest that is awaited, or next
	full bool       // somebody waits for a place
}

// awaited is a message without an acknowledgement; counts is nil once it has come.
type awaited struct {
	counts *captures
	due    time.Time
}

func newFlight(nc *nats.Conn, window int, settle func(*captures, error)) (*flight, error) {
	f := &flight{
		nc: nc, inbox: nc.NewInbox() + ".", settle: settle,
		landed: make(chan struct{}, 1), ring: make([]awaited, window),
	}
	var err error
	if f.sub, err = nc.Subscribe(f.inbox+"*", f.land); err != nil {
		return nil, fmt.Errorf("subscribing to acknowledgements: %w", err)
	}
	return f, f.sub.SetPendingLimits(-1, -1) // there are no more of them than messages
}

// send sends m, whose reply subject it sets, when there is a place. It keeps nothing of m.
func (f *flight) send(ctx context.Context, m *nats.Msg, counts *captures) error {
	number, err := f.board(ctx, counts)
	if err != nil {
		return err
	}
	var text [24]byte
	m.Reply = f.inbox + string(strconv.AppendUint(text[:0], number, 10))
	if err := f.nc.PublishMsg(m); err != nil {
		f.leave(number)
		return err
	}
	return nil
}

// board waits for a place and returns its number.
func (f *flight) board(ctx context.Context, counts *captures) (uint64, error) {
	now := time.Now()
	for {
		f.mu.Lock()
		oldest := &f.ring[f.last%uint64(len(f.ring))]
		if f.next-f.last < uint64(len(f.ring)) {
			number := f.next
			f.next++
			f.ring[number%uint64(len(f.ring))] = awaited{counts: counts, due: now.Add(ackTimeout)}
			f.mu.Unlock()
			return number, nil
		}
		f.full = true
		due := oldest.due
		f.mu.Unlock()
		if err := f.wait(ctx, due); err != nil {
			return 0, err
		}
		now = time.Now()
	}
}

// wait waits until an acknowledgement has come, or the next one is overdue.
func (f *flight) wait(ctx context.Context, due time.Time) error {
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-f.landed:
	case now := <-timer.C:
		f.expire(now)
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// leave gives back a place and returns what counts its message, nil if it is not awaited.
func (f *flight) leave(number uint64) *captures {
	f.mu.Lock()
	defer f.mu.Unlock()
	if number < f.last || number >= f.next {
		return nil
	}
	counts := f.ring[number%uint64(len(f.ring))].counts
	f.ring[number%uint64(len(f.ring))].counts = nil
	for f.last < f.next && f.ring[f.last%uint64(len(f.ring))].counts == nil {
		f.last++
	}
	if f.full && f.next-f.last < uint64(len(f.ring)) {
		f.full = false
		select {
		case f.landed <- struct{}{}:
		default:
		}
	}
	return counts
}

// land takes an acknowledgement.
func (f *flight) land(m *nats.Msg) {
	number, err := strconv.ParseUint(m.Subject[len(f.inbox):], 10, 64)
	if err != nil {
		return // not of ours
	}
	if counts := f.leave(number); counts != nil {
		f.settle(counts, acknowledged(m))
	}
}

// expire gives up messages whose acknowledgements are overdue.
func (f *flight) expire(now time.Time) {
	for {
		f.mu.Lock()
		number := f.last
		overdue := number < f.next && now.After(f.ring[number%uint64(len(f.ring))].due)
		f.mu.Unlock()
		if !overdue {
			return
		}
		if counts := f.leave(number); counts != nil {
			f.settle(counts, fmt.Errorf("no acknowledgement within %v: %w", ackTimeout, nats.ErrTimeout))
		}
	}
}

// drain waits until all that was sent is settled. When ctx is done the rest is given up.
func (f *flight) drain(ctx context.Context) {
	for {
		f.mu.Lock()
		number, empty := f.last, f.last == f.next
		due := f.ring[number%uint64(len(f.ring))].due
		f.full = true
		f.mu.Unlock()
		if empty {
			return
		}
		if err := f.wait(ctx, due); err != nil {
			if counts := f.leave(number); counts != nil {
				f.settle(counts, err)
			}
		}
	}
}

// close leaves nothing on the connection.
func (f *flight) close() {
	if err := f.sub.Unsubscribe(); err != nil {
		return // the connection is closed, and took it along
	}
}

// acknowledged reads an acknowledgement: nil if the message is stored.
func acknowledged(m *nats.Msg) error {
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return jetstream.ErrNoStreamResponse
	}
	if bytes.Contains(m.Data, []byte(`"seq":`)) && !bytes.Contains(m.Data, []byte(`"error"`)) {
		return nil
	}
	var ack struct {
		Stream string              `json:"stream"`
		Error  *jetstream.APIError `json:"error"`
	}
	switch err := json.Unmarshal(m.Data, &ack); {
	case err != nil:
		return fmt.Errorf("reading an acknowledgement: %w", err)
	case ack.Error != nil:
		return ack.Error
	case ack.Stream == "":
		return errors.New("reading an acknowledgement: it names no stream")
	}
	return nil
}
