package learn

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/registry"
)

// schedule keeps a retrainer for every model whose spec has a retrain section and
// that is not paused, until ctx is done.
func (t *Trainer) schedule(ctx context.Context) {
	s := &scheduler{Trainer: t, running: map[string]*retrainer{}}
	err := t.reg.Watch(ctx, func(c registry.Change) { s.look(ctx, c.Model) })
	if err != nil && ctx.Err() == nil {
		t.opts.Logger.Error().Err(err).Msg("models are not trained by themselves any more")
	}
	for name := range s.running {
		s.stop(name)
	}
	s.all.Wait()
}

// changedSince reports whether a change of the model may have been noticed since then.
func (t *Trainer) changedSince(name string, then time.Time) bool {
	for _, key := range []string{name, ""} {
		value, _ := t.noticed.Load(key)
		if at, ok := value.(time.Time); ok && !at.Before(then) {
			return true
		}
	}
	return false
}

// A scheduler belongs to the goroutine that watches the registry.
type scheduler struct {
	*Trainer

	running map[string]*retrainer
	all     sync.WaitGroup
}

// look brings the retrainer of a model in line with its record, or all if name is
// empty.
func (s *scheduler) look(ctx context.Context, name string) {
	s.noticed.Store(name, time.Now())
	if name != "" {
		m, err := s.reg.Model(ctx, name)
		switch {
		case err == nil:
			s.settle(ctx, m)
		case errors.Is(err, registry.ErrNotFound):
			s.remove(name)
		case ctx.Err() == nil: // it comes again within a minute
			s.opts.Logger.Warn().Err(err).Str("model", name).Msg("looking whether to train by itself")
		}
		return
	}
	models, err := s.reg.Models(ctx)
	if err != nil && ctx.Err() == nil {
		s.opts.Logger.Warn().Err(err).Msg("looking which models to train by themselves")
	}
	there := map[string]bool{}
	for _, m := range models {
		there[m.Name] = true
		s.settle(ctx, m)
	}
	if err != nil {
		return // it may be there
	}
	for name := range s.running {
		if !there[name] {
			s.remove(name)
		}
	}
}

// remove stops the retrainer of a model that was deleted, and what it trains.
func (s *scheduler) remove(name string) {
	s.stop(name)
	s.orphan(name, time.Time{})
}

// settle starts, stops, replaces or wakes the retrainer of m.
func (s *scheduler) settle(ctx context.Context, m registry.Model) {
	r := s.running[m.Name]
	if r != nil && r.revision == m.Revision {
		r.wake()
		return
	}
	s.orphan(m.Name, m.Created)
	s.stop(m.Name) // what it trains goes on
	spec, err := model.ParseSpec(m.Spec)
	if err != nil || spec.Retrain == nil || m.Paused {
		return // a spec that cannot be read is reported by whoever trains or serves
	}
	ctx, cancel := context.WithCancel(ctx)
	r = &retrainer{
		Trainer: s.Trainer, name: m.Name, revision: m.Revision, created: m.Created, spec: spec,
		changed: make(chan struct{}, 1), cancel: cancel,
		log: s.opts.Logger.With().Str("model", m.Name).Logger(),
	}
	s.running[m.Name] = r
	if spec.Retrain.Online() {
		s.all.Go(func() { newOnline(r, m.Spec).run(ctx) })
		return
	}
	s.all.Go(func() { r.run(ctx) })
}

func (s *scheduler) stop(name string) {
	if r := s.running[name]; r != nil {
		r.cancel()
		delete(s.running, name)
	}
}
