package serve

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/stream/wire"
)

func TestOverload(t *testing.T) {
	t.Parallel()
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
		if err, ok := errors.AsType[*wire.Error](wire.ErrorFrom(m)); !ok || !err.Retryable {
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
	if e := h.service("slow").Endpoints[0]; e.Errors != 2 || e.Requests != 7 || h.status("slow").Overloaded != 2 {
		t.Errorf("statistics = %+v, want 7 requests, 2 errors, 2 overloaded", e)
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
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
	if got := h.status("iris"); got.Late != 2 {
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
	for end := time.Now().Add(patience); h.status(name).Queue.Waiting != n; {
		if time.Now().After(end) {
			h.t.Fatalf("%d requests do not come to wait", n)
		}
		if err := h.client.Flush(); err != nil {
			h.t.Fatal(err)
		}
	}
}

func TestBadAmongGood(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
	h := build(t, Options{})
	h.create("iris", `"workers": 1, "batch_limit": 3`)
	h.publish("iris", "champion", 1, "one")
	h.start()
	h.together("0", "1", "2", "3", "4", "5", "6", "7")
	if want := []int{1, 3, 3, 2}; !slices.Equal(h.sizes.all, want) {
		t.Errorf("batches = %v rows, want %v", h.sizes.all, want)
	}
}
