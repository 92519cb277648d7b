package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/registry/cache"
	"github.com/modelbus/modelbus/stream/wire"
)

// keptOnDemand is how many versions that no alias names stay loaded for
// requests that ask for them by number.
const keptOnDemand = 4

// A store is where a lane finds its versions: a [registry.Registry].
type store interface {
	Aliases(ctx context.Context, model string) (map[string]registry.Move, error)
	Versions(ctx context.Context, model string) ([]registry.Version, error)
	Resolve(ctx context.Context, ref registry.Ref) (registry.Version, error)
	OpenArtifact(ctx context.Context, digest string, size int64) (*cache.Artifact, error)
}

// A decoder plans how an artifact is computed, which answers as ans.
type decoder func(artifact *cache.Artifact, ans wire.Answer, lim limits) (plan, error)

// decodeModel uses the weights where they are mapped. From an artifact in memory it
// takes them out, so that the rest, which may be twice as large, can go.
func decodeModel(artifact *cache.Artifact, ans wire.Answer, lim limits) (plan, error) {
	m, err := model.Open(artifact)
	if err != nil {
		return plan{}, err
	}
	m.DropTraining()
	if !artifact.Mapped() {
		if err := m.Detach(); err != nil {
			return plan{}, err
		}
	}
	params := m.Params()
	lim = lim.sized(params)
	return plan{
		make: func() batch { return newModelBatch(m, ans, lim) }, params: params, schema: m.Schema(), window: m.NewWindow,
		told: toldClasses(m),
	}, nil
}

// maxTold bounds the classes that are captured with each request.
const maxTold = 100

// toldClasses returns the classes of a classification whose spec does not list them, if
// they are not too many: what is captured tells them, so that a label can be checked.
func toldClasses(m *model.Model) []string {
	l := &m.Schema().Label
	if l.Type != feature.Category || len(l.Classes) > 0 || len(m.Classes()) > maxTold {
		return nil
	}
	return m.Classes()
}

// follow makes the lane answer with what the aliases name now, one alias after
// the other, the champion first. What cannot be loaded leaves the alias where
// it was, to be tried again.
func (l *lane) follow(ctx context.Context) {
	k := &l.keeper
	aliases, err := l.lookAliases(ctx)
	if err != nil {
		k.looked = k.looked.again(err, time.Now())
		k.retry = k.looked.next
		l.report(ctx, err.Error())
		return
	}
	k.looked, k.retry = failure{}, time.Time{}
	next := l.splitAtOnce(aliases[registry.Canary])
	maps.DeleteFunc(next.aliases, func(alias string, _ *version) bool {
		return aliases[alias].To == 0 && alias != registry.Champion // which is never removed, only missed
	})
	var problems []string
	for _, alias := range inOrder(aliases) {
		if err := l.point(ctx, next, alias, aliases[alias].To); err != nil {
			if alias == registry.Canary && aliases[alias].Share > 0 {
				err = fmt.Errorf("%w (the champion answers its share)", err)
			}
			problems = append(problems, fmt.Sprintf("%s: %v", alias, err))
		}
	}
	next.setCanary(aliases[registry.Canary])
	old := l.setShadow(next, aliases[registry.Shadow].To)
	l.prune(ctx, next)
	l.live.Store(next)
	l.watch(ctx, next.aliases[registry.Champion])
	old.end()
	l.report(ctx, strings.Join(problems, "; "))
}

// splitAtOnce has the canary's share follow m before anything is loaded, which may take
// minutes, unless m names another version than is there. It returns a copy of what the
// lane answers with.
func (l *lane) splitAtOnce(m registry.Move) *live {
	next := l.live.Load().clone()
	if c := next.canary; c != nil && (m.To == 0 || m.Share == 0 || m.To == c.version.number) {
		next.setCanary(m)
		l.live.Store(next.clone())
	}
	return next
}

func (l *lane) lookAliases(ctx context.Context) (map[string]registry.Move, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	aliases, err := l.store.Aliases(ctx, l.name)
	if err != nil {
		return nil, fmt.Errorf("looking up the aliases of model %q: %w", l.name, err)
	}
	return aliases, nil
}

// inOrder returns the aliases that name a version, the champion first.
func inOrder(aliases map[string]registry.Move) []string {
	names := slices.DeleteFunc(slices.Collect(maps.Keys(aliases)), func(a string) bool { return aliases[a].To == 0 })
	slices.SortFunc(names, func(a, b string) int {
		switch {
		case a == registry.Champion:
			return -1
		case b == registry.Champion:
			return 1
		}
		return cmp.Compare(a, b)
	})
	return names
}

// point makes an alias name a version, loading it if need be, and lets requests
// see that at once.
func (l *lane) point(ctx context.Context, next *live, alias string, number uint64) error {
	before := next.aliases[alias]
	if before != nil && before.number == number {
		return nil
	}
	v := next.numbers[number]
	if v == nil {
		var err error
		if v, err = l.load(ctx, number); err != nil {
			k := &l.keeper
			if due := k.failed[number].next; k.retry.IsZero() || due.Before(k.retry) {
				k.retry = due
			}
			return err
		}
	}
	next.aliases[alias], next.numbers[number] = v, v
	l.pace.forget()
	l.live.Store(next.clone())
	event := l.log.Info().Str("model", l.name).Str("alias", alias).Uint64("version", number)
	if before != nil {
		event = event.Uint64("before", before.number)
	}
	event.Msg("alias is served")
	return nil
}

// prune forgets versions that no alias names, but for those that are still
// there and were asked for by number last.
func (l *lane) prune(ctx context.Context, next *live) {
	named := make(map[uint64]bool, len(next.aliases))
	for _, v := range next.aliases {
		named[v.number] = true
	}
	var loose []*version
	for number, v := range next.numbers {
		if named[number] {
			continue
		}
		if _, err := l.resolve(ctx, number); v.used.Load() == 0 || errors.Is(err, registry.ErrNotFound) {
			delete(next.numbers, number)
			continue
		}
		loose = append(loose, v)
	}
	slices.SortFunc(loose, func(a, b *version) int { return cmp.Compare(b.used.Load(), a.used.Load()) })
	for _, v := range loose[min(len(loose), keptOnDemand):] {
		delete(next.numbers, v.number)
	}
}

// demand returns the version that a target names, loading it if need be. Its
// error is an answer.
func (l *lane) demand(ctx context.Context, name string) (*version, error) {
	t, ok := parseTarget(name)
	if !ok {
		return nil, l.missing(name, "")
	}
	answers := l.live.Load()
	if v := answers.find(t); v != nil {
		return v, nil
	}
	if t.number == 0 {
		if problem := l.keeper.failing(); problem != "" {
			return nil, fmt.Errorf("%w: model %q: %s", wire.ErrUnavailable, l.name, problem)
		}
		if t.alias == registry.Champion {
			return nil, l.unpromoted(ctx)
		}
		return nil, l.absent(ctx, name)
	}
	v, err := l.load(ctx, t.number)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return nil, l.absent(ctx, name)
	case err != nil:
		return nil, fmt.Errorf("%w: %v", wire.ErrUnavailable, err) //nolint:errorlint // the cause's own code must not travel
	}
	v.used.Store(time.Now().UnixNano())
	next := answers.clone()
	next.numbers[t.number] = v
	l.prune(ctx, next)
	l.live.Store(next)
	return v, nil
}

// load fetches, decodes and warms up a version. What failed is not tried again
// before its time.
func (l *lane) load(ctx context.Context, number uint64) (*version, error) {
	k := &l.keeper
	f, failed := k.failed[number]
	if failed && time.Now().Before(f.next) {
		return nil, f.err
	}
	v, err := l.fetch(ctx, number)
	if err == nil {
		delete(k.failed, number)
		return v, nil
	}
	err = fmt.Errorf("loading version %d of model %q: %w", number, l.name, err)
	k.failed[number] = f.again(err, time.Now())
	return nil, err
}

func (l *lane) fetch(ctx context.Context, number uint64) (*version, error) {
	rec, err := l.resolve(ctx, number)
	if err != nil {
		return nil, err
	}
	select {
	case l.loads <- struct{}{}:
		defer func() { <-l.loads }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	for {
		artifact, err := l.store.OpenArtifact(ctx, rec.Digest, rec.Size)
		if err != nil {
			return nil, err
		}
		v, err := l.build(artifact, number)
		if !errors.Is(err, cache.ErrDamaged) {
			return v, err
		}
		l.log.Warn().Str("model", l.name).Uint64("version", number).Err(err).Msg("a cached file is downloaded again")
	}
}

func (l *lane) resolve(ctx context.Context, number uint64) (registry.Version, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return l.store.Resolve(ctx, registry.Ref{Model: l.name, Version: number})
}

// build makes a version of its artifact. A panic is an error like any other, and
// so is a mapped page that cannot be read: the server goes on with what it has.
func (l *lane) build(artifact *cache.Artifact, number uint64) (v *version, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			l.log.Error().Interface("panic", p).Bytes("stack", debug.Stack()).Msg("loading a version panicked")
			v, err = nil, fmt.Errorf("%w: decoding panicked: %v", wire.ErrInternal, p)
		}
	}()
	p, err := l.decode(artifact, wire.Answer{Model: l.name, Version: number}, l.limits)
	if err != nil {
		return nil, err
	}
	v = newVersion(number, p)
	b := p.make()
	if err := b.warm(); err != nil {
		return nil, err
	}
	v.giveBack(b)
	l.fit(p.params)
	return v, nil
}

// report notes what keeps aliases from being followed, for statistics, and
// logs it when it changes.
func (l *lane) report(ctx context.Context, problem string) {
	k := &l.keeper
	k.mu.Lock()
	before := k.failure
	k.failure = problem
	k.mu.Unlock()
	if problem != "" && problem != before && ctx.Err() == nil {
		l.log.Error().Str("model", l.name).Str("error", problem).Msg("versions could not be followed; what was loaded serves on")
	}
}
