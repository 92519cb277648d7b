package registry

import (
	"context"
	"fmt"
	"strconv"

	"github.com/nats-io/nuid"
)

// A ledger is what a model's decisions are numbered by: the record under
// number.<name>. Every batch about a model writes it with compare-and-set, so
// decisions about one model happen one after the other, each on what the one
// before left. It outlives the model: a number is never given twice.
type ledger struct {
	Version uint64            `json:"version"`         // last version number given
	Moves   map[string]uint64 `json:"moves,omitempty"` // last move number given, by alias
	Change  uint64            `json:"change"`          // count of decisions
	Writer  string            `json:"writer"`          // nonce by which a writer knows its own
	After   uint64            `json:"after"`           // revision this one replaced
}

// readLedger returns a model's ledger and its revision, zeros if there is none.
func (r *Registry) readLedger(ctx context.Context, model string) (ledger, uint64, error) {
	e, err := r.read(ctx, ledgerKey(model))
	if err != nil || e.seq == 0 || e.gone() {
		return ledger{}, e.seq, err
	}
	l, err := decode[ledger](ledgerKey(model), e.data)
	return l, e.seq, err
}

// A put is one write of a batch: it is refused unless the last message of its
// key has sequence after.
type put struct {
	key    string
	data   []byte
	after  uint64
	remove bool
}

// An attempt is a batch whose fate is not known.
type attempt[T any] struct {
	nonce  string
	result T
}

// A choice decides on what l and its own reads through the leader say. It
// changes l and returns what to write with it; no writes mean that nothing is
// to be done.
type choice[T any] func(ctx context.Context, l *ledger) (T, []put, error)

// decide makes one decision about a model: it reads, lets fn choose, and writes
// what fn chose in one atomic batch, again and again until a batch is in whole or fn
// returns an error. The sequence it returns is that of the ledger; those of
// the writes follow in order.
//
// A commit that answered an error may be in, now or later. But since at most
// one batch can follow a revision of the ledger, the ledger's next message
// tells whose it was.
func decide[T any](ctx context.Context, r *Registry, model string, fn choice[T]) (T, uint64, error) {
	var (
		none    T
		open    []attempt[T] // all on base
		base    uint64
		writer  = nuid.Next()
		pace    = newPacer()
		settled = func() (T, uint64, bool, error) { return settledBy(ctx, r, model, base, open) }
	)
	for {
		l, rev, err := r.readLedger(ctx, model)
		if err != nil {
			return none, 0, doubt(err, open)
		}
		if rev < base { // a new leader that has not caught up
			if err := pace.pause(ctx, fmt.Errorf("%s went back from revision %d to %d", ledgerKey(model), base, rev)); err != nil {
				return none, 0, doubt(err, open)
			}
			continue
		}
		if rev > base {
			if result, seq, ok, err := settled(); ok || err != nil {
				return result, seq, err
			}
			base, open = rev, nil
		}
		result, puts, err := fn(ctx, &l)
		if err != nil || len(puts) == 0 {
			if mine, seq, ok, lookup := settled(); ok || lookup != nil {
				return mine, seq, lookup
			}
			return result, 0, doubt(err, open)
		}
		nonce := writer + "-" + strconv.Itoa(pace.tries)
		first, err := l.seal(model, rev, nonce)
		if err != nil {
			return none, 0, err
		}
		seq, sent, err := r.commit(ctx, pace, append([]put{first}, puts...))
		if err == nil {
			return result, seq, nil
		}
		if sent {
			open = append(open, attempt[T]{nonce: nonce, result: result})
		}
		if !transient(err) && !conflict(err) {
			return none, 0, doubt(err, open)
		}
		if err := pace.pause(ctx, err); err != nil {
			return none, 0, doubt(err, open)
		}
	}
}

// seal returns the write of the ledger that replaces revision rev.
func (l ledger) seal(model string, rev uint64, nonce string) (put, error) {
	l.Change++
	l.Writer, l.After = nonce, rev
	return record(ledgerKey(model), l, rev)
}

// settledBy looks for the message that followed revision base of the ledger. It reports
// whether that was one of open, and returns its result.
func settledBy[T any](ctx context.Context, r *Registry, model string, base uint64, open []attempt[T]) (T, uint64, bool, error) {
	var none T
	if len(open) == 0 {
		return none, 0, false, nil
	}
	key := ledgerKey(model)
	e, err := r.next(ctx, r.kvStream(), r.subject(key), base+1)
	if err != nil {
		return none, 0, false, doubt(err, open)
	}
	if e.seq == 0 || e.gone() {
		return none, 0, false, nil
	}
	l, err := decode[ledger](key, e.data)
	if err != nil {
		return none, 0, false, doubt(err, open)
	}
	if l.After != base {
		return none, 0, false, doubt(fmt.Errorf("%w: %s was changed more than %d times meanwhile", ErrConflict, model, history), open)
	}
	for _, a := range open {
		if a.nonce == l.Writer {
			return a.result, e.seq, true, nil
		}
	}
	return none, 0, false, nil
}

// doubt says of an error that ends a decision whether the decision may be in
// nevertheless.
func doubt[T any](err error, open []attempt[T]) error {
	if err == nil || len(open) == 0 {
		return err
	}
	return fmt.Errorf("it is not known whether the change was made: %w", err)
}
