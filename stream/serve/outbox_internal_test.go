package serve

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/stream/wire"
)

func TestNobodyWaits(t *testing.T) {
	t.Parallel()
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
	bad := []string{"modelbus.predict.iris", "modelbus.predict.nobody", "modelbus.predict.iris.9", "modelbus.predict.a.b.c", "modelbus.predict.*"}
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
		bad[4]: "modelbus.dead.unknown",
	} {
		if got[subject] != want {
			t.Errorf("dead subject of %s = %q, want %q", subject, got[subject], want)
		}
	}
}

// stored returns the n messages that a stream holds.
func stored(t *testing.T, js jetstream.JetStream, name string, n int) []jetstream.Msg {
	t.Helper()
	stream, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if got := stream.CachedInfo().State.Msgs; got != uint64(n) {
		t.Fatalf("stream %s holds %d messages, want %d", name, got, n)
	}
	cons, err := stream.OrderedConsumer(t.Context(), jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := cons.Fetch(n, jetstream.FetchMaxWait(patience))
	if err != nil {
		t.Fatal(err)
	}
	var all []jetstream.Msg
	for m := range batch.Messages() {
		all = append(all, m)
	}
	if len(all) != n {
		t.Fatalf("%d of %d messages of stream %s came", len(all), n, name)
	}
	return all
}

// TestOutboxEnds closes an outbox whose messages no stream takes.
func TestOutboxEnds(t *testing.T) {
	t.Parallel()
	const messages = 500
	box, err := newOutbox(embeddedtest.Connect(t), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	for range messages {
		box.put(&nats.Msg{Subject: "modelbus.result.iris", Header: nats.Header{}, Data: []byte("x")})
	}
	box.drain = 100 * time.Millisecond
	done := make(chan struct{})
	go func() {
		defer close(done)
		box.close()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("close did not return %v after its time", patience)
	}
	if got := box.lost.Load(); got != messages {
		t.Errorf("lost = %d, want all %d counted", got, messages)
	}
}

// TestTooLargeForAStream has a result and a dead request that fit no message.
func TestTooLargeForAStream(t *testing.T) {
	t.Parallel()
	h := build(t, Options{})
	h.create("iris", "")
	h.publish("iris", "champion", 1, strings.Repeat("long", 1000))
	js, err := jetstream.New(h.client)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "MODELBUS_DEAD", Subjects: []string{"modelbus.dead.>"}}); err != nil {
		t.Fatal(err)
	}
	h.start()
	room := int(h.client.MaxPayload())
	for subject, size := range map[string]int{"modelbus.predict.iris": room - 2000, "modelbus.predict.nobody": room} {
		if err := h.client.Publish(subject, bytes.Repeat([]byte("x"), size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.client.Flush(); err != nil {
		t.Fatal(err)
	}
	h.stop()
	for _, m := range stored(t, js, "MODELBUS_DEAD", 2) {
		reason, size := m.Headers().Get(wire.HeaderReason), len(m.Data())
		switch m.Headers().Get(wire.HeaderSubject) {
		case "modelbus.predict.iris":
			if size != room-2000 || !strings.Contains(reason, "bytes") {
				t.Errorf("request with too large a result is dead with %d bytes and reason %q, want it whole", size, reason)
			}
		case "modelbus.predict.nobody":
			if size != 0 || !strings.Contains(reason, "nobody") || !strings.Contains(reason, fmt.Sprint(room)) {
				t.Errorf("dead request without room has %d bytes and reason %q, want none and its size", size, reason)
			}
		}
	}
	if got := h.status("iris").Lost; got != 0 {
		t.Errorf("lost = %d, want 0", got)
	}
}

// TestResultsAreNotLostSilently has no stream to store results in.
func TestResultsAreNotLostSilently(t *testing.T) {
	t.Parallel()
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
