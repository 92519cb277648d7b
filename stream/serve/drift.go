package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nuid"
	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/drift"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

const (
	// steadyWindows is how many windows in a row must say otherwise before a column has
	// drifted, or has recovered.
	steadyWindows = 2

	// toldColumns bounds the columns in statistics and events.
	toldColumns = 64

	announceTimeout = 10 * time.Second
)

// An inspector compares full windows, one at a time, and announces what has changed.
type inspector struct {
	announce func(context.Context, registry.Event) error // nil: nobody is told
	rate     int                                         // rows of a model a second
	log      zerolog.Logger

	turn    chan struct{} // of comparing
	running sync.WaitGroup
}

func newInspector(announce func(context.Context, registry.Event) error, rate int, log zerolog.Logger) *inspector {
	return &inspector{announce: announce, rate: rate, log: log, turn: make(chan struct{}, 1)}
}

// observer returns one for version v of a model, nil if there is nothing to compare with.
func (in *inspector) observer(ctx context.Context, name string, v *version, set model.Watch) (*observer, error) {
	w, err := v.window()
	if w == nil || err != nil {
		return nil, err
	}
	size := set.Window
	if size == 0 {
		size = defaultWindow
	}
	return &observer{
		version: v, size: int64(size), window: w, draw: newSampler(in.rate, v.number),
		verdict: &verdict{model: name, version: v.number, thresholds: set.Thresholds(), columns: map[string]*steadiness{}},
		compare: func(o *observer, w *drift.Window, began time.Time) {
			in.running.Go(func() { in.inspect(ctx, o, w, began) })
		},
	}, nil
}

// inspect compares a full window and gives it back.
func (in *inspector) inspect(ctx context.Context, o *observer, w *drift.Window, began time.Time) {
	select {
	case in.turn <- struct{}{}:
	case <-ctx.Done():
		return
	}
	report := w.Report(o.verdict.thresholds)
	<-in.turn
	o.refill(w)
	event, told := o.verdict.take(&report, began, time.Now().UTC())
	if event == nil || in.announce == nil {
		return
	}
	if err := in.tell(ctx, o.verdict.model, event); err != nil {
		if ctx.Err() == nil {
			in.log.Error().Err(err).Str("model", o.verdict.model).Msg("drift could not be announced; the next window tries again")
		}
		return
	}
	told()
	in.log.Info().Str("model", o.verdict.model).Uint64("version", event.Version).Bool("drifted", event.Drifted).
		Int("columns", len(event.Columns)).Strs("recovered", event.Recovered).Msg("drift has changed")
}

func (in *inspector) tell(ctx context.Context, name string, event *wire.DriftEvent) error {
	data, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("encoding a drift event: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, announceTimeout)
	defer cancel()
	return in.announce(ctx, registry.Event{
		Model: name, Kind: wire.KindDrift, Data: data,
		ID: fmt.Sprintf("%s-%d-%s", wire.SourceFeatures, event.Version, nuid.Next()),
	})
}

// A verdict is what the windows of a version have said so far.
type verdict struct {
	model      string
	version    uint64
	thresholds drift.Thresholds

	mu      sync.Mutex // guards all below
	columns map[string]*steadiness
	last    wire.FeatureDrift
}

// steadiness is whether a column has drifted, and how long windows have said otherwise.
type steadiness struct {
	drifted bool
	told    bool      // what was announced last
	against int       // windows in a row
	since   time.Time // the beginning of the first of these, then of the state
}

// note takes what a window that began then says of the column.
func (s *steadiness) note(drifted bool, began time.Time) {
	if drifted == s.drifted {
		s.against = 0
		return
	}
	if s.against == 0 {
		s.since = began
	}
	if s.against++; s.against == steadyWindows {
		s.drifted, s.against = drifted, 0
	}
}

// take takes a report of a window that began then, and returns the event to announce,
// nil if nothing has changed since the last one, and what notes that it was announced.
func (v *verdict) take(r *drift.Report, began, now time.Time) (event *wire.DriftEvent, told func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	event = &wire.DriftEvent{Source: wire.SourceFeatures, Version: v.version, Rows: r.Rows, Columns: []wire.DriftColumn{}}
	last := wire.FeatureDrift{Windows: v.last.Windows + 1, Rows: r.Rows, At: now, Drifted: []string{}, Columns: []wire.DriftColumn{}}
	changed := map[string]bool{}
	for i := range r.Columns {
		c := wire.NewDriftColumn(&r.Columns[i])
		last.Columns = few(last.Columns, c)
		s := v.columns[c.Feature]
		if s == nil {
			s = &steadiness{}
			v.columns[c.Feature] = s
		}
		s.note(c.Drifted, began)
		if s.drifted {
			event.Count++
			event.Columns = few(event.Columns, c)
			last.Drifted = few(last.Drifted, c.Feature)
		}
		if s.drifted == s.told {
			continue
		}
		changed[c.Feature] = s.drifted
		if !s.drifted {
			event.Recovered = few(event.Recovered, c.Feature)
		}
		if event.Since.IsZero() || s.since.Before(event.Since) {
			event.Since = s.since.UTC()
		}
	}
	last.Count, event.Drifted = event.Count, event.Count > 0
	v.last = last
	if len(changed) == 0 {
		return nil, nil
	}
	return event, func() { v.tell(changed) }
}

// few appends x to list if there are not too many to tell.
func few[T any](list []T, x T) []T {
	if len(list) == toldColumns {
		return list
	}
	return append(list, x)
}

// tell notes whether columns have drifted as it was announced. What windows have found
// meanwhile was not.
func (v *verdict) tell(drifted map[string]bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for name, is := range drifted {
		v.columns[name].told = is
	}
}

// watch has the rows of v, the lane's champion, compared with those it was trained on.
func (l *lane) watch(ctx context.Context, v *version) {
	before := l.observer.Load()
	if l.inspector == nil || v == nil || l.settings.serving.Drift.Off || before != nil && before.version == v {
		return
	}
	o, err := l.inspector.observer(ctx, l.name, v, l.settings.serving.Drift)
	if err != nil {
		l.log.Error().Err(err).Str("model", l.name).Uint64("version", v.number).Msg("drift is not watched: the version's reference cannot be read")
		o = &observer{version: v, verdict: &verdict{version: v.number, last: wire.FeatureDrift{Problem: err.Error()}}}
	}
	l.observer.Store(o)
}

// drifting returns what is known of the drift of the lane's rows, nil if they are not
// watched.
func (l *lane) drifting() *wire.FeatureDrift {
	o := l.observer.Load()
	if o == nil {
		return nil
	}
	o.verdict.mu.Lock()
	d := o.verdict.last
	o.verdict.mu.Unlock()
	if d.Windows == 0 {
		d.Drifted, d.Columns = []string{}, []wire.DriftColumn{}
	}
	d.Version, d.Window = o.version.number, int(o.size)
	d.Seen, d.Counted = o.counts()
	return &d
}
