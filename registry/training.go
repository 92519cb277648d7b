package registry

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Training is one that was begun and has not ended: the record under
// training.<model>. Whoever ends it removes the record in the same step, so that a
// training ends once, however often that is tried.
type Training struct {
	Model string    `json:"model"`
	ID    string    `json:"id"`
	Began time.Time `json:"began"`
}

// BeginTraining notes that a training of the model has begun. It returns
// [ErrConflict] if another one has, and did not end. A record that cannot be read, which
// somebody put there by hand, is replaced: nobody could end it.
func (r *Registry) BeginTraining(ctx context.Context, model, id string) error {
	if err := CheckModel(model); err != nil {
		return err
	}
	_, err := decide(ctx, r, model, func(ctx context.Context, _ *ledger) (struct{}, []put, error) {
		if _, err := r.Model(ctx, model); err != nil {
			return struct{}{}, nil, err
		}
		e, err := r.read(ctx, trainingKey(model))
		if err != nil {
			return struct{}{}, nil, err
		}
		if _, unreadable := asTraining(e); e.seq != 0 && !e.gone() && unreadable == nil {
			return struct{}{}, nil, fmt.Errorf("%w: a training of %s has begun and not ended", ErrConflict, model)
		}
		p, err := record(trainingKey(model), Training{Model: model, ID: id, Began: now()}, e.seq)
		return struct{}{}, []put{p}, err
	})
	if err != nil {
		return fmt.Errorf("beginning training %s of %s: %w", id, model, err)
	}
	return nil
}

// Trainings returns the trainings that have begun and not ended. A record that cannot be
// read does not hide the others: they are returned with an error that names it and wraps
// [ErrCorrupt].
func (r *Registry) Trainings(ctx context.Context) ([]Training, error) {
	entries, err := r.list(ctx, trainingKey("*"))
	if err != nil {
		return nil, err
	}
	var all []Training
	var unreadable []error
	for _, e := range entries {
		t, err := asTraining(e)
		if err != nil {
			unreadable = append(unreadable, err)
			continue
		}
		all = append(all, t)
	}
	return all, errors.Join(unreadable...)
}

// asTraining reads the record of a training.
func asTraining(e entry) (Training, error) {
	model := tail(e.subject)
	t, err := decode[Training](trainingKey(model), e.data)
	if err == nil && t.ID == "" {
		err = fmt.Errorf("reading %s: %w: it has no id", trainingKey(model), ErrCorrupt)
	}
	t.Model = model
	return t, err
}

// An Ending is how a training ends that leads to no new version.
type Ending struct {
	Model    string
	Training string // its id

	// Event tells how it ended. Model and, if zero, Time are set by EndTraining. The
	// data of one of [KindPromoted] goes as the verdict with that of the move.
	Event Event

	// Promote, if not nil, moves an alias to Version, which is there already; the
	// event must be of [KindPromoted] then, and only then.
	Promote *Promotion
	Version uint64
}

// EndTraining ends a training that has begun and announces how, in one step, unless
// that event is there already: who did not know that it had begun may have announced it. It
// returns [ErrEnded] if that training has ended already, and [ErrConflict] if the
// alias to be moved names another version than the promotion says.
func (r *Registry) EndTraining(ctx context.Context, end Ending) error {
	e := end.Event
	e.Model = end.Model
	if e.Time.IsZero() {
		e.Time = now()
	}
	if e.Kind == KindPromoted {
		e.ID = end.Training // until the move has a number
	}
	if err := checkEvent(e); err != nil {
		return err
	}
	if (e.Kind == KindPromoted) != (end.Promote != nil) {
		return fmt.Errorf("%w: an ending of kind %q: a promotion and its event go together", ErrInvalid, e.Kind)
	}
	_, err := decide(ctx, r, end.Model, func(ctx context.Context, l *ledger) (struct{}, []put, error) {
		over, err := r.ending(ctx, end.Model, end.Training)
		if err != nil {
			return struct{}{}, nil, err
		}
		var told []put
		if end.Promote == nil {
			told, err = r.telling(ctx, e)
			return struct{}{}, append(told, over), err
		}
		v, err := r.version(ctx, end.Model, end.Version)
		if err != nil {
			return struct{}{}, nil, err
		}
		v.Created = e.Time
		told, err = r.promotion(ctx, v, end.Promote, Promoted{Verdict: e.Data}, l)
		return struct{}{}, append(told, over), err
	})
	if err != nil {
		return fmt.Errorf("ending training %s of %s: %w", end.Training, end.Model, err)
	}
	return nil
}

// telling returns the write of an event, none if it is there already.
func (r *Registry) telling(ctx context.Context, e Event) ([]put, error) {
	key := eventKey(e.Model, e.Kind, e.ID)
	there, err := r.read(ctx, key)
	if err != nil || there.seq != 0 {
		return nil, err
	}
	p, err := record(key, e, 0)
	return []put{p}, err
}

// ending returns the write that ends a training.
func (r *Registry) ending(ctx context.Context, model, id string) (put, error) {
	key := trainingKey(model)
	e, err := r.read(ctx, key)
	if err != nil {
		return put{}, err
	}
	if e.seq == 0 || e.gone() {
		return put{}, fmt.Errorf("%w: training %s of %s", ErrEnded, id, model)
	}
	t, err := asTraining(e)
	if err != nil {
		return put{}, fmt.Errorf("%w: training %s of %s: %w", ErrEnded, id, model, err)
	}
	if t.ID != id {
		return put{}, fmt.Errorf("%w: training %s of %s, and %s has begun since", ErrEnded, id, model, t.ID)
	}
	return removal(key, e.seq), nil
}
