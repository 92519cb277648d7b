package serve

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// metadataBytes bounds one metadata value of a service.
const metadataBytes = 16 << 10

// settings are what a lane takes from its model's spec. A model whose settings
// change gets a new lane.
type settings struct {
	created     time.Time // of the model, without a place or monotonic clock
	serving     model.Serving
	description string
	task        string
	features    string // JSON
	label       string // JSON
	capture     time.Duration
}

// newSettings reads a model's spec. A spec that cannot be read (written by a
// later version, say) gives defaults with the error: its versions are served
// all the same.
func newSettings(m registry.Model) (settings, error) {
	spec, err := model.ParseSpec(m.Spec)
	if err != nil {
		return settings{created: m.Created.UTC(), serving: withDefaults(model.Serving{})}, fmt.Errorf("spec of model %q: %w", m.Name, err)
	}
	s := settings{
		created:     m.Created.UTC(),
		serving:     withDefaults(spec.Serving),
		capture:     time.Duration(spec.Capture),
		description: spec.Description,
		task:        "classification",
		features:    summary(spec.Schema.Features, len(spec.Schema.Features)),
		label:       summary(spec.Schema.Label, 1),
	}
	if spec.Schema.Label.Type == "number" {
		s.task = "regression"
	}
	if s.description == "" {
		s.description = "predicts " + spec.Schema.Label.Name
	}
	return s, nil
}

// withDefaults sets the workers. The other defaults depend on the size of a
// version, which is not known before it is loaded.
func withDefaults(s model.Serving) model.Serving {
	if s.Workers <= 0 {
		s.Workers = runtime.GOMAXPROCS(0)
	}
	return s
}

// summary returns v as JSON, or how many it has if that is too long to show.
func summary(v any, count int) string {
	b, err := json.Marshal(v)
	if err != nil || len(b) > metadataBytes {
		return fmt.Sprintf(`{"count":%d}`, count)
	}
	return string(b)
}

// A lane is one served model: its queue, the workers that take from it, the
// versions it answers with and the keeper that follows them.
type lane struct {
	*shared

	name     string
	settings settings
	limits   limits // of the settings
	started  time.Time

	queue    *queue
	live     atomic.Pointer[live]
	stats    *stats
	pace     *pace
	desk     desk
	observer atomic.Pointer[observer] // of the champion; nil: its rows are not compared
	atOnce   atomic.Int64             // requests that a worker takes at most

	routed   atomic.Uint64 // requests that went to the canary by its share
	captured captures
	shadows  sync.WaitGroup

	keeper  keeper
	heir    atomic.Pointer[lane] // what replaced it; nil: nothing yet, or the model is gone
	settled chan struct{}        // closed when the keeper has tried to load once
	stop    context.CancelFunc
	kept    sync.WaitGroup // the keeper
	workers sync.WaitGroup
}

// shared is what all lanes of a server have in common.
type shared struct {
	store     store
	decode    decoder
	loads     chan struct{} // a place for each load at once
	turns     turns
	maxRows   int
	post      *post
	capture   *capturer
	log       zerolog.Logger
	inspector *inspector // nil: no rows are compared
}

// newLane returns a lane that answers with what before, the lane it replaces,
// answers with; before may be nil.
func newLane(name string, set settings, sh *shared, before *lane) *lane {
	now := time.Now()
	l := &lane{
		name: name, settings: set, started: now, shared: sh,
		limits:  limits{request: sh.maxRows, batch: set.serving.BatchLimit, queue: set.serving.Queue},
		queue:   newQueue(cmp.Or(set.serving.Queue, mostQueue)),
		stats:   newStats(now),
		pace:    newPace(),
		keeper:  newKeeper(cmp.Or(set.serving.Queue, mostQueue)),
		settled: make(chan struct{}),
	}
	if before == nil {
		l.live.Store(&live{aliases: map[string]*version{}, numbers: map[uint64]*version{}})
	} else {
		l.live.Store(before.live.Load())
	}
	l.fit(l.live.Load().params())
	return l
}

// fit sets what is taken at once and what may wait by the size of a network.
func (l *lane) fit(params int) {
	lim := l.limits.sized(params)
	l.atOnce.Store(int64(lim.batch))
	l.queue.bound(lim.queue)
}

// start starts keeper and workers.
func (l *lane) start() {
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	l.kept.Go(func() { l.keep(ctx) })
	for range l.settings.serving.Workers {
		l.workers.Go(func() { newWorker(l).run() })
	}
}

// retire answers all that the lane has, but for what waits for versions to be
// loaded if it has an heir, who gets that, and ends it.
func (l *lane) retire() {
	l.stop()
	l.kept.Wait()
	l.queue.close()
	l.workers.Wait()
	if s := l.live.Load().shadow; s != nil && s.lane == l {
		s.end()
	}
	l.shadows.Wait()
}

func (l *lane) fail(r *request, err error) {
	r.done = true
	e := wire.ErrorOf(err)
	l.post.fail(l.name, r, e)
	now := time.Now()
	l.stats.failed(e, now.Sub(r.at), now)
}

// missing returns the error for a target that the model does not have; versions says which
// it has, if that is known.
func (l *lane) missing(name, versions string) error {
	what, then := fmt.Sprintf("alias %q", name), "; it has "
	if t, ok := parseTarget(name); !ok || t.number > 0 {
		what = "version " + name
	} else if near := registry.Near(name, l.live.Load().aliases); near != "" {
		then = fmt.Sprintf(", did you mean %q? It has ", near)
	}
	if versions != "" {
		then += versions
	} else {
		then += "other versions"
	}
	return fmt.Errorf("%w: model %q has no %s%s%s", wire.ErrNotFound, l.name, what, then, l.has())
}

// absent is missing, with the versions that the model has. It belongs to the keeper.
func (l *lane) absent(ctx context.Context, name string) error {
	k := &l.keeper
	if now := time.Now(); now.Sub(k.listed) > versionsAge {
		ctx, cancel := context.WithTimeout(ctx, lookTimeout)
		defer cancel()
		versions, err := l.store.Versions(ctx, l.name)
		if err != nil {
			return l.missing(name, "")
		}
		k.versions, k.listed = registry.Numbers(versions), now
	}
	return l.missing(name, k.versions)
}

// unpromoted returns the error for a model that has no champion: it tells what to do
// about that.
func (l *lane) unpromoted(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	versions, err := l.store.Versions(ctx, l.name)
	switch {
	case err != nil:
		return fmt.Errorf("%w: model %q has no champion, and its versions could not be looked up: %v", wire.ErrUnavailable, l.name, err) //nolint:errorlint // the cause's own code must not travel
	case len(versions) == 0:
		return fmt.Errorf("%w: model %q has no version yet: publish examples and train it", wire.ErrUnavailable, l.name)
	}
	newest := versions[len(versions)-1].Number
	has := fmt.Sprintf("it has version %d", newest)
	if len(versions) > 1 {
		has = fmt.Sprintf("it has %d versions, the newest is %d", len(versions), newest)
	}
	return fmt.Errorf("%w: model %s has no champion; %s: modelbus promote %s@%d", wire.ErrUnavailable, l.name, has, l.name, newest)
}

// has tells which versions the aliases name.
func (l *lane) has() string {
	aliases := l.live.Load().aliases
	var text strings.Builder
	for _, alias := range slices.Sorted(maps.Keys(aliases)) {
		fmt.Fprintf(&text, "; %s is version %d", alias, aliases[alias].number)
	}
	return text.String()
}
