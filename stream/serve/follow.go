package serve

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/service"
)

// A catalog tells which models there are: a [registry.Registry].
type catalog interface {
	Models(ctx context.Context) ([]registry.Model, error)
	Model(ctx context.Context, name string) (registry.Model, error)
	Watch(ctx context.Context, fn func(registry.Change)) error
}

// lanes is an immutable table of the models served.
type lanes map[string]*lane

// A follower keeps a table of lanes as the catalog says.
type follower struct {
	catalog catalog
	only    []string // nil: all
	shared  *shared
	table   *atomic.Pointer[lanes]
	changed *service.Signal // raised when the table has; nil: nobody asks
	listed  chan struct{}   // closed when all models have been listed once
	wake    chan struct{}   // holds one wake-up

	mu    sync.Mutex // guards all below
	all   bool       // everything may have changed
	names map[string]bool

	retiring sync.WaitGroup
}

func newFollower(c catalog, only []string, sh *shared, table *atomic.Pointer[lanes]) *follower {
	return &follower{
		catalog: c, only: only, shared: sh, table: table,
		listed: make(chan struct{}), wake: make(chan struct{}, 1),
		all: true, names: map[string]bool{},
	}
}

// run follows the catalog until ctx is done.
func (f *follower) run(ctx context.Context) {
	var watch sync.WaitGroup
	defer watch.Wait()
	watch.Go(func() { f.watch(ctx) })
	listed := sync.OnceFunc(func() { close(f.listed) })
	f.rouse()
	var problem failure
	for {
		var retry <-chan time.Time
		if problem.err != nil {
			retry = time.After(problem.pause)
		}
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
		case <-retry:
		}
		if err := f.look(ctx, listed); err != nil && ctx.Err() == nil {
			problem = problem.again(err, time.Now())
			f.shared.log.Error().Err(err).Stringer("retry", problem.pause).Msg("models could not be followed; what is known serves on")
			continue
		}
		problem = failure{}
	}
}

// watch notes what the catalog says has changed.
func (f *follower) watch(ctx context.Context) {
	var problem failure
	for ctx.Err() == nil {
		err := f.catalog.Watch(ctx, f.note)
		if ctx.Err() != nil {
			return
		}
		problem = problem.again(err, time.Now())
		f.shared.log.Error().Err(err).Stringer("retry", problem.pause).Msg("watching the registry ended")
		select {
		case <-ctx.Done():
		case <-time.After(problem.pause):
		}
		f.note(registry.Change{})
	}
}

// note has c looked at.
func (f *follower) note(c registry.Change) {
	f.keep(c)
	f.rouse()
}

// keep has c looked at with whatever is next, or at the next retry.
func (f *follower) keep(c registry.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.Model == "" {
		f.all = true
	} else {
		f.names[c.Model] = true
	}
}

func (f *follower) rouse() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// look looks at all that was noted. What could not be looked at stays noted.
func (f *follower) look(ctx context.Context, listed func()) error {
	f.mu.Lock()
	all, names := f.all, f.names
	f.all, f.names = false, map[string]bool{}
	f.mu.Unlock()
	if all {
		if err := f.list(ctx, names); err != nil {
			f.keep(registry.Change{})
			return err
		}
		listed()
	}
	var errs []error
	for name := range names {
		if err := f.lookAt(ctx, name); err != nil {
			f.keep(registry.Change{Model: name})
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// list brings in all models of the catalog, and adds to names those served that
// it does not list: a list can be stale, so that each is asked for before it goes.
func (f *follower) list(ctx context.Context, names map[string]bool) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	models, err := f.catalog.Models(ctx)
	switch {
	case errors.Is(err, registry.ErrCorrupt):
		f.shared.log.Error().Err(err).Msg("models that cannot be read are not served")
	case err != nil:
		return fmt.Errorf("listing models: %w", err)
	}
	for name := range *f.table.Load() {
		names[name] = true
	}
	for _, m := range models {
		delete(names, m.Name)
		f.put(m)
	}
	return nil
}

func (f *follower) lookAt(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	m, err := f.catalog.Model(ctx, name)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		f.replace(name, nil)
	case err != nil:
		return fmt.Errorf("looking up model %q: %w", name, err)
	default:
		f.put(m)
	}
	return nil
}

// put makes the table serve m, or its lane look at its versions again.
func (f *follower) put(m registry.Model) {
	if f.only != nil && !slices.Contains(f.only, m.Name) {
		return
	}
	set, err := newSettings(m)
	before := (*f.table.Load())[m.Name]
	if before != nil && before.settings == set {
		before.keeper.refresh()
		return
	}
	if err != nil {
		f.shared.log.Error().Err(err).Str("model", m.Name).Msg("the spec could not be read; defaults are used")
	}
	if before != nil && !before.settings.created.Equal(set.created) {
		before = nil // of a deleted model of that name
	}
	l := newLane(m.Name, set, f.shared, before)
	l.start()
	f.replace(m.Name, l)
}

// replace puts l, nil for none, in the place of a lane, which ends when it has
// answered what it has.
func (f *follower) replace(name string, l *lane) {
	before := *f.table.Load()
	old := before[name]
	if old != nil && l != nil {
		old.heir.Store(l)
	}
	table := maps.Clone(before)
	if l == nil {
		delete(table, name)
	} else {
		table[name] = l
	}
	f.table.Store(&table)
	f.changed.Raise()
	if old != nil {
		f.retiring.Go(old.retire)
	}
}

// retire ends all lanes. It must not run together with run.
func (f *follower) retire() {
	for _, l := range *f.table.Load() {
		f.retiring.Go(l.retire)
	}
	f.retiring.Wait()
}
