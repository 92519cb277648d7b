package learn

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"github.com/modelbus/modelbus/stream/wire"
)

// An online has one model learn each example as it comes, for as long as it has the
// model's lease. All that it knows follows from the versions and from the examples after
// the newest one, so that whoever comes later goes on with the same bits.
type online struct {
	*retrainer

	specDigest string

	once string // the wish that is all there is to do, else empty

	mu      sync.Mutex
	wishes  map[string]*wish  // not fulfilled yet, by id
	granted map[string]*grant // being carried out or done
	why     string            // a trigger that asks for a version
	awake   chan struct{}     // holds a value if one of these may have changed
}

// A wish is somebody's request to catch up and cut a version.
type wish struct {
	id    string
	req   wire.TrainRequest
	end   uint64 // sequence up to which it asks to learn; valid if known
	known bool
	reply func(*wire.Verdict, error)
}

// A grant is a wish that is being carried out, or what came of it: whoever asks again
// gets the same answer.
type grant struct {
	reply   func(*wire.Verdict, error) // nil: it is done
	verdict *wire.Verdict
	err     error
}

// mostGranted bounds the answers that are remembered.
const mostGranted = 64

func newOnline(r *retrainer, spec []byte) *online {
	sum := sha256.Sum256(spec)
	return &online{
		retrainer: r, specDigest: hex.EncodeToString(sum[:]),
		wishes: map[string]*wish{}, granted: map[string]*grant{}, awake: make(chan struct{}, 1),
	}
}

// run learns until ctx is done.
func (o *online) run(ctx context.Context) {
	said, rest := "", afterError
	for ctx.Err() == nil {
		began := time.Now()
		err := o.lead(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > afterFailure {
			said, rest = "", afterError
		}
		switch {
		case err == nil:
			continue
		case err.Error() != said:
			said = err.Error()
			o.log.Warn().Err(err).Msg("learning online is interrupted")
		}
		o.pause(ctx, rest)
		rest = min(2*rest, afterFailure)
	}
}

// lead waits for the lease and learns while it lasts.
func (o *online) lead(ctx context.Context) error {
	for {
		l, err := o.acquire(ctx, followKey(o.name))
		switch {
		case err != nil:
			return err
		case l != nil:
			return o.hold(ctx, l)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		o.pause(ctx, leaseRenew)
	}
}

// hold learns until ctx is done, the lease is lost, or something fails.
func (o *online) hold(ctx context.Context, l *lease) error {
	leased, stop := context.WithCancelCause(ctx)
	var keeping sync.WaitGroup
	keeping.Go(func() {
		if err := l.keep(leased); err != nil {
			stop(err)
		}
	})
	err := o.safely(func() error { return o.learn(leased) })
	if leased.Err() != nil && ctx.Err() == nil {
		err = context.Cause(leased)
	}
	stop(nil)
	keeping.Wait()
	if releasing := l.release(ctx); releasing != nil {
		o.log.Debug().Err(releasing).Msg("the lease was not given back: it runs out")
	}
	if errors.Is(err, errCaughtUp) {
		return nil
	}
	return err
}

// cut has a version be cut as soon as may be, if there are new examples: why says who
// asks. Any goroutine may call it.
func (o *online) cut(why string) {
	o.mu.Lock()
	o.why = why
	o.mu.Unlock()
	o.rouse()
}

// ask adds a wish. One of the same id is asked for again: its answer goes to both.
func (o *online) ask(w *wish) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if past, ok := o.granted[w.id]; ok {
		if past.reply != nil { // it is being carried out
			past.reply = both(past.reply, w.reply)
		} else {
			w.reply(past.verdict, past.err)
		}
		return
	}
	if old := o.wishes[w.id]; old != nil {
		old.reply = both(old.reply, w.reply)
		return
	}
	o.wishes[w.id] = w
	o.rouse()
}

func both(first, second func(*wire.Verdict, error)) func(*wire.Verdict, error) {
	return func(v *wire.Verdict, err error) {
		first(v, err)
		second(v, err)
	}
}

// grant notes that a wish is being carried out.
func (o *online) grant(w *wish) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.grantLocked(w)
}

func (o *online) grantLocked(w *wish) *grant {
	delete(o.wishes, w.id)
	if g := o.granted[w.id]; g != nil {
		return g
	}
	if len(o.granted) >= mostGranted {
		for id, g := range o.granted {
			if g.reply == nil {
				delete(o.granted, id)
			}
		}
	}
	g := &grant{reply: w.reply}
	o.granted[w.id] = g
	return g
}

// answer tells who made the wish what came of it.
func (o *online) answer(w *wish, v *wire.Verdict, err error) {
	o.mu.Lock()
	g := o.grantLocked(w)
	reply := g.reply
	g.reply, g.verdict, g.err = nil, v, err
	o.mu.Unlock()
	if reply != nil {
		reply(v, err)
	}
}

// forgo forgets that a wish is being carried out, as it is not: who made it asks again.
func (o *online) forgo(w *wish) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if g := o.granted[w.id]; g != nil && g.reply != nil {
		delete(o.granted, w.id)
	}
}

// shorten has wishes end at seq that wait for messages that are gone: next is the first
// one after seq that is not, 0 if there is none.
func (o *online) shorten(seq, next uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, w := range o.wishes {
		if w.known && w.end > seq && (next == 0 || next > w.end) {
			w.end = seq
		}
	}
}

func (o *online) rouse() {
	select {
	case o.awake <- struct{}{}:
	default:
	}
}

// wanted returns a wish whose end is not known if unknown, else one that ends at seq at
// the latest; nil if there is none.
func (o *online) wanted(unknown bool, seq uint64) *wish {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, w := range o.wishes {
		if unknown && !w.known || !unknown && w.known && w.end <= seq {
			return w
		}
	}
	return nil
}

// waited reports whether there is any wish.
func (o *online) waited() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.wishes) > 0
}

// trigger returns why a trigger asks for a version, if one does; taken, it asks no more.
func (o *online) trigger(take bool) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	why := o.why
	if take {
		o.why = ""
	}
	return why
}
