package learn_test

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

// intercept returns a JetStream whose requests and writes of keys come by take first,
// which reports whether that is all for one of them. They are told by what comes after
// the API prefix.
func intercept(t *testing.T, nc *nats.Conn, prefix string, take func(rest string, m *nats.Msg) bool) jetstream.JetStream {
	t.Helper()
	_, err := nc.Subscribe(prefix+".>", func(m *nats.Msg) {
		rest := strings.TrimPrefix(m.Subject, prefix+".")
		if take(rest, m) {
			return
		}
		forward := &nats.Msg{Subject: "$JS.API." + rest, Reply: m.Reply, Header: m.Header, Data: m.Data}
		if strings.HasPrefix(rest, "$KV.") {
			forward.Subject = rest
		}
		if err := nc.PublishMsg(forward); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.NewWithAPIPrefix(nc, prefix)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// flaky returns a JetStream whose API answers the first request of each kind about
// each stream as it does while a leader is elected.
func flaky(t *testing.T, nc *nats.Conn) jetstream.JetStream {
	t.Helper()
	seen := map[string]bool{} // of the one goroutine of the subscription
	return intercept(t, nc, "flaky", func(rest string, m *nats.Msg) bool {
		tokens := strings.Split(rest, ".")
		what := strings.Join(tokens[:min(3, len(tokens))], ".")                                             // without a consumer's name
		if seen[what] || strings.HasPrefix(rest, "CONSUMER.MSG.NEXT.") || strings.HasPrefix(rest, "$KV.") { // they answer otherwise
			return false
		}
		seen[what] = true
		if err := m.Respond([]byte(`{"error":{"code":503,"err_code":10008,"description":"JetStream system temporarily unavailable"}}`)); err != nil {
			t.Error(err)
		}
		return true
	})
}

// TestLeaderChange sets up and trains while each thing that is asked of JetStream
// is refused once for want of a leader.
func TestLeaderChange(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	js := flaky(t, nc)
	if err := learn.Setup(t.Context(), js, wire.Subjects{}, 0); err != nil {
		t.Fatalf("Setup() = %v", err)
	}
	reg, err := registry.Create(t.Context(), js, registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	settle(t, reg)
	plain, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	d := &deployment{nc: nc, js: plain, reg: reg, events: make(chan *nats.Msg, 65536)}
	if _, err := nc.ChanSubscribe("modelbus.event.>", d.events); err != nil {
		t.Fatal(err)
	}
	if d.trainer, err = learn.New(nc, reg, learn.Options{}); err != nil {
		t.Fatal(err)
	}
	d.stop = run(t, d.trainer)
	d.create(t, spec)
	d.publish(t, "iris", `{"features": [1], "label": "left"}`)
	for i := range uint64(2) {
		d.points(t, "iris", 60, i)
		if got := d.train(t, wire.TrainRequest{}); got.kind != "promoted" {
			t.Errorf("training: %+v, want it promoted", got)
		}
		d.publish(t, "iris", `{"features": [1, 2, 3], "label": "left"}`)
	}
	if got := len(d.dead(t)); got != 2 {
		t.Errorf("%d messages on the dead subject, want 2", got)
	}
}
