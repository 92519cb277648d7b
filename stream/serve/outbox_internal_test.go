package serve

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/stream/wire"
)

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
	if got := h.status("iris").Lost; got != 1 {
		t.Errorf("lost = %d, want 1", got)
	}
	if got := h.log.String(); !strings.Contains(got, "modelbus.result.iris") {
		t.Errorf("log = %s, want it to tell of the lost result", got)
	}
}
