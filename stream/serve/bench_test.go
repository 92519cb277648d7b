package serve_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/embedded"
	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/serve"
	"github.com/modelbus/modelbus/stream/wire"
)

// BenchmarkServe compares requests to a 10-10-1 network with requests of the same
// payload to a bare echo subscription on the same server, and to one that
// answers with the two headers that name model and version; 64 callers each.
func BenchmarkServe(b *testing.B) {
	srv := embeddedtest.Start(b)
	reg := openRegistry(b, srv)
	publish(b, reg, "friedman", registry.Champion, fitted(b, friedman))
	run(b, srv, reg)
	echo(b, srv, "echo", nil)
	echo(b, srv, "echo-headers", nats.Header{wire.HeaderModel: {"friedman"}, wire.HeaderVersion: {"1"}})
	payload := []byte(`{"instances": [[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]]}`)
	for _, subject := range []string{"echo", "echo-headers", "modelbus.predict.friedman"} {
		b.Run(subject[strings.LastIndexByte(subject, '.')+1:], func(b *testing.B) {
			call(b, srv, subject, payload)
		})
	}
}

// echo answers requests with their payload and header.
func echo(b *testing.B, srv *embedded.Server, subject string, header nats.Header) {
	b.Helper()
	nc := embeddedtest.Join(b, srv)
	if _, err := nc.QueueSubscribe(subject, "q", func(m *nats.Msg) {
		if err := nc.PublishMsg(&nats.Msg{Subject: m.Reply, Header: header, Data: m.Data}); err != nil {
			b.Error(err)
		}
	}); err != nil {
		b.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		b.Fatal(err)
	}
}

// call has 64 callers on 4 connections share b.N requests.
func call(b *testing.B, srv *embedded.Server, subject string, payload []byte) {
	b.Helper()
	const callers = 64
	var conns []*nats.Conn
	for range 4 {
		conns = append(conns, embeddedtest.Join(b, srv))
	}
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			nc := conns[c%len(conns)]
			for i := c; i < b.N; i += callers {
				m, err := nc.Request(subject, payload, patience)
				if err != nil || m.Header.Get("Nats-Service-Error") != "" {
					b.Errorf("request: %v %v", m, err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

// openRegistry makes the registry of a server.
func openRegistry(tb testing.TB, srv *embedded.Server) *registry.Registry {
	tb.Helper()
	js, err := jetstream.New(embeddedtest.Join(tb, srv))
	if err != nil {
		tb.Fatal(err)
	}
	reg, err := registry.Create(tb.Context(), js, registry.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return reg
}

// run serves the registry until the test ends.
func run(tb testing.TB, srv *embedded.Server, reg *registry.Registry) *serve.Server {
	tb.Helper()
	return runWith(tb, srv, reg, serve.Options{})
}

func runWith(tb testing.TB, srv *embedded.Server, reg *registry.Registry, opts serve.Options) *serve.Server {
	tb.Helper()
	s := serve.New(embeddedtest.Join(tb, srv), reg, opts)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("Run() = %v, want nil", err)
		}
	})
	select {
	case <-s.Ready():
	case err := <-done:
		tb.Fatal(fmt.Errorf("Run ended early: %w", err))
	}
	return s
}

// BenchmarkBeside compares requests to a 10-10-1 network with those to one that shares
// them with a canary, has a shadow, or captures them.
func BenchmarkBeside(b *testing.B) {
	payload := []byte(row)
	for _, tt := range []struct {
		name    string
		design  func() made
		prepare func(*testing.B, *registry.Registry)
	}{
		{"plain", friedman, func(*testing.B, *registry.Registry) {}},
		{"canary", friedman, func(b *testing.B, reg *registry.Registry) {
			b.Helper()
			v := publish(b, reg, "friedman", "trial", fitted(b, friedman))
			if _, err := reg.SplitCanary(b.Context(), "friedman", v.Number, registry.Split{Share: 0.5}, "", ""); err != nil {
				b.Fatal(err)
			}
		}},
		{"shadow", friedman, func(b *testing.B, reg *registry.Registry) {
			b.Helper()
			publish(b, reg, "friedman", registry.Shadow, fitted(b, friedman))
		}},
		{"capture", capturing, func(b *testing.B, reg *registry.Registry) {
			b.Helper()
			if err := learn.Setup(b.Context(), reg.JetStream(), wire.Subjects{}, 1); err != nil {
				b.Fatal(err)
			}
		}},
	} {
		b.Run(tt.name, func(b *testing.B) {
			srv := embeddedtest.Start(b)
			reg := openRegistry(b, srv)
			publish(b, reg, "friedman", registry.Champion, fitted(b, tt.design))
			tt.prepare(b, reg)
			s := run(b, srv, reg)
			call(b, srv, "modelbus.predict.friedman", payload)
			b.StopTimer()
			st := status(b, s)
			if c := st.Canary; c != nil {
				b.ReportMetric(float64(c.Requests)/float64(b.N), "canaried/op")
			}
			if c := st.Shadow; c != nil {
				b.ReportMetric(float64(c.Dropped)/float64(b.N), "dropped/op")
			}
			if c := st.Capture; c != nil {
				b.ReportMetric(float64(c.Dropped)/float64(b.N), "dropped/op")
			}
		})
	}
}
