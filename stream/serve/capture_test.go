package serve_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/embedded"
	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/serve"
	"github.com/modelbus/modelbus/stream/wire"
)

// capturing is friedman with what it answers kept.
func capturing() made {
	m := friedman()
	m.spec += "capture: 1h\n"
	return m
}

// captured starts a server of a model that captures.
func captured(t *testing.T) (*embedded.Server, *registry.Registry, *serve.Server, jetstream.Stream) {
	t.Helper()
	srv := embeddedtest.Start(t)
	reg := openRegistry(t, srv)
	if err := learn.Setup(t.Context(), reg.JetStream(), wire.Subjects{}, 1); err != nil {
		t.Fatal(err)
	}
	publish(t, reg, "friedman", registry.Champion, fitted(t, capturing))
	s, err := reg.JetStream().Stream(t.Context(), "MODELBUS_CAPTURE")
	if err != nil {
		t.Fatal(err)
	}
	return srv, reg, run(t, srv, reg), s
}

func kept(t *testing.T, s jetstream.Stream, id string) (*wire.Capture, *jetstream.RawStreamMsg) {
	t.Helper()
	m, err := s.GetLastMsgForSubject(t.Context(), "modelbus.capture.friedman."+id)
	if err != nil {
		t.Fatalf("what is captured of %s: %v", id, err)
	}
	c, err := wire.DecodeCapture(m.Data)
	if err != nil {
		t.Fatal(err)
	}
	return c, m
}

func TestCaptureKeepsWhatWasAnswered(t *testing.T) {
	t.Parallel()
	srv, _, server, stream := captured(t)
	nc := embeddedtest.Join(t, srv)
	rows := [][]float32{{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {9, 8, 7, 6, 5, 4, 3, 2, 1, 0}}
	ask := func(h nats.Header) (*wire.Predictions, *nats.Msg) {
		m, err := nc.RequestMsg(&nats.Msg{Subject: "modelbus.predict.friedman", Header: h, Data: instances(t, rows)}, patience)
		if err != nil {
			t.Fatal(err)
		}
		p, err := wire.DecodeReply(m)
		if err != nil {
			t.Fatal(err)
		}
		return p, m
	}
	given, _ := ask(nats.Header{"Modelbus-Id": {"mine-1"}})
	if given.ID != "mine-1" {
		t.Errorf("the id that comes back is %q", given.ID)
	}
	made, _ := ask(nil)
	if wire.CheckID(made.ID) != nil {
		t.Errorf("the id that the server made is %q", made.ID)
	}
	for _, h := range []nats.Header{{"Modelbus-Observe": {"off"}}, {"Modelbus-Observe": {"off"}, "Modelbus-Id": {"no.token"}}} {
		if test, _ := ask(h); test.ID != h.Get("Modelbus-Id") {
			t.Errorf("the id of a request that is not observed is %q, want %q", test.ID, h.Get("Modelbus-Id"))
		}
	}
	ask(nats.Header{"Modelbus-Id": {"mine-1"}})
	st := await(t, server, func(st serve.Status) bool { return st.Capture.Stored+st.Capture.Repeated+st.Capture.Dropped == 3 })
	if *st.Capture != (serve.CaptureStatus{Stored: 2, Repeated: 1}) {
		t.Errorf("captures %+v, want 2 stored and 1 repeated", st.Capture)
	}
	for id, want := range map[string]*wire.Predictions{"mine-1": given, made.ID: made} {
		c, m := kept(t, stream, id)
		if c.Version != 1 || c.Model != "friedman" || time.Since(c.Time) > patience || m.Header.Get("Nats-TTL") != "1h0m0s" || len(c.Predictions) != 2 {
			t.Errorf("%s: %+v %v", id, c, m.Header)
		}
		for i, p := range c.Predictions {
			var features struct{ X []float32 }
			if err := json.Unmarshal(c.Instances[i], &features); err != nil || fmt.Sprint(features.X) != fmt.Sprint(rows[i]) || p.Class || p.Value != float32(want.Values[i]) {
				t.Errorf("%s, row %d: %s → %+v, %v, want %v → %v", id, i, c.Instances[i], p, err, rows[i], want.Values[i])
			}
		}
	}
	m, err := nc.RequestMsg(&nats.Msg{Subject: "modelbus.predict.friedman", Header: nats.Header{"Modelbus-Id": {"not.a.token"}}, Data: []byte(row)}, patience)
	if err != nil || m.Header.Get("Nats-Service-Error-Code") != "400" || !strings.Contains(string(m.Data), "1 to 128") {
		t.Errorf("an id that cannot be one is answered %v, %v", m, err)
	}
}

func TestCaptureKeepsTheShadowsPredictions(t *testing.T) {
	t.Parallel()
	srv, reg, server, stream := captured(t)
	publish(t, reg, "friedman", registry.Shadow, fitted(t, func() made { return friedmanSeed(7) }))
	await(t, server, func(st serve.Status) bool { return st.Shadow != nil })
	nc := embeddedtest.Join(t, srv)
	if got, err := asked(nc, "modelbus.predict.friedman", nats.Header{"Modelbus-Id": {"a"}}); err != nil || got != "1" {
		t.Fatalf("version %q, %v", got, err)
	}
	await(t, server, func(st serve.Status) bool { return st.Capture.Stored == 1 })
	p, err := predict(nc, "modelbus.predict.friedman.2", []byte(row))
	if err != nil {
		t.Fatal(err)
	}
	c, _ := kept(t, stream, "a")
	if s := c.Shadow; s == nil || s.Version != 2 || len(s.Predictions) != 1 || s.Predictions[0].Value != float32(p.Values[0]) {
		t.Errorf("captured beside: %+v, want version 2 with %v", s, p.Values)
	}
}

// TestAnswersDoNotWaitForCapture has no stream to capture to: requests are answered as
// ever, and what is lost is counted.
func TestAnswersDoNotWaitForCapture(t *testing.T) {
	t.Parallel()
	srv := embeddedtest.Start(t)
	reg := openRegistry(t, srv)
	publish(t, reg, "friedman", registry.Champion, fitted(t, capturing))
	server := run(t, srv, reg)
	nc := embeddedtest.Join(t, srv)
	const n = 2000
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for range n {
		if _, err := nc.RequestWithContext(ctx, "modelbus.predict.friedman", []byte(row)); err != nil {
			t.Fatal(err)
		}
	}
	st := await(t, server, func(st serve.Status) bool { return st.Capture.Dropped == n })
	if *st.Capture != (serve.CaptureStatus{Dropped: n}) {
		t.Errorf("captures %+v", st.Capture)
	}
}

// TestConnectionOutlivesServers serves three times on one connection: nothing of that
// is left on it.
func TestConnectionOutlivesServers(t *testing.T) {
	srv := embeddedtest.Start(t)
	reg := openRegistry(t, srv)
	if err := learn.Setup(t.Context(), reg.JetStream(), wire.Subjects{}, 1); err != nil {
		t.Fatal(err)
	}
	publish(t, reg, "friedman", registry.Champion, fitted(t, capturing))
	nc, client := embeddedtest.Join(t, srv), embeddedtest.Join(t, srv)
	before := nc.NumSubscriptions()
	for i := range 3 {
		ctx, stop := context.WithCancel(t.Context())
		s := serve.New(nc, reg, serve.Options{})
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		select {
		case <-s.Ready():
		case err := <-done:
			t.Fatalf("Run ended early: %v", err)
		}
		id := nats.Header{"Modelbus-Id": {fmt.Sprint("id-", i)}}
		if _, err := asked(client, "modelbus.predict.friedman", id); err != nil {
			t.Error(err)
		}
		if err := client.Publish("modelbus.predict.friedman", []byte(row)); err != nil { // nobody waits: a result
			t.Error(err)
		}
		if err := client.Flush(); err != nil {
			t.Error(err)
		}
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
	}
	if after := nc.NumSubscriptions(); after != before {
		t.Errorf("%d subscriptions are left, there were %d", after, before)
	}
}
