package serve_test

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/embedded"
	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/serve"
	"github.com/modelbus/modelbus/stream/wire"
)

// row is one request about friedman.
const row = `{"instances": [[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]]}`

// status returns what a server tells of friedman.
func status(tb testing.TB, s *serve.Server) serve.Status {
	tb.Helper()
	for _, svc := range s.Services() {
		if svc.Name != "friedman" {
			continue
		}
		st, ok := svc.Endpoints[0].Data.(serve.Status)
		if !ok {
			tb.Fatalf("data of the endpoint: %T", svc.Endpoints[0].Data)
		}
		return st
	}
	tb.Fatal("friedman is not served")
	return serve.Status{}
}

// await waits until ok holds of what a server tells of friedman.
func await(t *testing.T, s *serve.Server, ok func(serve.Status) bool) serve.Status {
	t.Helper()
	for end := time.Now().Add(patience); ; <-time.After(2 * time.Millisecond) {
		st := status(t, s)
		if ok(st) {
			return st
		}
		if time.Now().After(end) {
			t.Fatalf("what was waited for does not come; the last status is %+v", st)
		}
	}
}

// two publishes two versions of friedman, the first as the champion, and serves them.
func two(t *testing.T) (*embedded.Server, *registry.Registry, *serve.Server) {
	t.Helper()
	srv := embeddedtest.Start(t)
	reg := openRegistry(t, srv)
	publish(t, reg, "friedman", registry.Champion, fitted(t, friedman))
	publish(t, reg, "friedman", "trial", fitted(t, func() made { return friedmanSeed(7) }))
	return srv, reg, run(t, srv, reg)
}

func split(t *testing.T, reg *registry.Registry, s registry.Split, servers ...*serve.Server) {
	t.Helper()
	if _, err := reg.SplitCanary(t.Context(), "friedman", 2, s, "", ""); err != nil {
		t.Fatal(err)
	}
	for _, srv := range servers {
		await(t, srv, func(st serve.Status) bool { return st.Canary != nil && st.Canary.Split == s && !st.Canary.Fallback })
	}
}

// asked returns the version that answers a request with a header.
func asked(nc *nats.Conn, subject string, h nats.Header) (string, error) {
	m := &nats.Msg{Subject: subject, Header: h, Data: []byte(row)}
	reply, err := nc.RequestMsg(m, patience)
	if err != nil {
		return "", err
	}
	p, err := wire.DecodeReply(reply)
	if err == nil && fmt.Sprint(p.Version) != reply.Header.Get(wire.HeaderVersion) {
		err = fmt.Errorf("version %d in the body, %s in the header", p.Version, reply.Header.Get(wire.HeaderVersion))
	}
	return reply.Header.Get(wire.HeaderVersion), err
}

// TestCanaryGetsItsShare has two servers answer 10,000 callers twice each, with -short
// 2,000: the canary gets its share, and each caller the version that the registry says,
// both times.
func TestCanaryGetsItsShare(t *testing.T) {
	t.Parallel()
	const share, callers = 0.1, 10_000
	srv, reg, first := two(t)
	second := run(t, srv, reg)
	s := registry.Split{Share: share}
	split(t, reg, s, first, second)
	conns := []*nats.Conn{embeddedtest.Join(t, srv), embeddedtest.Join(t, srv)}
	var mu sync.Mutex
	canary := 0
	var wg sync.WaitGroup
	for c := range 32 {
		wg.Go(func() {
			for i := c; i < callers; i += 32 {
				id := fmt.Sprint("user-", i)
				want := "1"
				if s.Takes("friedman", id) {
					want = "2"
				}
				for _, nc := range conns {
					if got, err := asked(nc, "modelbus.predict.friedman", nats.Header{"Modelbus-Id": {id}}); err != nil || got != want {
						t.Errorf("%s is answered by version %q, %v, want %s", id, got, err, want)
						return
					}
				}
				if want == "2" {
					mu.Lock()
					canary++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	want := float64(callers) * share
	if off := math.Abs(float64(canary) - want); off > 5*math.Sqrt(want*(1-share)) {
		t.Errorf("the canary answered %d of %d callers, want about %v", canary, callers, want)
	}
	a, b := status(t, first), status(t, second)
	if sum := a.Canary.Requests + b.Canary.Requests; sum != 2*uint64(canary) || a.Canary.Requests == 0 || b.Canary.Requests == 0 {
		t.Errorf("the servers count %d and %d requests to the canary, want some each and %d in all", a.Canary.Requests, b.Canary.Requests, 2*canary)
	}
}

// TestCanaryByWhatCallersShow tells callers apart by a header, an id, or a connection.
func TestCanaryByWhatCallersShow(t *testing.T) {
	t.Parallel()
	srv, reg, server := two(t)
	s := registry.Split{Share: 0.5, By: "Tenant"}
	split(t, reg, s, server)
	nc := embeddedtest.Join(t, srv)
	version := func(key string) string {
		if s.Takes("friedman", key) {
			return "2"
		}
		return "1"
	}
	for i := range 50 {
		tenant, id := fmt.Sprint("tenant-", i%10), fmt.Sprint("id-", i)
		if got, err := asked(nc, "modelbus.predict.friedman", nats.Header{"Tenant": {tenant}, "Modelbus-Id": {id}}); err != nil || got != version(tenant) {
			t.Errorf("%s: version %q, %v, want %s", tenant, got, err, version(tenant))
		}
		if got, err := asked(nc, "modelbus.predict.friedman", nats.Header{"Modelbus-Id": {id}}); err != nil || got != version(id) {
			t.Errorf("%s: version %q, %v, want %s", id, got, err, version(id))
		}
		for subject, want := range map[string]string{
			"modelbus.predict.friedman.champion": "1", "modelbus.predict.friedman.1": "1", "modelbus.predict.friedman.canary": "2", "modelbus.predict.friedman.2": "2",
		} {
			if got, err := asked(nc, subject, nats.Header{"Tenant": {tenant}}); err != nil || got != want {
				t.Errorf("%s: version %q, %v, want %s", subject, got, err, want)
			}
		}
	}
	seen := map[string]int{}
	for range 40 {
		nc := embeddedtest.Join(t, srv)
		first, err := asked(nc, "modelbus.predict.friedman", nil)
		if err != nil {
			t.Fatal(err)
		}
		seen[first]++
		for range 5 {
			if got, err := asked(nc, "modelbus.predict.friedman", nil); err != nil || got != first {
				t.Errorf("a connection that version %s answered is answered by %q, %v", first, got, err)
			}
		}
	}
	if len(seen) != 2 {
		t.Errorf("40 connections are answered by %v, want two versions", seen)
	}
	if err := reg.RemoveAlias(t.Context(), "friedman", "canary", "", ""); err != nil {
		t.Fatal(err)
	}
	await(t, server, func(st serve.Status) bool { return st.Canary == nil })
	for i := range 50 {
		if got, err := asked(nc, "modelbus.predict.friedman", nats.Header{"Tenant": {fmt.Sprint("tenant-", i)}}); err != nil || got != "1" {
			t.Errorf("without a canary: version %q, %v, want 1", got, err)
		}
	}
}

// TestCanaryThatCannotBeLoaded leaves its share to the champion, and says so.
func TestCanaryThatCannotBeLoaded(t *testing.T) {
	t.Parallel()
	srv, reg, server := two(t)
	split(t, reg, registry.Split{Share: 1}, server)
	digest, err := reg.PutArtifact(t.Context(), []byte("not an artifact"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reg.Publish(t.Context(), registry.Version{Model: "friedman", Digest: digest}, &registry.Promotion{Alias: registry.Canary, If: 2}, nil); err != nil {
		t.Fatal(err)
	}
	st := await(t, server, func(st serve.Status) bool { return st.Canary != nil && st.Canary.Fallback && st.Problem != "" })
	if st.Canary.Version != 3 || st.Canary.Share != 1 || !strings.Contains(st.Problem, "canary") || !strings.Contains(st.Problem, "the champion answers its share") {
		t.Errorf("status %+v, %q", st.Canary, st.Problem)
	}
	if got, err := asked(embeddedtest.Join(t, srv), "modelbus.predict.friedman", nil); err != nil || got != "1" {
		t.Errorf("version %q answers, %v, want the champion, 1", got, err)
	}
}

// TestMissingTargets asks for what a model does not have: the answer says what it has.
func TestMissingTargets(t *testing.T) {
	srv, _, _ := two(t)
	nc := embeddedtest.Join(t, srv)
	for target, want := range map[string]string{
		"9":     `not found: model "friedman" has no version 9; it has versions 1 and 2; champion is version 1; trial is version 2`,
		"trail": `not found: model "friedman" has no alias "trail", did you mean "trial"? It has versions 1 and 2; champion is version 1; trial is version 2`,
	} {
		if _, err := asked(nc, "modelbus.predict.friedman."+target, nil); err == nil || err.Error() != want {
			t.Errorf("%s is answered %v, want %s", target, err, want)
		}
	}
}
