package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// CreateModel stores a new model and announces "created". It returns
// [ErrConflict] if there is one of that name. Created, Updated and Earlier are set here.
func (r *Registry) CreateModel(ctx context.Context, m Model) (Model, error) {
	if err := checkRecord(m); err != nil {
		return Model{}, err
	}
	if err := r.sweep(ctx, m.Name); err != nil {
		return Model{}, fmt.Errorf("removing what is left of an earlier model %s: %w", m.Name, err)
	}
	out, err := decide(ctx, r, m.Name, func(ctx context.Context, l *ledger) (Model, []put, error) {
		e, err := r.read(ctx, modelKey(m.Name))
		if err != nil {
			return m, nil, err
		}
		if e.seq != 0 && !e.gone() {
			return m, nil, fmt.Errorf("%w: model %s is there already", ErrConflict, m.Name)
		}
		if rest, err := r.leftovers(ctx, m.Name); err != nil || len(rest) > 0 {
			return m, nil, cmp.Or(err, fmt.Errorf("%w: model %s is being deleted", ErrConflict, m.Name))
		}
		m := m
		m.Created = now()
		m.Updated = m.Created
		m.Earlier = l.Version
		puts, err := r.modelPuts(m, e.seq, KindCreated, l)
		return m, puts, err
	})
	if err != nil {
		return Model{}, fmt.Errorf("creating model %s: %w", m.Name, err)
	}
	return withRevision(out), nil
}

// UpdateModel replaces a model's spec if its revision is still m.Revision, else
// it returns [ErrConflict]. It announces "updated".
func (r *Registry) UpdateModel(ctx context.Context, m Model) (Model, error) {
	if err := checkRecord(m); err != nil {
		return Model{}, err
	}
	name := m.Name
	out, err := decide(ctx, r, name, func(ctx context.Context, l *ledger) (Model, []put, error) {
		old, err := r.Model(ctx, name)
		if err != nil {
			return m, nil, err
		}
		if old.Revision != m.Revision {
			return m, nil, fmt.Errorf("%w: model %s is at revision %d, not %d: read it again", ErrConflict, name, old.Revision, m.Revision)
		}
		m := m
		m.Created, m.Updated, m.Earlier = old.Created, now(), old.Earlier
		puts, err := r.modelPuts(m, old.Revision, KindUpdated, l)
		return m, puts, err
	})
	if err != nil {
		return Model{}, fmt.Errorf("updating model %s: %w", name, err)
	}
	return withRevision(out), nil
}

// withRevision returns the stored model. Its record follows the ledger's.
func withRevision(out outcome[Model]) Model {
	m := out.result
	m.Revision = out.seq + 1
	return m
}

func checkRecord(m Model) error {
	if err := CheckModel(m.Name); err != nil {
		return err
	}
	if !json.Valid(m.Spec) {
		return fmt.Errorf("%w: model %s: the spec is not JSON: %.80q", ErrInvalid, m.Name, m.Spec)
	}
	return nil
}

// modelPuts returns the writes of a model's record, first, and its announcement.
func (r *Registry) modelPuts(m Model, after uint64, kind string, l *ledger) ([]put, error) {
	rec, err := record(modelKey(m.Name), m, after)
	if err != nil {
		return nil, err
	}
	event, err := announcement(m.Name, kind, strconv.FormatUint(l.Change+1, 10), m.Updated, m)
	return []put{rec, event}, err
}

// DeleteModel removes a model with its versions, aliases and live record and announces
// "deleted". Artifacts no version refers to are left to [Registry.Collect].
// Version numbers and move numbers go on where they were if the model is made
// again.
//
// The model and its aliases go in one step with the announcement. More than
// about a thousand versions take several: if the process dies between them, the
// rest goes with the next DeleteModel or CreateModel of that name.
func (r *Registry) DeleteModel(ctx context.Context, name, who, why string) error {
	if err := CheckModel(name); err != nil {
		return err
	}
	_, err := decide(ctx, r, name, func(ctx context.Context, l *ledger) (struct{}, []put, error) {
		puts, err := r.deletion(ctx, name, who, why, l)
		return struct{}{}, puts, err
	})
	if err != nil {
		return fmt.Errorf("deleting model %s: %w", name, err)
	}
	if err := r.sweep(ctx, name); err != nil {
		return fmt.Errorf("deleting the versions of model %s: %w", name, err)
	}
	if err := r.removeLive(ctx, name); err != nil {
		return fmt.Errorf("deleting the live record of model %s: %w", name, err)
	}
	return nil
}

func (r *Registry) deletion(ctx context.Context, name, who, why string, l *ledger) ([]put, error) {
	e, err := r.read(ctx, modelKey(name))
	if err != nil {
		return nil, err
	}
	rest, err := r.leftovers(ctx, name)
	if err != nil {
		return nil, err
	}
	if e.seq == 0 || e.gone() {
		if len(rest) > 0 {
			return rest[:min(len(rest), maxBatch-1)], nil
		}
		return nil, fmt.Errorf("%w: model %s", ErrNotFound, name)
	}
	gone := Removal{Model: name, Who: who, Why: why, When: now()}
	event, err := announcement(name, KindDeleted, "model-"+strconv.FormatUint(l.Change+1, 10), gone.When, gone)
	if err != nil {
		return nil, err
	}
	puts := append([]put{removal(modelKey(name), e.seq), event}, rest...)
	return puts[:min(len(puts), maxBatch-1)], nil
}

// leftovers returns the removals of a model's aliases, then of its versions.
func (r *Registry) leftovers(ctx context.Context, name string) ([]put, error) {
	var puts []put
	for _, pattern := range []string{aliasKey(name, "*"), "version." + name + ".*"} {
		entries, err := r.list(ctx, pattern)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			puts = append(puts, removal(r.key(e.subject), e.seq))
		}
	}
	return puts, nil
}

// sweep removes what is left under the name of a model that is gone.
func (r *Registry) sweep(ctx context.Context, name string) error {
	for {
		more, err := decide(ctx, r, name, func(ctx context.Context, _ *ledger) (bool, []put, error) {
			e, err := r.read(ctx, modelKey(name))
			if err != nil || e.seq != 0 && !e.gone() {
				return false, nil, err
			}
			puts, err := r.leftovers(ctx, name)
			return len(puts) > 0, puts[:min(len(puts), maxBatch-1)], err
		})
		if err != nil || !more.result {
			return err
		}
	}
}

// Model returns a model's record.
func (r *Registry) Model(ctx context.Context, name string) (Model, error) {
	if err := CheckModel(name); err != nil {
		return Model{}, err
	}
	e, err := r.read(ctx, modelKey(name))
	if err != nil {
		return Model{}, err
	}
	if e.seq == 0 || e.gone() {
		return Model{}, fmt.Errorf("%w: model %s", ErrNotFound, name)
	}
	return r.asModel(e)
}

// Deleted reports whether there was a model of that name, and is none any more.
func (r *Registry) Deleted(ctx context.Context, name string) (bool, error) {
	if err := CheckModel(name); err != nil {
		return false, err
	}
	e, err := r.read(ctx, modelKey(name))
	return e.seq != 0 && e.gone(), err
}

// Models returns all models, by name. A record that cannot be read does not hide
// the others: they are returned with an error that names it and wraps
// [ErrCorrupt].
func (r *Registry) Models(ctx context.Context) ([]Model, error) {
	entries, err := r.list(ctx, modelKey("*"))
	if err != nil {
		return nil, err
	}
	models := make([]Model, 0, len(entries))
	var unreadable []error
	for _, e := range entries {
		m, err := r.asModel(e)
		if err != nil {
			unreadable = append(unreadable, err)
			continue
		}
		models = append(models, m)
	}
	slices.SortFunc(models, func(a, b Model) int { return strings.Compare(a.Name, b.Name) })
	return models, errors.Join(unreadable...)
}

func (r *Registry) asModel(e entry) (Model, error) {
	m, err := decode[Model](r.key(e.subject), e.data)
	m.Name, m.Revision = tail(e.subject), e.seq
	return m, err
}
