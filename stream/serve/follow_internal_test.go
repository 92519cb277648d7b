package serve

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

func TestFollowsRegistry(t *testing.T) {
	t.Parallel()
	h := build(t, Options{})
	h.start()
	checkError(t, h.ask("modelbus.predict.iris", "x"), wire.ErrNotFound, 404)

	h.create("iris", "")
	h.publish("iris", "champion", 1, "one")
	h.await("one x")
	h.publish("iris", "champion", 2, "two")
	h.await("two x")
	h.publish("iris", "canary", 3, "three") // asked for at once: looked up if not followed yet
	if got := h.ask("modelbus.predict.iris.canary", "x"); string(got.Data) != "three x" {
		t.Errorf("new alias answers %s, want three x", got.Data)
	}
	h.create("iris", `"queue": 7, "workers": 1`)
	for h.status("iris").Queue.Limit != 7 {
		if got := h.ask("modelbus.predict.iris", "x"); string(got.Data) != "two x" {
			t.Fatalf("answer while the spec changes = %s, want two x", got.Data)
		}
	}
	h.remove("iris")
	for range 1000 {
		if m := h.ask("modelbus.predict.iris", "x"); m.Header.Get(wire.HeaderErrorCode) == "404" {
			return
		}
	}
	t.Error("a deleted model still answers")
}

// TestTellsOfChanges has the served models change, of which discovery hears.
func TestTellsOfChanges(t *testing.T) {
	t.Parallel()
	h := build(t, Options{})
	h.start()
	names := func() string {
		var names []string
		for _, s := range h.server.Services() {
			names = append(names, s.Name+" "+s.Started.String())
		}
		return strings.Join(names, ", ")
	}
	before := names()
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"created", func() { h.create("iris", "") }},
		{"another spec", func() { h.create("iris", `"queue": 7`) }},
		{"deleted", func() { h.remove("iris") }},
	} {
		changed := h.server.Changed()
		step.do()
		select {
		case <-changed:
		case <-time.After(patience):
			t.Fatalf("%s: not told of", step.name)
		}
		if got := names(); got == before {
			t.Errorf("%s: services are %q before and after", step.name, got)
		}
		before = names()
	}
}

// slowStore has the look-up of versions wait until open is closed.
type slowStore struct {
	store

	entered chan struct{}
	open    chan struct{}
}

func (s *slowStore) Resolve(ctx context.Context, ref registry.Ref) (registry.Version, error) {
	s.entered <- struct{}{}
	select {
	case <-s.open:
		return s.store.Resolve(ctx, ref)
	case <-ctx.Done():
		return registry.Version{}, ctx.Err()
	}
}

// TestSpecChangeWhileLoading has the spec change while one request waits for a
// version that is being loaded, and another for its turn: the new lane loads the
// versions and answers both.
func TestSpecChangeWhileLoading(t *testing.T) {
	t.Parallel()
	h := build(t, Options{})
	slow := &slowStore{store: h.server.store, entered: make(chan struct{}, 100), open: make(chan struct{})}
	h.server.store = slow
	h.create("iris", "")
	h.publish("iris", "", 3, "three")
	h.publish("iris", "", 4, "four")
	h.start()
	three, four := h.inbox(h.client.NewInbox()), h.inbox(h.client.NewInbox())
	h.send("modelbus.predict.iris.3", "x", three)
	<-slow.entered
	h.send("modelbus.predict.iris.4", "x", four)
	lane := (*h.server.table.Load())["iris"]
	for end := time.Now().Add(patience); ; {
		lane.keeper.mu.Lock()
		waiting := lane.keeper.waiting
		lane.keeper.mu.Unlock()
		if waiting == 1 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the second request does not wait for the keeper")
		}
		runtime.Gosched()
	}
	h.create("iris", `"queue": 7`)
	<-slow.entered // by the new lane
	close(slow.open)
	for sub, want := range map[*nats.Subscription]string{three: "three x", four: "four x"} {
		if got := next(t, sub); string(got.Data) != want {
			t.Errorf("answer = %s %v, want %s", got.Data, got.Header, want)
		}
	}
}

func TestUnloadableVersionLeavesOld(t *testing.T) {
	t.Parallel()
	for _, artifact := range []string{"corrupt", "panic"} {
		t.Run(artifact, func(t *testing.T) {
			h := build(t, Options{})
			h.create("iris", "")
			h.publish("iris", "champion", 1, "one")
			h.start()
			h.publish("iris", "champion", 2, artifact)
			for end := time.Now().Add(patience); h.status("iris").Problem == ""; {
				if time.Now().After(end) {
					t.Fatal("statistics never tell of the problem")
				}
				if got := h.ask("modelbus.predict.iris", "x"); string(got.Data) != "one x" {
					t.Fatalf("answer = %s, want one x", got.Data)
				}
			}
			if got := h.status("iris"); got.Version != 1 || !strings.Contains(got.Problem, "version 2") {
				t.Errorf("status = %+v, want version 1 and a problem with version 2", got)
			}
			checkError(t, h.ask("modelbus.predict.iris.2", "x"), wire.ErrUnavailable, 503)
			h.publish("iris", "", 2, "mended") // tried again without another move
			h.await("mended x")
			if got := h.status("iris"); got.Problem != "" {
				t.Errorf("problem = %q after it was mended, want none", got.Problem)
			}
		})
	}
}

func TestRegistryOutage(t *testing.T) {
	t.Parallel()
	h := build(t, Options{})
	h.create("iris", "")
	h.publish("iris", "champion", 1, "one")
	h.create("young", "")
	h.start()
	h.breakReads(errors.New("no leader"))
	h.publish("iris", "champion", 2, "two")
	checkError(t, h.ask("modelbus.predict.young", "x"), wire.ErrUnavailable, 503)
	checkError(t, h.ask("modelbus.predict.iris.7", "x"), wire.ErrUnavailable, 503)
	if got := h.ask("modelbus.predict.iris", "x"); string(got.Data) != "one x" {
		t.Errorf("answer = %s, want one x", got.Data)
	}
	h.breakReads(nil)
	h.await("two x")
}

// TestOutageIsNotHammered breaks the registry in a way that answers at once.
func TestOutageIsNotHammered(t *testing.T) {
	t.Parallel()
	h := build(t, Options{})
	h.create("iris", "")
	h.publish("iris", "champion", 1, "one")
	h.start()
	h.breakReads(errors.New("no leader"))
	before := h.reads.Load()
	h.create("iris", "") // a change to look at
	for end := time.Now().Add(3 * firstRetry); time.Now().Before(end); {
		h.ask("modelbus.predict.iris", "x")
	}
	if n := h.reads.Load() - before; n < 1 || n > 20 {
		t.Errorf("the registry was read %d times in %v of an outage, want a few with growing pauses", n, 3*firstRetry)
	}
}

// TestUnreadableModel has a record that cannot be read beside one that can.
func TestUnreadableModel(t *testing.T) {
	t.Parallel()
	h := build(t, Options{})
	h.create("iris", "")
	h.publish("iris", "champion", 1, "one")
	h.corrupt("broken")
	h.start()
	if got := h.ask("modelbus.predict.iris", "x"); string(got.Data) != "one x" {
		t.Errorf("answer = %s, want one x", got.Data)
	}
	h.corrupt("iris") // what was loaded serves on
	h.create("wine", "")
	h.publish("wine", "champion", 1, "red")
	for end := time.Now().Add(patience); ; {
		if got := h.ask("modelbus.predict.wine", "x"); string(got.Data) == "red x" {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a model beside unreadable ones is never served")
		}
	}
	if got := h.ask("modelbus.predict.iris", "x"); string(got.Data) != "one x" {
		t.Errorf("answer of a model whose record went bad = %s, want one x", got.Data)
	}
}

// TestSwaps moves the champion while many callers ask: each is answered once,
// with its own payload, by the version that its answer names.
func TestSwaps(t *testing.T) {
	t.Parallel()
	const callers, versions = 50, 40
	h := build(t, Options{})
	h.create("iris", "")
	h.publish("iris", "champion", 1, "v1")
	h.start()
	var ended atomic.Bool
	var wg sync.WaitGroup
	var answers atomic.Int64
	for c := range callers {
		wg.Go(func() {
			newest := ""
			for n := 0; !ended.Load(); n++ {
				payload := fmt.Sprintf("%d-%d", c, n)
				m, err := ask(h.client, "modelbus.predict.iris", payload)
				if err != nil {
					t.Errorf("request %s: %v", payload, err)
					return
				}
				answers.Add(1)
				version := m.Header.Get(wire.HeaderVersion)
				if want := "v" + version + " " + payload; string(m.Data) != want {
					t.Errorf("answer = %s, want %s", m.Data, want)
					return
				}
				newest = max(newest, fmt.Sprintf("%03s", version))
			}
		})
	}
	for v := uint64(2); v <= versions; v++ {
		h.publish("iris", "champion", v, fmt.Sprintf("v%d", v))
		h.await(fmt.Sprintf("v%d x", v))
	}
	ended.Store(true)
	wg.Wait()
	if got := h.service("iris").Endpoints[0]; got.Errors != 0 || got.Requests < uint64(answers.Load()) {
		t.Errorf("statistics = %d requests, %d errors, want at least %d and none", got.Requests, got.Errors, answers.Load())
	}
	if got := h.status("iris").Loaded; len(got) != 1 {
		t.Errorf("loaded versions = %v, want the champion alone", got)
	}
}

// TestOnDemand asks for more old versions than are kept.
func TestOnDemand(t *testing.T) {
	t.Parallel()
	const versions = 4 * keptOnDemand
	h := build(t, Options{})
	h.create("iris", "")
	for v := range uint64(versions) {
		h.publish("iris", "", v+1, fmt.Sprintf("v%d", v+1))
	}
	h.publish("iris", "champion", versions+1, "newest")
	h.start()
	var wg sync.WaitGroup
	for i := range 8 * versions {
		v := 1 + i%versions
		wg.Go(func() {
			m, err := ask(h.client, fmt.Sprintf("modelbus.predict.iris.%d", v), "x")
			if err != nil || string(m.Data) != fmt.Sprintf("v%d x", v) {
				t.Errorf("version %d answers %v, %v", v, m, err)
			}
		})
	}
	wg.Wait()
	if got := h.status("iris").Loaded; len(got) > 1+keptOnDemand {
		t.Errorf("loaded versions = %v, want at most %d beside the champion", got, keptOnDemand)
	}
}

// TestWaitingForLoadIsBounded holds the look-up of a version while more ask for it.
func TestWaitingForLoadIsBounded(t *testing.T) {
	t.Parallel()
	h := build(t, Options{})
	h.create("iris", `"queue": 2, "workers": 1`)
	h.publish("iris", "champion", 1, "one")
	h.publish("iris", "", 99, "old")
	h.start()
	sub := h.inbox(h.client.NewInbox())
	h.send("modelbus.predict.iris.99", "0", sub)
	<-h.looked
	for i := range 4 {
		h.send("modelbus.predict.iris.99", fmt.Sprint(i+1), sub)
		h.ask("modelbus.predict.iris", "x") // the one before has left the queue
	}
	for range 2 {
		checkError(t, next(t, sub), wire.ErrOverloaded, 429)
	}
	close(h.held)
	for range 3 {
		if m := next(t, sub); !strings.HasPrefix(string(m.Data), "old ") {
			t.Errorf("answer = %s, want one of the old version", m.Data)
		}
	}
}
