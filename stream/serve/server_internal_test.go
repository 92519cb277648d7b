package serve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/stream/service"
	"github.com/modelbus/modelbus/stream/wire"
)

func TestAnswers(t *testing.T) {
	h := build(t, Options{})
	h.create("iris", "")
	h.publish("iris", "", 1, "one")
	h.publish("iris", "canary", 2, "two")
	h.publish("iris", "champion", 3, "three")
	h.create("untrained", "")
	h.start()

	tests := []struct {
		subject string
		want    string // answer
		version string
		err     error
		status  int
		says    string
	}{
		{subject: "modelbus.predict.iris", want: "three x", version: "3"},
		{subject: "modelbus.predict.iris.champion", want: "three x", version: "3"},
		{subject: "modelbus.predict.iris.canary", want: "two x", version: "2"},
		{subject: "modelbus.predict.iris.3", want: "three x", version: "3"},
		{subject: "modelbus.predict.iris.1", want: "one x", version: "1"},
		{subject: "modelbus.predict.iris.1", want: "one x", version: "1"},
		{subject: "modelbus.predict.iris.4", err: wire.ErrNotFound, status: 404, says: "champion is version 3"},
		{subject: "modelbus.predict.iris.0", err: wire.ErrNotFound, status: 404},
		{subject: "modelbus.predict.iris.01", err: wire.ErrNotFound, status: 404},
		{subject: "modelbus.predict.iris.99999999999999999999", err: wire.ErrNotFound, status: 404},
		{subject: "modelbus.predict.iris.nobody", err: wire.ErrNotFound, status: 404, says: "canary is version 2"},
		{subject: "modelbus.predict.Iris", err: wire.ErrNotFound, status: 404, says: `did you mean "iris"`},
		{subject: "modelbus.predict.something-else", err: wire.ErrNotFound, status: 404},
		{subject: "modelbus.predict.untrained", err: wire.ErrUnavailable, status: 503, says: "train"},
		{subject: "modelbus.predict.iris.canary.x", err: wire.ErrInvalid, status: 400, says: "modelbus.predict.<model>"},
		{subject: "modelbus.predict.ir$s", err: wire.ErrInvalid, status: 400},
	}
	for _, tt := range tests {
		t.Run(tt.subject, func(t *testing.T) {
			m := h.ask(tt.subject, "x", wire.HeaderID, "id-7", wire.HeaderTrace, "00-1-2-01")
			if got := m.Header.Get(wire.HeaderID) + " " + m.Header.Get(wire.HeaderTrace); got != "id-7 00-1-2-01" {
				t.Errorf("headers passed on = %q, want id-7 00-1-2-01", got)
			}
			if tt.err != nil {
				checkError(t, m, tt.err, tt.status)
				if !strings.Contains(string(m.Data), strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(tt.says, `"`, `\"`), "<", `\u003c`), ">", `\u003e`)) {
					t.Errorf("error = %s, want it to say %s", m.Data, tt.says)
				}
				return
			}
			if string(m.Data) != tt.want {
				t.Errorf("answer = %q, want %q", m.Data, tt.want)
			}
			if m.Header.Get(wire.HeaderModel) != "iris" || m.Header.Get(wire.HeaderVersion) != tt.version {
				t.Errorf("headers = %v, want model iris, version %s", m.Header, tt.version)
			}
		})
	}
}

func TestOnlySomeModels(t *testing.T) {
	h := build(t, Options{Models: []string{"iris"}})
	h.create("iris", "")
	h.publish("iris", "champion", 1, "one")
	h.create("adult", "")
	h.publish("adult", "champion", 1, "one")
	h.start()
	if got := h.ask("modelbus.predict.iris", "x"); string(got.Data) != "one x" {
		t.Errorf("answer = %q, want one x", got.Data)
	}
	if got := h.ask("modelbus.predict.iris.1", "x"); string(got.Data) != "one x" {
		t.Errorf("answer = %q, want one x", got.Data)
	}
	if m, err := ask(h.client, "modelbus.predict.adult", "x"); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("answer of a model not asked for = %v, %v, want %v", m, err, nats.ErrNoResponders)
	}
	if got := h.server.Services(); len(got) != 1 || got[0].Name != "iris" {
		t.Errorf("services = %+v, want iris alone", got)
	}
}

func TestFollowsRegistry(t *testing.T) {
	h := build(t, Options{})
	h.start()
	checkError(t, h.ask("modelbus.predict.iris", "x"), wire.ErrNotFound, 404)

	h.create("iris", "")
	h.publish("iris", "champion", 1, "one")
	h.await("modelbus.predict.iris", "x", "one x")
	h.publish("iris", "champion", 2, "two")
	h.await("modelbus.predict.iris", "x", "two x")
	h.publish("iris", "canary", 3, "three") // asked for at once: looked up if not followed yet
	if got := h.ask("modelbus.predict.iris.canary", "x"); string(got.Data) != "three x" {
		t.Errorf("new alias answers %s, want three x", got.Data)
	}
	h.create("iris", `"queue": 7, "workers": 1`)
	for h.server.Services()[0].Endpoints[0].Data.(Status).Queue.Limit != 7 {
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

func TestUnloadableVersionLeavesOld(t *testing.T) {
	for _, artifact := range []string{"corrupt", "panic"} {
		t.Run(artifact, func(t *testing.T) {
			h := build(t, Options{})
			h.create("iris", "")
			h.publish("iris", "champion", 1, "one")
			h.start()
			h.publish("iris", "champion", 2, artifact)
			status := func() Status { return h.server.Services()[0].Endpoints[0].Data.(Status) }
			for end := time.Now().Add(patience); status().Problem == ""; {
				if time.Now().After(end) {
					t.Fatal("statistics never tell of the problem")
				}
				if got := h.ask("modelbus.predict.iris", "x"); string(got.Data) != "one x" {
					t.Fatalf("answer = %s, want one x", got.Data)
				}
			}
			if got := status(); got.Version != 1 || !strings.Contains(got.Problem, "version 2") {
				t.Errorf("status = %+v, want version 1 and a problem with version 2", got)
			}
			checkError(t, h.ask("modelbus.predict.iris.2", "x"), wire.ErrUnavailable, 503)
			h.publish("iris", "", 2, "mended") // tried again without another move
			h.await("modelbus.predict.iris", "x", "mended x")
			if got := status(); got.Problem != "" {
				t.Errorf("problem = %q after it was mended, want none", got.Problem)
			}
		})
	}
}

func TestRegistryOutage(t *testing.T) {
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
	h.await("modelbus.predict.iris", "x", "two x")
}

func TestOverload(t *testing.T) {
	h := build(t, Options{})
	h.create("slow", `"queue": 4, "workers": 1, "batch_limit": 1`)
	h.publish("slow", "champion", 1, "one")
	h.create("fast", "")
	h.publish("fast", "champion", 1, "one")
	h.start()
	sub := h.inbox(h.client.NewInbox())
	h.send("modelbus.predict.slow", "wait", sub)
	<-h.gate.entered
	for i := range 6 { // four wait, two are refused
		h.send("modelbus.predict.slow", fmt.Sprint(i), sub)
	}
	for range 2 {
		m := next(t, sub)
		checkError(t, m, wire.ErrOverloaded, 429)
		if err := wire.ErrorFrom(m).(*wire.Error); !err.Retryable { //nolint:errorlint // it is one
			t.Errorf("error = %+v, want it retryable", err)
		}
	}
	if got := h.ask("modelbus.predict.fast", "x"); string(got.Data) != "one x" {
		t.Errorf("another model answers %s, want one x", got.Data)
	}
	close(h.gate.open)
	var got []string
	for range 5 {
		got = append(got, string(next(t, sub).Data))
	}
	slices.Sort(got)
	if want := []string{"one 0", "one 1", "one 2", "one 3", "one wait"}; !slices.Equal(got, want) {
		t.Errorf("answers = %q, want %q", got, want)
	}
	if e := h.service("slow").Endpoints[0]; e.Errors != 2 || e.Requests != 7 || e.Data.(Status).Overloaded != 2 {
		t.Errorf("statistics = %+v, want 7 requests, 2 errors, 2 overloaded", e)
	}
}

func TestDeadline(t *testing.T) {
	h := build(t, Options{})
	h.create("iris", `"workers": 1`)
	h.publish("iris", "champion", 1, "one")
	h.start()
	tests := []struct {
		name     string
		deadline string
		err      error
		status   int
	}{
		{name: "past", deadline: time.Now().Add(-time.Millisecond).Format(time.RFC3339Nano), err: wire.ErrDeadlineExceeded, status: 504},
		{name: "past in milliseconds", deadline: "1000", err: wire.ErrDeadlineExceeded, status: 504},
		{name: "ahead", deadline: time.Now().Add(time.Hour).Format(time.RFC3339Nano)},
		{name: "no time", deadline: "soon", err: wire.ErrInvalid, status: 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := h.ask("modelbus.predict.iris", "panic", wire.HeaderDeadline, tt.deadline)
			if tt.err == nil {
				tt.err, tt.status = wire.ErrInternal, 500 // it was computed, and panicked
			}
			checkError(t, m, tt.err, tt.status)
		})
	}
	if got := h.service("iris").Endpoints[0].Data.(Status); got.Late != 2 {
		t.Errorf("late = %d, want 2", got.Late)
	}
}

// together queues payloads while the only worker is held, so that they come in
// one batch, and returns their answers in order.
func (h *house) together(payloads ...string) []*nats.Msg {
	h.t.Helper()
	held := h.inbox(h.client.NewInbox())
	h.send("modelbus.predict.iris", "wait", held)
	<-h.gate.entered
	var subs []*nats.Subscription
	for _, p := range payloads {
		sub := h.inbox(h.client.NewInbox())
		h.send("modelbus.predict.iris", p, sub)
		subs = append(subs, sub)
	}
	h.awaitWaiting("iris", len(payloads))
	close(h.gate.open)
	next(h.t, held)
	var got []*nats.Msg
	for _, sub := range subs {
		got = append(got, next(h.t, sub))
	}
	return got
}

func (h *house) awaitWaiting(name string, n int) {
	h.t.Helper()
	for end := time.Now().Add(patience); h.service(name).Endpoints[0].Data.(Status).Queue.Waiting != n; {
		if time.Now().After(end) {
			h.t.Fatalf("%d requests do not come to wait", n)
		}
		if err := h.client.Flush(); err != nil {
			h.t.Fatal(err)
		}
	}
}

func TestBadAmongGood(t *testing.T) {
	h := build(t, Options{})
	h.create("iris", `"workers": 1`)
	h.publish("iris", "champion", 1, "one")
	h.start()
	got := h.together("a", "bad", "b", "poison", "c")
	for i, want := range []string{"one a", "", "one b", "", "one c"} {
		if want == "" {
			checkError(t, got[i], wire.ErrInvalid, 400)
			continue
		}
		if string(got[i].Data) != want {
			t.Errorf("answer %d = %s, want %s", i, got[i].Data, want)
		}
	}
	if want := []int{1, 4, 1, 1, 1, 1}; !slices.Equal(h.sizes.all, want) {
		t.Errorf("batches = %v rows, want %v: together, then alone", h.sizes.all, want)
	}
}

func TestPanicIsAnswered(t *testing.T) {
	h := build(t, Options{})
	h.create("iris", `"workers": 1`)
	h.publish("iris", "champion", 1, "one")
	h.start()
	for _, m := range h.together("a", "panic", "b") {
		checkError(t, m, wire.ErrInternal, 500)
	}
	if got := h.ask("modelbus.predict.iris", "x"); string(got.Data) != "one x" {
		t.Errorf("answer after a panic = %s, want one x", got.Data)
	}
	h.stop()
	if got := h.log.String(); !strings.Contains(got, "asked to") || !strings.Contains(got, "fakeBatch") {
		t.Errorf("log = %s, want the panic with its stack", got)
	}
}

func TestBatchLimit(t *testing.T) {
	h := build(t, Options{})
	h.create("iris", `"workers": 1, "batch_limit": 3`)
	h.publish("iris", "champion", 1, "one")
	h.start()
	h.together("0", "1", "2", "3", "4", "5", "6", "7")
	if want := []int{1, 3, 3, 2}; !slices.Equal(h.sizes.all, want) {
		t.Errorf("batches = %v rows, want %v", h.sizes.all, want)
	}
}

// TestSwaps moves the champion while many callers ask: each is answered once,
// with its own payload, by the version that its answer names.
func TestSwaps(t *testing.T) {
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
		h.await("modelbus.predict.iris", "x", fmt.Sprintf("v%d x", v))
	}
	ended.Store(true)
	wg.Wait()
	if got := h.service("iris").Endpoints[0]; got.Errors != 0 || got.Requests < uint64(answers.Load()) {
		t.Errorf("statistics = %d requests, %d errors, want at least %d and none", got.Requests, got.Errors, answers.Load())
	}
	if got := h.service("iris").Endpoints[0].Data.(Status).Loaded; len(got) != 1 {
		t.Errorf("loaded versions = %v, want the champion alone", got)
	}
}

// TestDrain ends the server while requests fly: what it took is answered, once.
func TestDrain(t *testing.T) {
	h := build(t, Options{})
	h.create("iris", `"queue": 100000`)
	h.publish("iris", "champion", 1, "one")
	h.start()
	second := newServer(embeddedtest.Join(t, h.srv), h.fakeRegistry, h.fakeRegistry, Options{})
	second.decode = fakeDecoder(h.gate, nil)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- second.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
	}()
	<-second.Ready()

	const requests = 20000
	sub := h.inbox(h.client.NewInbox())
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		t.Fatal(err)
	}
	for i := range requests {
		h.send("modelbus.predict.iris", fmt.Sprint(i), sub)
		if i == requests/2 {
			go h.stop()
		}
	}
	h.stop()
	seen := map[string]int{}
	for range requests {
		seen[string(next(t, sub).Data)]++
	}
	for i := range requests {
		if n := seen[fmt.Sprintf("one %d", i)]; n != 1 {
			t.Fatalf("request %d was answered %d times, want once", i, n)
		}
	}
	if m, err := sub.NextMsg(10 * time.Millisecond); err == nil {
		t.Errorf("one answer too many: %s", m.Data)
	}
}

func TestDrainAnswersTheQueue(t *testing.T) {
	h := build(t, Options{})
	h.create("iris", `"workers": 1`)
	h.publish("iris", "champion", 1, "one")
	h.start()
	sub := h.inbox(h.client.NewInbox())
	h.send("modelbus.predict.iris", "wait", sub)
	<-h.gate.entered
	for i := range 100 {
		h.send("modelbus.predict.iris", fmt.Sprint(i), sub)
	}
	h.awaitWaiting("iris", 100)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		h.stop()
	}()
	close(h.gate.open)
	for range 101 {
		if m := next(t, sub); !strings.HasPrefix(string(m.Data), "one ") {
			t.Errorf("answer = %s, want one of version one", m.Data)
		}
	}
	<-stopped
}

func TestNobodyWaits(t *testing.T) {
	h := build(t, Options{})
	h.create("iris", "")
	h.publish("iris", "champion", 1, "one")
	js, err := jetstream.New(h.client)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"result", "dead"} {
		if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "MODELBUS_" + strings.ToUpper(name), Subjects: []string{"modelbus." + name + ".>"}}); err != nil {
			t.Fatal(err)
		}
	}
	h.start()
	const good = 500
	for i := range good {
		if err := h.client.Publish("modelbus.predict.iris", []byte(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	bad := []string{"modelbus.predict.iris", "modelbus.predict.nobody", "modelbus.predict.iris.9", "modelbus.predict.a.b.c"}
	for _, subject := range bad {
		m := &nats.Msg{Subject: subject, Data: []byte("bad"), Header: nats.Header{"Own": {"kept"}, "Nats-Expected-Stream": {"OTHER"}}}
		if err := h.client.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.client.Flush(); err != nil {
		t.Fatal(err)
	}
	h.stop()

	seen := map[string]bool{}
	for _, m := range stored(t, js, "MODELBUS_RESULT", good) {
		if m.Subject() != "modelbus.result.iris" || m.Headers().Get(wire.HeaderVersion) != "1" {
			t.Errorf("result on %s with %v, want modelbus.result.iris and version 1", m.Subject(), m.Headers())
		}
		seen[string(m.Data())] = true
	}
	if len(seen) != good {
		t.Errorf("%d different results, want %d", len(seen), good)
	}
	got := map[string]string{}
	for _, m := range stored(t, js, "MODELBUS_DEAD", len(bad)) {
		got[m.Headers().Get(wire.HeaderSubject)] = m.Subject()
		if string(m.Data()) != "bad" || m.Headers().Get("Own") != "kept" || m.Headers().Get(wire.HeaderReason) == "" {
			t.Errorf("dead request = %s with %v, want it whole with its reason", m.Data(), m.Headers())
		}
	}
	for subject, want := range map[string]string{
		bad[0]: "modelbus.dead.iris", bad[1]: "modelbus.dead.nobody", bad[2]: "modelbus.dead.iris", bad[3]: "modelbus.dead.a",
	} {
		if got[subject] != want {
			t.Errorf("dead subject of %s = %q, want %q", subject, got[subject], want)
		}
	}
}

// stored returns the n messages that a stream holds.
func stored(t *testing.T, js jetstream.JetStream, name string, n int) []jetstream.Msg {
	t.Helper()
	cons, err := js.OrderedConsumer(t.Context(), name, jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := cons.Fetch(n+1, jetstream.FetchMaxWait(200*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	var all []jetstream.Msg
	for m := range batch.Messages() {
		all = append(all, m)
	}
	if len(all) != n {
		t.Fatalf("stream %s holds %d messages, want %d", name, len(all), n)
	}
	return all
}

// TestResultsAreNotLostSilently has no stream to store results in.
func TestResultsAreNotLostSilently(t *testing.T) {
	h := build(t, Options{})
	h.create("iris", "")
	h.publish("iris", "champion", 1, "one")
	h.start()
	if err := h.client.Publish("modelbus.predict.iris", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := h.client.Flush(); err != nil {
		t.Fatal(err)
	}
	h.stop()
	if got := h.service("iris").Endpoints[0].Data.(Status).Lost; got != 1 {
		t.Errorf("lost = %d, want 1", got)
	}
	if got := h.log.String(); !strings.Contains(got, "modelbus.result.iris") {
		t.Errorf("log = %s, want it to tell of the lost result", got)
	}
}

func TestTooLargeAnswer(t *testing.T) {
	h := build(t, Options{})
	h.create("iris", "")
	h.publish("iris", "champion", 1, strings.Repeat("v", int(h.client.MaxPayload())))
	h.start()
	checkError(t, h.ask("modelbus.predict.iris", "x"), wire.ErrTooLarge, 413)
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
