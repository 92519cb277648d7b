package registry

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// resolveTries bounds how often an alias that moves while it is resolved is followed.
const resolveTries = 5

// Versions returns a model's versions, oldest first.
func (r *Registry) Versions(ctx context.Context, model string) ([]Version, error) {
	if _, err := r.Model(ctx, model); err != nil {
		return nil, err
	}
	entries, err := r.list(ctx, "version."+model+".*")
	if err != nil {
		return nil, err
	}
	versions := make([]Version, len(entries))
	for i, e := range entries {
		if versions[i], err = decode[Version](r.key(e.subject), e.data); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(versions, func(a, b Version) int { return cmp.Compare(a.Number, b.Number) })
	return versions, nil
}

// Newest returns the newest version that fit accepts, and whether there is one. It
// reads no more versions than it has to.
func (r *Registry) Newest(ctx context.Context, model string, fit func(*Version) bool) (v Version, ok bool, err error) {
	if err := CheckModel(model); err != nil {
		return Version{}, false, err
	}
	keys, err := r.keys(ctx, "version."+model+".*")
	if err != nil {
		return Version{}, false, err
	}
	numbers := make([]uint64, 0, len(keys))
	for _, key := range keys {
		if n, err := strconv.ParseUint(tail(key), 10, 64); err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	for _, n := range slices.Backward(numbers) {
		e, err := r.read(ctx, versionKey(model, n))
		if err != nil {
			return Version{}, false, err
		}
		if e.seq == 0 || e.gone() {
			continue
		}
		if v, err = decode[Version](versionKey(model, n), e.data); err != nil {
			return Version{}, false, err
		}
		if fit(&v) {
			return v, true, nil
		}
	}
	return Version{}, false, nil
}

// Resolve returns the version that ref names.
func (r *Registry) Resolve(ctx context.Context, ref Ref) (Version, error) {
	if err := CheckModel(ref.Model); err != nil {
		return Version{}, err
	}
	if ref.Version != 0 {
		return r.version(ctx, ref.Model, ref.Version)
	}
	alias := cmp.Or(ref.Alias, Champion)
	if err := CheckAlias(alias); err != nil {
		return Version{}, err
	}
	var v Version
	var err error
	for range resolveTries {
		var move Move
		if move, _, err = r.alias(ctx, ref.Model, alias); err != nil {
			return Version{}, err
		}
		if move.To == 0 {
			return Version{}, r.missing(ctx, ref.Model, "alias "+alias)
		}
		// The version may go after the alias has left it, but never before.
		if v, err = r.version(ctx, ref.Model, move.To); err == nil {
			return v, nil
		}
	}
	return Version{}, err
}

// version returns a version's record.
func (r *Registry) version(ctx context.Context, model string, n uint64) (Version, error) {
	if err := checkNumber(n); err != nil {
		return Version{}, err
	}
	key := versionKey(model, n)
	e, err := r.read(ctx, key)
	if err != nil {
		return Version{}, err
	}
	if e.seq == 0 || e.gone() {
		return Version{}, r.missing(ctx, model, "version "+strconv.FormatUint(n, 10))
	}
	return decode[Version](key, e.data)
}

// missing returns the error for something a model does not have: that there is
// no such model, if that is so.
func (r *Registry) missing(ctx context.Context, model, what string) error {
	if _, err := r.Model(ctx, model); err != nil {
		return err
	}
	return fmt.Errorf("%w: model %s has no %s", ErrNotFound, model, what)
}

// A Promotion asks [Registry.Publish] to move an alias to the new version.
type Promotion struct {
	Alias    string
	Who, Why string

	// If is the version the alias must name at the commit (0: it must not
	// exist); otherwise Publish returns [ErrConflict] and nothing happens.
	If uint64

	// Remove, for [Registry.PromoteIf] alone, is another alias of the version, which
	// is removed in the same step; empty for none.
	Remove string

	// Rollback, for [Registry.PromoteIf] alone, says that the version is one that the
	// alias named before, as [Registry.Rollback] does.
	Rollback bool
}

// Publish gives v the model's next version number and makes it, the promotion
// (nil for none) and the announcements visible in one atomic step: "version"
// and, with a promotion, "promoted"; with a verdict other than nil its event
// ("rejected") too. v.Digest must be stored. It returns the record as stored:
// Number, Created and, if 0, Size are set here.
//
// An online version ([Lineage].Online) is taken only if there is no online version with a
// number above its parent's, else Publish returns [ErrOvertaken]: of two trainers that
// learned on from the same version one alone has the next.
//
// If v.ModelCreated is set, and the model that was created then is no more, Publish returns
// [ErrNotFound], also if there is another one of its name.
//
// If v.Lineage.Training is set, that training, which has begun, ends in the same
// step; Publish returns [ErrEnded] if it has ended already.
//
// The verdict's Model and Time are set here, its ID is the version number if
// empty. A verdict of [KindPromoted] adds its Data to the promotion's event
// instead of being one of its own.
func (r *Registry) Publish(ctx context.Context, v Version, promote *Promotion, verdict *Event) (Version, error) {
	if err := checkPublish(v, promote, verdict); err != nil {
		return Version{}, err
	}
	out, err := decide(ctx, r, v.Model, func(ctx context.Context, l *ledger) (Version, []put, error) {
		m, err := r.Model(ctx, v.Model)
		if err != nil {
			return v, nil, err
		}
		if !v.ModelCreated.IsZero() && !v.ModelCreated.Equal(m.Created) {
			return v, nil, fmt.Errorf("%w: model %s of %s: there is another one of that name since",
				ErrNotFound, v.Model, v.ModelCreated.Format(time.RFC3339))
		}
		v := v
		if v.Size, err = r.keep(ctx, v.Digest, v.Size); err != nil {
			return v, nil, err
		}
		if err = r.follows(ctx, v, l); err != nil {
			return v, nil, err
		}
		if v.Number, err = r.number(ctx, v.Model, l); err != nil {
			return v, nil, err
		}
		if v.Lineage.Online {
			l.Online = v.Number
		}
		v.Created = now()
		puts, err := r.publication(ctx, v, promote, verdict, l)
		return v, puts, err
	})
	if err != nil {
		return Version{}, fmt.Errorf("publishing a version of %s: %w", v.Model, err)
	}
	return out.result, nil
}

func checkPublish(v Version, promote *Promotion, verdict *Event) error {
	if err := cmp.Or(CheckModel(v.Model), checkDigest(v.Digest)); err != nil {
		return err
	}
	if promote != nil {
		if err := CheckAlias(promote.Alias); err != nil {
			return err
		}
	}
	if verdict == nil {
		return nil
	}
	if verdict.Kind == KindPromoted && promote == nil {
		return fmt.Errorf("%w: a verdict of %q without a promotion", ErrInvalid, KindPromoted)
	}
	if verdict.Kind == KindVersion {
		return fmt.Errorf("%w: a verdict of kind %q, which is Publish's own", ErrInvalid, KindVersion)
	}
	return checkEvent(Event{Model: v.Model, Kind: verdict.Kind, ID: cmp.Or(verdict.ID, "0"), Data: verdict.Data})
}

// follows returns ErrOvertaken unless v, if it is an online version, is the first one after
// its parent. One that was deleted does not count.
func (r *Registry) follows(ctx context.Context, v Version, l *ledger) error {
	if !v.Lineage.Online || l.Online <= v.Lineage.Parent {
		return nil
	}
	entries, err := r.list(ctx, "version."+v.Model+".*")
	if err != nil {
		return err
	}
	for _, e := range entries {
		other, err := decode[Version](r.key(e.subject), e.data)
		if err != nil {
			return err
		}
		if other.Lineage.Online && other.Number > v.Lineage.Parent {
			return fmt.Errorf("%w: version %d comes after version %d", ErrOvertaken, other.Number, v.Lineage.Parent)
		}
	}
	return nil
}

// number takes the next version number from l. A number whose key was ever
// written is passed over, should the ledger have been lost.
func (r *Registry) number(ctx context.Context, model string, l *ledger) (uint64, error) {
	for {
		l.Version++
		if err := checkNumber(l.Version); err != nil {
			return 0, err
		}
		e, err := r.read(ctx, versionKey(model, l.Version))
		if err != nil || e.seq == 0 {
			return l.Version, err
		}
	}
}

// publication returns the writes that make v visible.
func (r *Registry) publication(ctx context.Context, v Version, promote *Promotion, verdict *Event, l *ledger) ([]put, error) {
	rec, err := record(versionKey(v.Model, v.Number), v, 0)
	if err != nil {
		return nil, err
	}
	id := strconv.FormatUint(v.Number, 10)
	event, err := announcement(v.Model, KindVersion, id, v.Created, v)
	if err != nil {
		return nil, err
	}
	puts := []put{rec, event}
	if v.Lineage.Training != "" {
		over, err := r.ending(ctx, v.Model, v.Lineage.Training)
		if err != nil {
			return nil, err
		}
		puts = append(puts, over)
	}
	data := Promoted{}
	if verdict != nil && verdict.Kind == KindPromoted {
		data.Verdict = verdict.Data
	} else if verdict != nil {
		extra, err := r.verdict(ctx, *verdict, v, id)
		if err != nil {
			return nil, err
		}
		puts = append(puts, extra)
	}
	if promote == nil {
		return puts, nil
	}
	moved, err := r.promotion(ctx, v, promote, data, l)
	return append(puts, moved...), err
}

// promotion returns the writes that move an alias to v, as of its creation.
func (r *Registry) promotion(ctx context.Context, v Version, promote *Promotion, data Promoted, l *ledger) ([]put, error) {
	old, after, err := r.alias(ctx, v.Model, promote.Alias)
	if err != nil {
		return nil, err
	}
	if old.To != promote.If {
		return nil, fmt.Errorf("%w: alias %s of %s names %s, not %s", ErrConflict, promote.Alias, v.Model, spoken(old.To), spoken(promote.If))
	}
	data.Move = old.on(l, Move{Model: v.Model, Alias: promote.Alias, To: v.Number, Who: promote.Who, Why: promote.Why, When: v.Created})
	return movePuts(data, after, KindPromoted)
}

// verdict returns the write of the event that goes with v.
func (r *Registry) verdict(ctx context.Context, e Event, v Version, id string) (put, error) {
	e.Model, e.Time, e.ID = v.Model, v.Created, cmp.Or(e.ID, id)
	key := eventKey(e.Model, e.Kind, e.ID)
	there, err := r.read(ctx, key)
	if err != nil {
		return put{}, err
	}
	if there.seq != 0 {
		return put{}, fmt.Errorf("%w: event %s is there already", ErrConflict, key)
	}
	return record(key, e, 0)
}

// spoken names a version that may be none.
func spoken(n uint64) string {
	if n == 0 {
		return "no version"
	}
	return "version " + strconv.FormatUint(n, 10)
}

// DeleteVersion removes a version that no alias names, else it returns
// [ErrConflict], and announces "deleted". Its number is not given again.
func (r *Registry) DeleteVersion(ctx context.Context, model string, number uint64, who, why string) error {
	if err := cmp.Or(CheckModel(model), checkNumber(number)); err != nil {
		return err
	}
	key := versionKey(model, number)
	_, err := decide(ctx, r, model, func(ctx context.Context, _ *ledger) (struct{}, []put, error) {
		e, err := r.read(ctx, key)
		if err != nil {
			return struct{}{}, nil, err
		}
		if e.seq == 0 || e.gone() {
			return struct{}{}, nil, r.missing(ctx, model, "version "+strconv.FormatUint(number, 10))
		}
		moves, err := r.Aliases(ctx, model)
		if err != nil {
			return struct{}{}, nil, err
		}
		for alias, m := range moves {
			if m.To == number {
				return struct{}{}, nil, fmt.Errorf("%w: alias %s names it: move the alias first", ErrConflict, alias)
			}
		}
		gone := Removal{Model: model, Version: number, Who: who, Why: why, When: now()}
		event, err := announcement(model, KindDeleted, "version-"+strconv.FormatUint(number, 10), gone.When, gone)
		return struct{}{}, []put{removal(key, e.seq), event}, err
	})
	if err != nil {
		return fmt.Errorf("deleting version %d of %s: %w", number, model, err)
	}
	return nil
}
