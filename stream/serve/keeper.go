package serve

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/modelbus/modelbus/stream/wire"
)

const (
	lookTimeout = 10 * time.Second // for a record
	loadTimeout = 5 * time.Minute  // for an artifact

	// versionsAge is for how long errors say which versions there were: anybody can ask
	// for some that are not there.
	versionsAge = time.Second

	firstRetry = 100 * time.Millisecond // of what failed, doubling
	lastRetry  = time.Minute
)

// A keeper follows the versions of one lane on a goroutine of its own, off the
// hot path, and looks up what requests ask for that is not loaded. The requests
// that wait for it are bounded in number and bytes.
type keeper struct {
	wake  chan struct{} // holds one wake-up
	limit int

	mu      sync.Mutex // guards all below
	dirty   bool       // aliases may have changed
	parked  map[string][]request
	waiting int // parked requests
	bytes   int
	stopped bool
	failure string // why aliases are not answered with what they name; empty if they are

	// Of the keeper's goroutine alone.
	versions string             // that the model has, for people
	listed   time.Time          // when that was looked up
	failed   map[uint64]failure // versions that could not be loaded
	looked   failure            // the last look at the aliases
	retry    time.Time          // when to follow again; zero if nothing failed
}

// failure is something that failed and when to try it again.
type failure struct {
	err   error
	pause time.Duration
	next  time.Time
}

// again returns the failure that follows f.
func (f failure) again(err error, now time.Time) failure {
	pause := min(max(2*f.pause, firstRetry), lastRetry)
	return failure{err: err, pause: pause, next: now.Add(pause)}
}

func newKeeper(limit int) keeper {
	return keeper{
		wake: make(chan struct{}, 1), limit: limit,
		dirty: true, parked: map[string][]request{}, failed: map[uint64]failure{},
	}
}

// refresh has the keeper look at the aliases again.
func (k *keeper) refresh() {
	k.mu.Lock()
	k.dirty = true
	k.mu.Unlock()
	k.rouse()
}

func (k *keeper) rouse() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *keeper) failing() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failure
}

// errKeeperEnded is returned by add when the lane serves no more.
var errKeeperEnded = fmt.Errorf("%w: this server stops serving it", wire.ErrUnavailable)

// park passes r on to the keeper, or to that of the lane's heir.
func (l *lane) park(r *request) {
	err := l.keeper.add(r)
	if errors.Is(err, errKeeperEnded) && l.bequeath(r) {
		return
	}
	if err != nil {
		l.fail(r, fmt.Errorf("model %q: %w", l.name, err))
	}
}

// bequeath passes r on to the lane's heir and reports whether it has one.
func (l *lane) bequeath(r *request) bool {
	heir := l.heir.Load()
	if heir != nil {
		heir.park(r)
	}
	return heir != nil
}

func (k *keeper) add(r *request) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.stopped:
		return errKeeperEnded
	case k.waiting == k.limit || k.waiting > 0 && k.bytes+r.size > queueBytes:
		return fmt.Errorf("%w: %d requests wait for versions to be loaded", wire.ErrOverloaded, k.waiting)
	}
	k.parked[r.target] = append(k.parked[r.target], *r)
	k.waiting++
	k.bytes += r.size
	r.done = true
	k.rouse()
	return nil
}

func (k *keeper) take() (parked map[string][]request, dirty bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	parked, dirty = k.parked, k.dirty
	k.parked, k.dirty = map[string][]request{}, false
	k.waiting, k.bytes = 0, 0
	return parked, dirty
}

// keep follows the versions until ctx is done, then passes on or answers what is
// parked.
func (l *lane) keep(ctx context.Context) {
	k := &l.keeper
	settle := sync.OnceFunc(func() { close(l.settled) })
	defer settle()
	k.rouse()
	for {
		var retry <-chan time.Time
		if !k.retry.IsZero() {
			retry = time.After(time.Until(k.retry))
		}
		select {
		case <-ctx.Done():
			l.refuse()
			return
		case <-k.wake:
		case <-retry:
		}
		parked, dirty := k.take()
		due := !k.retry.IsZero() && !time.Now().Before(k.retry)
		if dirty || due || asksAlias(parked) {
			l.follow(ctx)
			settle()
		}
		for name, requests := range parked {
			l.unpark(ctx, name, requests)
		}
	}
}

// asksAlias reports whether requests are parked for an alias.
func asksAlias(parked map[string][]request) bool {
	for name := range parked {
		if t, ok := parseTarget(name); ok && t.number == 0 {
			return true
		}
	}
	return false
}

// unpark looks up the target of parked requests and queues them for it.
func (l *lane) unpark(ctx context.Context, name string, requests []request) {
	v, err := l.demand(ctx, name)
	for i := range requests {
		r := &requests[i]
		if err != nil {
			if ctx.Err() == nil || !l.bequeath(r) {
				l.fail(r, err)
			}
			continue
		}
		r.by = v
		if err := l.queue.putBack(*r); err != nil {
			l.fail(r, l.refusal(err))
		}
	}
}

// refuse passes on or answers what is parked: the keeper ends.
func (l *lane) refuse() {
	k := &l.keeper
	k.mu.Lock()
	k.stopped = true
	k.mu.Unlock()
	parked, _ := k.take()
	for _, requests := range parked {
		for i := range requests {
			if r := &requests[i]; !l.bequeath(r) {
				l.fail(r, l.refusal(errQueueClosed))
			}
		}
	}
}

// refusal is the answer to a request that the queue did not take.
func (l *lane) refusal(err error) error {
	if errors.Is(err, errQueueFull) {
		waiting, _ := l.queue.depth()
		return fmt.Errorf("%w: model %q has %d requests waiting, which is its limit", wire.ErrOverloaded, l.name, waiting)
	}
	return fmt.Errorf("%w: this server stops serving model %q", wire.ErrUnavailable, l.name)
}
