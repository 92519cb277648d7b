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
	Version uint64            `json:"version"`          // last version number given
	Moves   map[string]uint64 `json:"moves,omitempty"`  // last move number given, by alias
	Online  uint64            `json:"online,omitempty"` // last version of an online chain
	Change  uint64            `json:"change"`           // count of decisions
	Writer  string            `json:"writer"`           // nonce by which a writer knows its own
	After   uint64            `json:"after"`            // revision this one replaced
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

// An outcome is what a decision came to: what was chosen, and the sequence of
// the ledger that went with it, which those of the writes follow in order. The
// sequence is 0 if nothing was to be done.
type outcome[T any] struct {
	result T
	seq    uint64
}

// A choice decides on what l and its own reads through the leader say. It
// changes l and returns what to write with it; no writes mean that nothing is
// to be done.
type choice[T any] func(ctx context.Context, l *ledger) (T, []put, error)

// decide makes one decision about a model: it reads, lets fn choose, and writes
// what fn chose in one atomic batch, again and again until a batch is in whole or
// fn returns an error.
//
// A commit that answered an error may be in, now or later. But since at most
// one batch can follow a revision of the ledger, the ledger's next message
// tells whose it was.
func decide[T any](ctx context.Context, r *Registry, model string, fn choice[T]) (outcome[T], error) {
	d := decision[T]{r: r, model: model, writer: nuid.Next(), pace: newPacer()}
	for {
		out, again, err := d.step(ctx, fn)
		if again != nil {
			if err = d.pace.pause(ctx, again); err == nil {
				continue
			}
		}
		if err != nil && len(d.open) > 0 {
			err = fmt.Errorf("it is not known whether the change was made: %w", err)
		}
		return out, err
	}
}

// A decision is one that is being made.
type decision[T any] struct {
	r      *Registry
	model  string
	writer string // nonce of the decision; each attempt's adds its number
	pace   *pacer

	base uint64       // revision of the ledger that the open attempts follow
	open map[string]T // what was chosen, by nonce, in attempts whose fate is not known
}

// step reads, chooses and commits once. It returns what it came to, the reason
// to do it again, or the error that ends it.
func (d *decision[T]) step(ctx context.Context, fn choice[T]) (out outcome[T], again, err error) {
	l, rev, err := d.r.readLedger(ctx, d.model)
	if err != nil {
		return out, nil, err
	}
	if rev < d.base { // a new leader that has not caught up
		return out, fmt.Errorf("%s went back from revision %d to %d", ledgerKey(d.model), d.base, rev), nil
	}
	if rev > d.base {
		if out, mine, err := d.lookup(ctx); mine || err != nil {
			return out, nil, err
		}
		d.base = rev
		clear(d.open)
	}
	result, puts, err := fn(ctx, &l)
	if err != nil || len(puts) == 0 {
		// An attempt that came in after all may be what fn stumbled over.
		if out, mine, lookup := d.lookup(ctx); mine || lookup != nil {
			return out, nil, lookup
		}
		return outcome[T]{result: result}, nil, err
	}
	nonce := d.writer + "-" + strconv.Itoa(d.pace.tries)
	first, err := l.seal(d.model, rev, nonce)
	if err != nil {
		return out, nil, err
	}
	seq, sent, err := d.r.commit(ctx, d.pace, append([]put{first}, puts...))
	if err == nil {
		clear(d.open)
		return outcome[T]{result: result, seq: seq}, nil, nil
	}
	if sent {
		if d.open == nil {
			d.open = map[string]T{}
		}
		d.open[nonce] = result
	}
	if transient(err) || Refused(err) {
		return out, err, nil
	}
	return out, nil, err
}

// lookup finds the message that followed revision base of the ledger. It
// reports whether that was an open attempt's, and what that came to.
func (d *decision[T]) lookup(ctx context.Context) (out outcome[T], mine bool, err error) {
	if len(d.open) == 0 {
		return out, false, nil
	}
	key := ledgerKey(d.model)
	e, err := d.r.next(ctx, d.r.kvStream(), d.r.subject(key), d.base+1)
	if err != nil || e.seq == 0 || e.gone() {
		return out, false, err
	}
	l, err := decode[ledger](key, e.data)
	if err != nil {
		return out, false, err
	}
	if l.After != d.base {
		return out, false, fmt.Errorf("%w: %s was changed more than %d times meanwhile", ErrConflict, d.model, history)
	}
	result, mine := d.open[l.Writer]
	if mine {
		clear(d.open)
	}
	return outcome[T]{result: result, seq: e.seq}, mine, nil
}

// seal returns the write of the ledger that replaces revision rev.
func (l ledger) seal(model string, rev uint64, nonce string) (put, error) {
	l.Change++
	l.Writer, l.After = nonce, rev
	return record(ledgerKey(model), l, rev)
}
