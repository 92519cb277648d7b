package serve

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/stream/wire"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	h := build(t, Options{})
	h.create("iris", "")
	h.publish("iris", "", 1, "one")
	h.publish("iris", "canary", 2, "two")
	h.publish("iris", "champion", 3, "three")
	h.create("untrained", "")
	h.create("loose", "")
	h.publish("loose", "", 1, "loose")
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
		{subject: "modelbus.predict.something-else", err: wire.ErrNotFound, status: 404, says: "there is iris, loose, untrained"},
		{subject: "modelbus.predict.untrained", err: wire.ErrUnavailable, status: 503, says: "train"},
		{subject: "modelbus.predict.loose", err: wire.ErrUnavailable, status: 503, says: "loose has no champion; it has version 1: modelbus promote loose@1"},
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
				if !strings.Contains(string(m.Data), strings.ReplaceAll(tt.says, `"`, `\"`)) {
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
	t.Parallel()
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

func TestTooLargeAnswer(t *testing.T) {
	t.Parallel()
	h := build(t, Options{})
	h.create("iris", "")
	h.publish("iris", "champion", 1, strings.Repeat("v", int(h.client.MaxPayload())))
	h.start()
	checkError(t, h.ask("modelbus.predict.iris", "x"), wire.ErrTooLarge, 413)
}

// TestDrain ends the server while requests fly: what it took is answered, once.
func TestDrain(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
