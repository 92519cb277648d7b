package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// Promoted is the data of an event of [KindPromoted]: the move and, where a
// trainer decided, why.
type Promoted struct {
	Move

	// Verdict is the data of the verdict that [Registry.Publish] was given.
	Verdict json.RawMessage `json:"verdict,omitempty"`
}

// Aliases returns the last move of each alias of a model, by alias.
func (r *Registry) Aliases(ctx context.Context, model string) (map[string]Move, error) {
	if _, err := r.Model(ctx, model); err != nil {
		return nil, err
	}
	entries, err := r.list(ctx, aliasKey(model, "*"))
	if err != nil {
		return nil, err
	}
	moves := make(map[string]Move, len(entries))
	for _, e := range entries {
		m, err := decode[Move](r.key(e.subject), e.data)
		if err != nil {
			return nil, err
		}
		if m.To != 0 {
			moves[tail(e.subject)] = m
		}
	}
	return moves, nil
}

// History returns the kept moves of an alias, oldest first (the last 64).
// Those from before the model was deleted are not among them.
func (r *Registry) History(ctx context.Context, model, alias string) ([]Move, error) {
	if err := cmp.Or(CheckModel(model), CheckAlias(alias)); err != nil {
		return nil, err
	}
	moves, err := r.moves(ctx, model, alias)
	if err != nil {
		return nil, err
	}
	if len(moves) == 0 {
		return nil, r.missing(ctx, model, "alias "+alias)
	}
	return moves, nil
}

// Moves returns the kept moves of all aliases of a model, of those that were removed too,
// oldest first (the last 64 of each).
func (r *Registry) Moves(ctx context.Context, model string) ([]Move, error) {
	if _, err := r.Model(ctx, model); err != nil {
		return nil, err
	}
	keys, err := r.keys(ctx, aliasKey(model, "*"))
	if err != nil {
		return nil, err
	}
	var all []Move
	for _, key := range keys {
		moves, err := r.moves(ctx, model, tail(key))
		if err != nil {
			return nil, err
		}
		all = append(all, moves...)
	}
	slices.SortStableFunc(all, func(a, b Move) int { return a.When.Compare(b.When) })
	return all, nil
}

func (r *Registry) moves(ctx context.Context, model, alias string) ([]Move, error) {
	key := aliasKey(model, alias)
	entries, err := r.history(ctx, key)
	if err != nil {
		return nil, err
	}
	var moves []Move
	for _, e := range entries {
		if e.gone() {
			moves = nil
			continue
		}
		m, err := decode[Move](key, e.data)
		if err != nil {
			return nil, err
		}
		moves = append(moves, m)
	}
	return moves, nil
}

// alias returns the last move of an alias, a zero one if there is none, and the
// last sequence of its key.
func (r *Registry) alias(ctx context.Context, model, alias string) (Move, uint64, error) {
	key := aliasKey(model, alias)
	e, err := r.read(ctx, key)
	if err != nil || e.seq == 0 || e.gone() {
		return Move{}, e.seq, err
	}
	m, err := decode[Move](key, e.data)
	return m, e.seq, err
}

// on completes m, which follows the move old, with a number from l.
func (old Move) on(l *ledger, m Move) Move {
	if l.Moves == nil {
		l.Moves = map[string]uint64{}
	}
	m.From = old.To
	if m.To != 0 {
		m.Split = old.Split
	}
	m.Number = max(l.Moves[m.Alias], old.Number) + 1
	l.Moves[m.Alias] = m.Number
	return m
}

// movePuts returns the writes of a move and its announcement.
func movePuts(p Promoted, after uint64, kind string) ([]put, error) {
	rec, err := record(aliasKey(p.Model, p.Alias), p.Move, after)
	if err != nil {
		return nil, err
	}
	event, err := announcement(p.Model, kind, p.Alias+"-"+strconv.FormatUint(p.Number, 10), p.When, p)
	return []put{rec, event}, err
}

// Promote moves an alias to a version that exists, or makes the alias, and
// announces "promoted". Moving to where the alias is already changes nothing, and so
// does no move to the share of a canary: see [Registry.SplitCanary].
func (r *Registry) Promote(ctx context.Context, model, alias string, version uint64, who, why string) (Move, error) {
	return r.promote(ctx, Move{Model: model, Alias: alias, To: version, Who: who, Why: why}, Resplit{})
}

// promote makes the move m, with a change of the split before.
func (r *Registry) promote(ctx context.Context, m Move, c Resplit) (Move, error) {
	model, alias, version := m.Model, m.Alias, m.To
	if err := cmp.Or(CheckModel(model), CheckAlias(alias), checkNumber(version)); err != nil {
		return Move{}, err
	}
	out, err := decide(ctx, r, model, func(ctx context.Context, l *ledger) (Move, []put, error) {
		if _, err := r.version(ctx, model, version); err != nil {
			return Move{}, nil, err
		}
		old, after, err := r.alias(ctx, model, alias)
		if err != nil {
			return old, nil, err
		}
		split, err := c.of(old.Split)
		if err != nil || old.To == version && split == old.Split {
			return old, nil, err
		}
		m := old.on(l, m)
		m.When = now()
		m.Split = split
		puts, err := movePuts(Promoted{Move: m}, after, KindPromoted)
		return m, puts, err
	})
	if err != nil {
		return Move{}, fmt.Errorf("moving alias %s of %s to version %d: %w", alias, model, version, err)
	}
	return out.result, nil
}

// PromoteIf is Promote under conditions, in one step: it moves p.Alias to the version
// if it names version p.If, and removes the alias p.Remove, if one is given, which must
// name the version; else it returns [ErrConflict] and changes nothing. The verdict, if
// not nil, becomes part of the event. If p.Alias names the version already, and
// p.Remove does not, it was done before.
func (r *Registry) PromoteIf(ctx context.Context, model string, version uint64, p Promotion, verdict json.RawMessage) (Move, error) {
	err := cmp.Or(CheckModel(model), CheckAlias(p.Alias), checkNumber(version))
	if err == nil && p.Remove != "" {
		err = CheckAlias(p.Remove)
	}
	if err != nil {
		return Move{}, err
	}
	out, err := decide(ctx, r, model, func(ctx context.Context, l *ledger) (Move, []put, error) {
		if _, err := r.version(ctx, model, version); err != nil {
			return Move{}, nil, err
		}
		return r.succession(ctx, l, model, version, p, verdict)
	})
	if err != nil {
		return Move{}, fmt.Errorf("moving alias %s of %s to version %d: %w", p.Alias, model, version, err)
	}
	return out.result, nil
}

// succession returns the writes of [Registry.PromoteIf].
func (r *Registry) succession(ctx context.Context, l *ledger, model string, version uint64, p Promotion, verdict json.RawMessage) (Move, []put, error) {
	old, after, err := r.alias(ctx, model, p.Alias)
	if err != nil {
		return Move{}, nil, err
	}
	var other Move
	var otherAfter uint64
	if p.Remove != "" {
		if other, otherAfter, err = r.alias(ctx, model, p.Remove); err != nil {
			return Move{}, nil, err
		}
	}
	switch {
	case old.To == version && other.To != version:
		return old, nil, nil
	case old.To != p.If:
		return Move{}, nil, fmt.Errorf("%w: it names %s, not %s", ErrConflict, spoken(old.To), spoken(p.If))
	case p.Remove != "" && other.To != version:
		return Move{}, nil, fmt.Errorf("%w: alias %s names %s", ErrConflict, p.Remove, spoken(other.To))
	}
	at := now()
	m := old.on(l, Move{Model: model, Alias: p.Alias, To: version, Who: p.Who, Why: p.Why, When: at, Rollback: p.Rollback})
	puts, err := movePuts(Promoted{Move: m, Verdict: verdict}, after, KindPromoted)
	if err != nil || p.Remove == "" {
		return m, puts, err
	}
	gone := other.on(l, Move{Model: model, Alias: p.Remove, Who: p.Who, Why: p.Why, When: at})
	more, err := movePuts(Promoted{Move: gone}, otherAfter, KindRemoved)
	return m, append(puts, more...), err
}

// Rollback moves an alias to the version it named before the current one and
// announces "promoted".
//
// The versions an alias named form a stack: a promotion puts its version on
// top, a rollback takes versions off until the one it moved to is on top, a
// removal of the alias takes all. So two rollbacks in a row go back two
// versions, and a promotion after a rollback starts from where that went.
// Versions deleted meanwhile are passed over. If nothing is left, Rollback
// returns [ErrInvalid] and changes nothing.
func (r *Registry) Rollback(ctx context.Context, model, alias, who, why string) (Move, error) {
	if err := cmp.Or(CheckModel(model), CheckAlias(alias)); err != nil {
		return Move{}, err
	}
	out, err := decide(ctx, r, model, func(ctx context.Context, l *ledger) (Move, []put, error) {
		old, after, err := r.alias(ctx, model, alias)
		if err != nil {
			return Move{}, nil, err
		}
		if old.To == 0 {
			return Move{}, nil, r.missing(ctx, model, "alias "+alias)
		}
		to, err := r.before(ctx, old)
		if err != nil {
			return Move{}, nil, err
		}
		m := old.on(l, Move{Model: model, Alias: alias, To: to, Who: who, Why: why, When: now(), Rollback: true})
		puts, err := movePuts(Promoted{Move: m}, after, KindPromoted)
		return m, puts, err
	})
	if err != nil {
		return Move{}, fmt.Errorf("rolling back alias %s of %s: %w", alias, model, err)
	}
	return out.result, nil
}

// before returns the version a rollback of an alias, whose last move is current, goes to.
func (r *Registry) before(ctx context.Context, current Move) (uint64, error) {
	moves, err := r.moves(ctx, current.Model, current.Alias)
	if err != nil {
		return 0, err
	}
	stack := visited(moves)
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if n == current.To {
			continue
		}
		e, err := r.read(ctx, versionKey(current.Model, n))
		if err != nil {
			return 0, err
		}
		if e.seq != 0 && !e.gone() {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%w: nothing to go back to: version %d is the first that alias %s named, or those before it are deleted",
		ErrInvalid, current.To, current.Alias)
}

// visited returns the stack of versions that moves leave, the current one on top.
func visited(moves []Move) []uint64 {
	var stack []uint64
	for i, m := range moves {
		if i == 0 && m.From != 0 {
			stack = append(stack, m.From) // older moves are no longer kept
		}
		switch {
		case m.To == 0:
			stack = stack[:0]
		case !m.Rollback:
			stack = append(stack, m.To)
		default:
			for len(stack) > 0 && stack[len(stack)-1] != m.To {
				stack = stack[:len(stack)-1]
			}
			if len(stack) == 0 {
				stack = append(stack, m.To)
			}
		}
	}
	return stack
}

// RemoveAlias removes an alias other than [Champion] and announces "removed".
func (r *Registry) RemoveAlias(ctx context.Context, model, alias, who, why string) error {
	return r.RemoveAliasIf(ctx, model, alias, 0, who, why)
}

// RemoveAliasIf is RemoveAlias of one that names the version, 0 for any; if it names
// another, it returns [ErrConflict].
func (r *Registry) RemoveAliasIf(ctx context.Context, model, alias string, version uint64, who, why string) error {
	if err := cmp.Or(CheckModel(model), CheckAlias(alias)); err != nil {
		return err
	}
	if alias == Champion {
		return fmt.Errorf("%w: alias %s cannot be removed: move it, or delete the model", ErrInvalid, alias)
	}
	_, err := decide(ctx, r, model, func(ctx context.Context, l *ledger) (struct{}, []put, error) {
		old, after, err := r.alias(ctx, model, alias)
		if err != nil {
			return struct{}{}, nil, err
		}
		if old.To == 0 {
			return struct{}{}, nil, r.missing(ctx, model, "alias "+alias)
		}
		if version != 0 && old.To != version {
			return struct{}{}, nil, fmt.Errorf("%w: it names %s, not %s", ErrConflict, spoken(old.To), spoken(version))
		}
		m := old.on(l, Move{Model: model, Alias: alias, Who: who, Why: why, When: now()})
		puts, err := movePuts(Promoted{Move: m}, after, KindRemoved)
		return struct{}{}, puts, err
	})
	if err != nil {
		return fmt.Errorf("removing alias %s of %s: %w", alias, model, err)
	}
	return nil
}
