package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/embedded"
	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/registry/cache"
	"github.com/modelbus/modelbus/stream/service"
	"github.com/modelbus/modelbus/stream/wire"
)

func TestMain(m *testing.M) { embeddedtest.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = time.Minute

// fakeRegistry is a catalog and a store in memory.
type fakeRegistry struct {
	mu        sync.Mutex // guards all below
	models    map[string]registry.Model
	aliases   map[string]map[string]registry.Move
	artifacts map[string]string // by "model.number"
	broken    error             // what every read returns, nil for none
	watchers  map[chan registry.Change]bool

	reads atomic.Int64 // of models

	looked chan struct{} // gets a value when version 99 is looked up, which then waits for held
	held   chan struct{}
}

func newFakeRegistry() *fakeRegistry {
	return &fakeRegistry{
		models: map[string]registry.Model{}, aliases: map[string]map[string]registry.Move{},
		artifacts: map[string]string{}, watchers: map[chan registry.Change]bool{},
		looked: make(chan struct{}, 1000), held: make(chan struct{}),
	}
}

func (f *fakeRegistry) change(name string, fn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn()
	for w := range f.watchers {
		w <- registry.Change{Model: name}
	}
}

// create makes a model whose spec has that serving section.
func (f *fakeRegistry) create(name, serving string) {
	spec := fmt.Sprintf(`{"name": %q, "features": [{"name": "x", "type": "number"}], "label": {"name": "y", "type": "number"}, "serving": {%s}}`, name, serving)
	f.change(name, func() {
		f.models[name] = registry.Model{Name: name, Spec: []byte(spec), Created: time.Unix(1, 0)}
	})
}

// corrupt makes the record of a model one that cannot be read.
func (f *fakeRegistry) corrupt(name string) {
	f.change(name, func() { f.models[name] = registry.Model{} })
}

func (f *fakeRegistry) remove(name string) {
	f.change(name, func() {
		delete(f.models, name)
		delete(f.aliases, name)
	})
}

// publish stores an artifact as a version and has an alias name it.
func (f *fakeRegistry) publish(name, alias string, number uint64, artifact string) {
	f.change(name, func() {
		f.artifacts[fmt.Sprintf("%s.%d", name, number)] = artifact
		if alias == "" {
			return
		}
		if f.aliases[name] == nil {
			f.aliases[name] = map[string]registry.Move{}
		}
		f.aliases[name][alias] = registry.Move{Model: name, Alias: alias, To: number}
	})
}

func (f *fakeRegistry) breakReads(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = err
}

func (f *fakeRegistry) Models(context.Context) ([]registry.Model, error) {
	f.reads.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []registry.Model
	err := f.broken
	for name, m := range f.models {
		if m.Name == "" {
			err = errors.Join(err, fmt.Errorf("%w: %s", registry.ErrCorrupt, name))
			continue
		}
		all = append(all, m)
	}
	return all, err
}

func (f *fakeRegistry) Model(_ context.Context, name string) (registry.Model, error) {
	f.reads.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	m, ok := f.models[name]
	if !ok {
		return m, registry.ErrNotFound
	}
	if m.Name == "" {
		return m, registry.ErrCorrupt
	}
	return m, f.broken
}

func (f *fakeRegistry) Watch(ctx context.Context, fn func(registry.Change)) error {
	changes := make(chan registry.Change, 1000)
	f.mu.Lock()
	f.watchers[changes] = true
	f.mu.Unlock()
	fn(registry.Change{})
	for {
		select {
		case <-ctx.Done():
			return nil
		case c := <-changes:
			fn(c)
		}
	}
}

func (f *fakeRegistry) Aliases(_ context.Context, name string) (map[string]registry.Move, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := map[string]registry.Move{}
	maps.Copy(all, f.aliases[name])
	return all, f.broken
}

func (f *fakeRegistry) Versions(_ context.Context, name string) ([]registry.Version, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []registry.Version
	for number := range uint64(100) {
		if _, ok := f.artifacts[fmt.Sprintf("%s.%d", name, number)]; ok {
			all = append(all, registry.Version{Model: name, Number: number})
		}
	}
	return all, f.broken
}

func (f *fakeRegistry) Resolve(_ context.Context, ref registry.Ref) (registry.Version, error) {
	if ref.Version == 99 {
		f.looked <- struct{}{}
		<-f.held
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	digest := fmt.Sprintf("%s.%d", ref.Model, ref.Version)
	if f.broken != nil {
		return registry.Version{}, f.broken
	}
	if _, ok := f.artifacts[digest]; !ok {
		return registry.Version{}, registry.ErrNotFound
	}
	return registry.Version{Model: ref.Model, Number: ref.Version, Digest: digest}, nil
}

func (f *fakeRegistry) OpenArtifact(_ context.Context, digest string, _ int64) (*cache.Artifact, error) {
	f.mu.Lock()
	content, err := f.artifacts[digest], f.broken
	f.mu.Unlock()
	if content == "stalled" {
		f.looked <- struct{}{}
		<-f.held
	}
	return cache.Memory([]byte(content)), err
}

// gate lets tests hold workers while they compute.
type gate struct {
	entered chan struct{} // gets a value when a worker computes
	open    chan struct{} // closed to let all go on; a value lets one

	computing atomic.Value // the payload that entered last
	now, most atomic.Int32 // workers inside, and the most there were
}

func newGate() *gate {
	return &gate{entered: make(chan struct{}, 1000), open: make(chan struct{})}
}

func (g *gate) pass(payload []byte) {
	if now := g.now.Add(1); now > g.most.Load() {
		g.most.Store(now)
	}
	g.computing.Store(string(payload))
	g.entered <- struct{}{}
	<-g.open
	g.now.Add(-1)
}

// fakeBatch answers "<version of its artifact> <payload>". Payloads that begin with
// these words ask for more:
//
//	bad     cannot be decoded
//	poison  fails the batch it is in
//	panic   panics in the batch it is in
//	wait    waits for the gate
type fakeBatch struct {
	ans      wire.Answer
	artifact string
	gate     *gate
	payloads [][]byte
	lo       int
	sizes    *sizes
}

// sizes notes how many rows were computed together.
type sizes struct {
	mu  sync.Mutex // guards all
	all []int
}

func fakeDecoder(g *gate, s *sizes) decoder {
	return func(a *cache.Artifact, ans wire.Answer, _ limits) (plan, error) {
		artifact := a.Bytes()
		switch {
		case bytes.HasPrefix(artifact, []byte("corrupt")):
			return plan{}, fmt.Errorf("%w: %s", model.ErrArtifact, artifact)
		case bytes.HasPrefix(artifact, []byte("panic")):
			panic("decoding " + string(artifact))
		}
		return plan{make: func() batch {
			return &fakeBatch{ans: ans, artifact: string(artifact), gate: g, sizes: s}
		}}, nil
	}
}

func (b *fakeBatch) add(m *nats.Msg) (int, error) {
	if bytes.HasPrefix(m.Data, []byte("bad")) {
		return 0, fmt.Errorf("%w: bad payload", wire.ErrInvalid)
	}
	b.payloads = append(b.payloads, m.Data)
	return 1, nil
}

func (b *fakeBatch) run(lo, hi int, _ func()) error {
	if b.sizes != nil {
		b.sizes.mu.Lock()
		b.sizes.all = append(b.sizes.all, hi-lo)
		b.sizes.mu.Unlock()
	}
	b.lo = lo
	for _, p := range b.payloads[lo:hi] {
		switch word, _, _ := bytes.Cut(p, []byte(" ")); string(word) {
		case "poison":
			return fmt.Errorf("%w: poisoned", feature.ErrInvalid)
		case "panic":
			panic("asked to")
		case "wait":
			b.gate.pass(p)
		}
	}
	return nil
}

func (b *fakeBatch) encode(msg *nats.Msg, i, row int) error {
	if i != b.lo+row {
		return errors.New("row does not belong to the request")
	}
	msg.Data = append(msg.Data[:0], b.artifact...)
	msg.Data = append(msg.Data, ' ')
	msg.Data = append(msg.Data, b.payloads[i]...)
	return nil
}

func (b *fakeBatch) warm() error { return nil }

func (b *fakeBatch) reset() bool {
	b.payloads = b.payloads[:0]
	return true
}

// house is a server under test.
type house struct {
	*fakeRegistry

	t      *testing.T
	srv    *embedded.Server
	server *Server
	gate   *gate
	sizes  *sizes
	client *nats.Conn
	log    *bytes.Buffer
	stop   func() // ends the server and waits
}

// build returns a server that does not run yet.
func build(t *testing.T, opts Options) *house {
	t.Helper()
	h := &house{t: t, fakeRegistry: newFakeRegistry(), srv: embeddedtest.Start(t), gate: newGate(), sizes: &sizes{}, log: &bytes.Buffer{}}
	h.client = embeddedtest.Join(t, h.srv)
	opts.Logger = zerolog.New(zerolog.SyncWriter(h.log))
	h.server = newServer(embeddedtest.Join(t, h.srv), h.fakeRegistry, h.fakeRegistry, opts)
	h.server.decode = fakeDecoder(h.gate, h.sizes)
	return h
}

// start runs the server until the test ends or stop is called.
func (h *house) start() {
	h.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.server.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				h.t.Errorf("Run() = %v, want nil", err)
			}
		case <-time.After(patience):
			h.t.Error("Run did not return after its context ended")
		}
	})
	h.t.Cleanup(h.stop)
	select {
	case <-h.server.Ready():
	case <-time.After(patience):
		h.t.Fatal("server is not ready")
	}
}

// ask sends a request and returns the answer.
func (h *house) ask(subject, payload string, headers ...string) *nats.Msg {
	h.t.Helper()
	m, err := ask(h.client, subject, payload, headers...)
	if err != nil {
		h.t.Fatalf("%s %q: %v", subject, payload, err)
	}
	return m
}

func ask(nc *nats.Conn, subject, payload string, headers ...string) (*nats.Msg, error) {
	m := nats.NewMsg(subject)
	m.Data = []byte(payload)
	for i := 0; i < len(headers); i += 2 {
		m.Header[headers[i]] = []string{headers[i+1]}
	}
	return nc.RequestMsg(m, patience)
}

// await asks iris for x until the answer is want, which the server must come to.
func (h *house) await(want string) {
	h.t.Helper()
	const subject = "modelbus.predict.iris"
	got := ""
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if got = string(h.ask(subject, "x").Data); got == want {
			return
		}
	}
	h.t.Fatalf("%s answers %q, want %q in the end", subject, got, want)
}

// inbox subscribes to one more subject of its own.
func (h *house) inbox(subject string) *nats.Subscription {
	h.t.Helper()
	sub, err := h.client.SubscribeSync(subject)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.client.Flush(); err != nil {
		h.t.Fatal(err)
	}
	return sub
}

// send publishes a request whose answer comes to sub.
func (h *house) send(subject, payload string, sub *nats.Subscription) {
	h.t.Helper()
	if err := h.client.PublishRequest(subject, sub.Subject, []byte(payload)); err != nil {
		h.t.Fatal(err)
	}
}

func next(t *testing.T, sub *nats.Subscription) *nats.Msg {
	t.Helper()
	m, err := sub.NextMsg(patience)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// checkError checks that m carries want as its error.
func checkError(t *testing.T, m *nats.Msg, want error, status int) {
	t.Helper()
	if err := wire.ErrorFrom(m); !errors.Is(err, want) {
		t.Errorf("error = %v, want %v (body %s)", err, want, m.Data)
	}
	if got := m.Header.Get(wire.HeaderErrorCode); got != strconv.Itoa(status) {
		t.Errorf("%s = %q, want %d", wire.HeaderErrorCode, got, status)
	}
	if len(m.Data) == 0 {
		t.Error("error has no body")
	}
}

func (h *house) status(name string) Status {
	h.t.Helper()
	st, ok := h.service(name).Endpoints[0].Data.(Status)
	if !ok {
		h.t.Fatalf("data of service %q is no Status", name)
	}
	return st
}

func (h *house) service(name string) service.Service {
	h.t.Helper()
	for _, s := range h.server.Services() {
		if s.Name == name {
			return s
		}
	}
	h.t.Fatalf("no service %q", name)
	return service.Service{}
}
