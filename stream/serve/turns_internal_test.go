package serve

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// lane returns the lane of a model.
func (h *house) lane(name string) *lane { return (*h.server.table.Load())[name] }

// awaitLine waits until n idle workers of a model have gone to wait for a turn.
func (h *house) awaitLine(name string, n int) {
	h.t.Helper()
	q := h.lane(name).queue
	for end := time.Now().Add(patience); ; {
		q.mu.Lock()
		gone := h.lane(name).settings.serving.Workers - q.idle
		q.mu.Unlock()
		if gone >= n {
			return
		}
		if time.Now().After(end) {
			h.t.Fatalf("%d workers of %s do not come to wait for a turn", n, name)
		}
		if err := h.client.Flush(); err != nil {
			h.t.Fatal(err)
		}
	}
}

// TestTurns has a model with more workers than there are turns, and a full queue of
// large requests, compete with a small one: the small one has its turn after those
// who waited before it, and never do more compute at once than there are turns.
func TestTurns(t *testing.T) {
	t.Parallel()
	const large, workers = 32, 4
	h := build(t, Options{})
	h.server.parallel = 1
	h.create("large", fmt.Sprintf(`"workers": %d, "batch_limit": 1`, workers))
	h.publish("large", "champion", 1, "one")
	h.create("small", `"workers": 1`)
	h.publish("small", "champion", 1, "one")
	h.start()
	larges, smalls := h.inbox(h.client.NewInbox()), h.inbox(h.client.NewInbox())
	for range large {
		h.send("modelbus.predict.large", "wait", larges)
	}
	<-h.gate.entered
	h.awaitLine("large", 2) // one computes, one waits
	h.send("modelbus.predict.small", "wait small", smalls)
	h.awaitLine("small", 1)
	computed := 0
	for answered := false; !answered; computed++ {
		h.gate.open <- struct{}{}
		<-h.gate.entered
		answered = h.gate.computing.Load() == "wait small"
	}
	if computed > large/2 {
		t.Errorf("the small model had its turn after %d of %d large ones", computed, large)
	}
	close(h.gate.open)
	if got := next(t, smalls); string(got.Data) != "one wait small" {
		t.Errorf("small answers %s", got.Data)
	}
	for range large {
		if got := next(t, larges); string(got.Data) != "one wait" {
			t.Errorf("large answers %s", got.Data)
		}
	}
	if got := h.gate.most.Load(); got != 1 {
		t.Errorf("%d batches were computed at once, want 1", got)
	}
}

// TestDesk holds every turn: requests that are known to be quick are answered all
// the same, those that are not wait.
func TestDesk(t *testing.T) {
	t.Parallel()
	h := build(t, Options{})
	h.server.parallel = 1
	h.create("slow", `"workers": 1`)
	h.publish("slow", "champion", 1, "one")
	h.create("quick", `"workers": 1`)
	h.publish("quick", "champion", 1, "one")
	h.start()
	slow, quick := h.inbox(h.client.NewInbox()), h.inbox(h.client.NewInbox())
	h.send("modelbus.predict.slow", "wait", slow)
	<-h.gate.entered

	h.send("modelbus.predict.quick", "not known yet", quick)
	h.awaitLine("quick", 1)
	l := h.lane("quick")
	settle := func() { // the machine may be busy, and what was answered last still be noted
		l.desk.mu.Lock()
		l.pace.each.Store(1)
		l.desk.mu.Unlock()
	}
	ask := func() *nats.Msg {
		settle()
		return h.ask("modelbus.predict.quick", "x")
	}
	if got := ask(); string(got.Data) != "one x" {
		t.Errorf("quick answers %s, want one x", got.Data)
	}
	if got := next(t, quick); string(got.Data) != "one not known yet" {
		t.Errorf("what waited before is answered with %s", got.Data)
	}
	settle()
	checkError(t, h.ask("modelbus.predict.quick", "panic"), wire.ErrInternal, 500)
	if got := ask(); string(got.Data) != "one x" {
		t.Errorf("after a panic quick answers %s, want one x", got.Data)
	}
	settle()
	h.publish("quick", "champion", 2, "two")
	for end := time.Now().Add(patience); l.live.Load().numbers[2] == nil && time.Now().Before(end); {
		h.status("quick")
	}
	if got := l.pace.of(1); got <= shortWork {
		t.Errorf("another version is taken to need %v, want more than %v until it was measured", got, shortWork)
	}
	close(h.gate.open)
	next(t, slow)
}

// TestStalledLoad has the download of one model's version hang: the others swap,
// and it answers with what it has.
func TestStalledLoad(t *testing.T) {
	t.Parallel()
	h := build(t, Options{})
	for _, name := range []string{"iris", "adult"} {
		h.create(name, "")
		h.publish(name, "champion", 1, "one")
	}
	h.start()
	defer close(h.held)
	h.publish("adult", "champion", 2, "stalled")
	<-h.looked
	h.publish("iris", "champion", 2, "two")
	h.await("two x")
	if got := h.ask("modelbus.predict.adult", "x"); string(got.Data) != "one x" {
		t.Errorf("the model that loads answers %s, want one x", got.Data)
	}
}

// TestCanaryEndsWhileLoading takes the canary away while the download of the next
// champion hangs: from then on the champion that there is answers all.
func TestCanaryEndsWhileLoading(t *testing.T) {
	t.Parallel()
	h := build(t, Options{})
	h.create("iris", "")
	h.publish("iris", "champion", 1, "one")
	h.publish("iris", "", 2, "two")
	split := func(to uint64, share float64) {
		h.change("iris", func() {
			h.aliases["iris"]["canary"] = registry.Move{Model: "iris", Alias: "canary", To: to, Split: registry.Split{Share: share}}
		})
	}
	split(2, 1)
	h.start()
	h.await("two x")
	defer close(h.held)
	h.publish("iris", "champion", 3, "stalled")
	<-h.looked
	if got := h.ask("modelbus.predict.iris", "x"); string(got.Data) != "two x" {
		t.Fatalf("the canary answers %s, want two x", got.Data)
	}
	h.held <- struct{}{} // the champion is loaded, and the next one hangs
	h.await("two x")
	h.change("iris", func() {
		h.artifacts["iris.4"] = "stalled"
		h.aliases["iris"]["champion"] = registry.Move{Model: "iris", Alias: "champion", To: 4}
		delete(h.aliases["iris"], "canary")
	})
	<-h.looked
	if got := h.ask("modelbus.predict.iris", "x"); string(got.Data) != "stalled x" {
		t.Errorf("once the canary has no share, %s answers, want the champion", got.Data)
	}
	if c := h.status("iris").Canary; c != nil {
		t.Errorf("a canary without a share is told of: %+v", c)
	}
}

func TestPace(t *testing.T) {
	t.Parallel()
	p := newPace()
	if got := p.of(1); got <= shortWork {
		t.Errorf("before any was measured a request takes %v, want more than %v", got, shortWork)
	}
	for range 50 {
		p.note(10, 20*time.Microsecond)
	}
	if got := p.of(10); got < 19*time.Microsecond || got > 21*time.Microsecond {
		t.Errorf("10 requests that take 20µs are expected to take %v", got)
	}
	p.note(1, time.Hour)
	if got := p.of(10); got > shortWork {
		t.Errorf("after one batch that lost its processor 10 requests take %v, more than %v", got, shortWork)
	}
	for range 50 {
		p.note(1, 2*time.Microsecond)
	}
	if got := p.of(1); got > 3*time.Microsecond {
		t.Errorf("that batch is not forgotten: %v", got)
	}
	for range 6 {
		p.note(1, time.Millisecond)
	}
	if got := p.of(1); got < shortWork {
		t.Errorf("after 6 batches of 1ms a request takes %v, want more than %v", got, shortWork)
	}
}

func TestLimitsFollowSize(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name         string
		given        limits
		params       int
		batch, queue int
	}{
		{name: "10-10-1", params: 121, batch: 256, queue: 1024},
		{name: "784-512-512-10", params: 669_706, batch: 256, queue: 1024},
		{name: "1024-4096-4096-1024", params: 25_174_016, batch: 42, queue: 1024},
		{name: "1 GiB", params: 1 << 28, batch: 8, queue: 256},
		{name: "8 GiB", params: math.MaxInt32, batch: 8, queue: 64},
		{name: "as the spec says", given: limits{batch: 512, queue: 3}, params: math.MaxInt32, batch: 512, queue: 3},
		{name: "nothing loaded", batch: 256, queue: 1024},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.given.sized(tt.params); got.batch != tt.batch || got.queue != tt.queue {
				t.Errorf("sized(%d) = %+v, want batch %d, queue %d", tt.params, got, tt.batch, tt.queue)
			}
		})
	}
}
