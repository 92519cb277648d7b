package bench_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/embedded"
	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/bench"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/serve"
	"github.com/modelbus/modelbus/stream/service"
	"github.com/modelbus/modelbus/stream/wire"
)

func TestMain(m *testing.M) { embeddedtest.VerifyTestMain(m) }

// numbered returns options of windows that end by their number of requests. A
// step goes on for half a second at most: then there is no time for two more
// windows of the length that is allowed.
func numbered(requests int) bench.Options {
	return bench.Options{
		Requests: requests, Warmup: 100 * time.Millisecond, Window: 5 * time.Second, MaxTime: 10500 * time.Millisecond,
		Concurrency: []int{4},
	}
}

const islandSpec = `
name: island
features: [{name: place, type: category}, {name: mass, type: number}]
label: {name: kind, type: category}
network: [{Dense: {units: 4, activation: relu}}]
training: {epochs: 1}
`

// island returns a model with a category that must be one of the training rows.
func island(t *testing.T) *model.Model {
	t.Helper()
	spec, err := model.ParseSpec([]byte(islandSpec))
	if err != nil {
		t.Fatal(err)
	}
	frame := feature.NewFrame(&spec.Schema, true)
	for i := range 64 {
		place, kind := "north", "auk"
		if i%2 == 1 {
			place, kind = "south", "penguin"
		}
		if err := frame.Append(feature.Row{
			Values: []feature.Value{{Kind: feature.KindText, Text: place}, {Kind: feature.KindNumber, Num: float64(i % 7)}},
			Label:  feature.Value{Kind: feature.KindText, Text: kind},
		}); err != nil {
			t.Fatal(err)
		}
	}
	m, _, err := model.Fit(t.Context(), spec, frame, model.FitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// serveModel serves m as version 1, with discovery, until the test ends.
func serveModel(t *testing.T, srv *embedded.Server, m *model.Model) {
	t.Helper()
	nc := embeddedtest.Join(t, srv)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	reg, err := registry.Create(t.Context(), js, registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(nc, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	artifact, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Import(t.Context(), "", artifact, true, "", ""); err != nil {
		t.Fatal(err)
	}
	s := serve.New(nc, reg, serve.Options{})
	d := service.New(nc, "1.2.3", s)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- s.Run(ctx) }()
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		for range 2 {
			if err := <-done; err != nil {
				t.Errorf("Run() = %v, want nil", err)
			}
		}
	})
	for _, ready := range []<-chan struct{}{s.Ready(), d.Ready()} {
		select {
		case <-ready:
		case <-time.After(10 * time.Second):
			t.Fatal("the server is not ready after 10 s")
		}
	}
}

// rows draws rows for the island.
func rows(t *testing.T, m *model.Model, n int) *feature.Frame {
	t.Helper()
	s, err := bench.NewSampler(m.Schema(), m.Vocabulary, 1)
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Rows(n)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// newBench returns a bench of ref with a connection of its own for the echo.
func newBench(t *testing.T, srv *embedded.Server, ref string, f *feature.Frame, opts bench.Options) *bench.Bench {
	t.Helper()
	r, err := registry.ParseRef(ref)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bench.New([]*nats.Conn{embeddedtest.Join(t, srv), embeddedtest.Join(t, srv)}, embeddedtest.Join(t, srv), r, f, opts)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRun(t *testing.T) {
	srv := embeddedtest.Start(t)
	m := island(t)
	serveModel(t, srv, m)
	f := rows(t, m, 96)
	for _, tt := range []struct {
		form wire.Form
		name string
		ref  string
		rows int
	}{
		{wire.FormRows, "json", "island", 1},
		{wire.FormOIP, "oip", "island@1", 3},
		{wire.FormBinary, "binary", "island@champion", 200}, // more than there are: they are repeated
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts := numbered(100)
			opts.Form, opts.Rows, opts.Concurrency = tt.form, tt.rows, []int{1, 4}
			opts.Rates, opts.Poisson = []float64{20000}, true
			var told []bench.Step
			opts.OnStep = func(s bench.Step) { told = append(told, s) }
			r, err := newBench(t, srv, tt.ref, f, opts).Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if r.Form != tt.name || r.Rows != tt.rows || r.Version != 1 || r.Connections != 2 || r.RequestBytes == 0 || r.AnswerBytes == 0 {
				t.Errorf("report = %+v, want form %s, %d rows, version 1, 2 connections and sizes", r, tt.name, tt.rows)
			}
			if want := max(1, min(96/tt.rows, bench.Payloads)); r.Payloads != want {
				t.Errorf("payloads = %d, want %d", r.Payloads, want)
			}
			if len(r.Steps) != 3 || !reflect.DeepEqual(told, r.Steps) {
				t.Fatalf("steps = %+v, told %+v, want the same three", r.Steps, told)
			}
			for i := range r.Steps {
				checkStep(t, &r.Steps[i], tt.rows)
			}
			if one := r.Steps[0]; one.P50OverEcho == nil || one.Concurrency != 1 || one.Mode != "closed" {
				t.Errorf("first step = %+v, want one caller with its median over the echo's", one)
			}
			if four := r.Steps[1]; four.P50OverEcho != nil || four.Concurrency != 4 {
				t.Errorf("second step = %+v, want four callers, without a median over the echo's", four)
			}
			if open := r.Steps[2]; open.Mode != "open" || open.Arrivals != "poisson" || open.Rate != 20000 || open.Result.Lag <= 0 {
				t.Errorf("third step = %+v, want an open loop with its lag", open)
			}
		})
	}
}

// checkStep checks what holds of every step of windows of 100 requests without
// errors.
func checkStep(t *testing.T, s *bench.Step, rows int) {
	t.Helper()
	if s.Windows < 1 || s.Seconds <= 0 {
		t.Errorf("step = %+v, want one window or more, and a time", s)
	}
	want := int64(100 * s.Windows)
	for name, side := range map[string]*bench.Side{"model": &s.Result, "echo": s.Echo} {
		if side == nil {
			t.Fatalf("%s of step %+v is missing", name, s)
		}
		if side.Requests != want || len(side.Errors) != 0 || side.Unsent != 0 {
			t.Errorf("%s = %+v, want %d requests, no errors", name, side, want)
		}
		l := side.Latency
		if !(0 < l.P50 && l.P50 <= l.P90 && l.P90 <= l.P99 && l.P99 <= l.P999 && l.P999 <= l.Max && l.Mean <= l.Max) {
			t.Errorf("%s latencies = %+v, want them in order", name, l)
		}
		if math.Abs(side.Rows-side.Throughput*float64(rows)) > 0.01*side.Rows {
			t.Errorf("%s rows a second = %v, want %d × %v", name, side.Rows, rows, side.Throughput)
		}
	}
	if got := s.Result.Throughput / s.Echo.Throughput; math.Abs(got-s.EchoRatio) > 1e-3 {
		t.Errorf("echo ratio = %v, want %v", s.EchoRatio, got)
	}
	v := s.Server
	if v == nil {
		t.Fatalf("step %+v has no server times", s)
	}
	// A server counts a batch after it has answered it: some of the warm-up's or
	// of the last window's may be on the other side of a snapshot.
	if d := math.Abs(float64(v.Requests) - float64(want)); v.Servers != 1 || d > 100 {
		t.Errorf("server = %+v, want 1 server and about %d requests", v, want)
	}
	if v.Queue <= 0 || v.Compute <= 0 || math.Abs(v.Total-v.Queue-v.Compute-v.Other) > 0.01 || v.BatchRows < v.BatchRequests {
		t.Errorf("server = %+v, want parts that make up the total, and batches", v)
	}
}

// respond answers each request to subject with what answer returns, until the
// test ends.
func respond(t *testing.T, srv *embedded.Server, subject string, answer func() *nats.Msg) {
	t.Helper()
	nc := embeddedtest.Join(t, srv)
	_, err := nc.Subscribe(subject, func(m *nats.Msg) {
		if err := m.RespondMsg(answer()); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
			t.Error(err)
		}
	})
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestErrorsAreCounted(t *testing.T) {
	srv := embeddedtest.Start(t)
	var n atomic.Int64
	respond(t, srv, "modelbus.predict.island", func() *nats.Msg {
		reply := &nats.Msg{Data: []byte("{}")}
		switch n.Add(1) % 4 {
		case 2:
			wire.ErrorOf(wire.ErrOverloaded).Reply(reply)
		case 3:
			wire.ErrorOf(wire.ErrInvalid).Reply(reply)
		}
		return reply
	})
	r, err := newBench(t, srv, "island", rows(t, island(t), 8), numbered(100)).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := r.Steps[0]
	over, invalid := s.Result.Errors["overloaded"], s.Result.Errors["invalid"]
	if got, want := s.Result.Requests+int64(over+invalid), int64(100*s.Windows); got != want || over == 0 || invalid == 0 || len(s.Result.Errors) != 2 {
		t.Errorf("%d requests with errors %v, want %d with both", got, s.Result.Errors, want)
	}
	if s.Result.LastError == "" || s.Server != nil {
		t.Errorf("step = %+v, want an error as an example, and no server times where nobody tells", s)
	}
}

func TestRefusedAtOnce(t *testing.T) {
	srv := embeddedtest.Start(t)
	f := rows(t, island(t), 8)
	if r, err := newBench(t, srv, "island", f, numbered(10)).Run(t.Context()); r != nil || !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("Run() without a server = %v, %v, want %v", r, err, nats.ErrNoResponders)
	}
	respond(t, srv, "modelbus.predict.island.7", func() *nats.Msg {
		reply := &nats.Msg{}
		wire.ErrorOf(wire.ErrNotFound).Reply(reply)
		return reply
	})
	if r, err := newBench(t, srv, "island@7", f, numbered(10)).Run(t.Context()); r != nil || !errors.Is(err, wire.ErrNotFound) {
		t.Errorf("Run() of a version that is not there = %v, %v, want %v", r, err, wire.ErrNotFound)
	}
}

// A model that goes away ends the run, with what was measured.
func TestModelGoesAway(t *testing.T) {
	srv := embeddedtest.Start(t)
	var gone atomic.Bool
	respond(t, srv, "modelbus.predict.island", func() *nats.Msg {
		reply := &nats.Msg{Data: []byte("{}")}
		if gone.Load() {
			wire.ErrorOf(wire.ErrUnavailable).Reply(reply)
		}
		return reply
	})
	opts := numbered(10)
	opts.Concurrency = []int{1, 2, 4}
	opts.OnStep = func(bench.Step) { gone.Store(true) }
	r, err := newBench(t, srv, "island", rows(t, island(t), 8), opts).Run(t.Context())
	if !errors.Is(err, wire.ErrUnavailable) || r == nil || len(r.Steps) != 2 || !r.Interrupted {
		t.Fatalf("Run() = %+v, %v, want two steps and %v", r, err, wire.ErrUnavailable)
	}
	if n := r.Steps[1].Result.Errors["unavailable"]; n != 10 {
		t.Errorf("errors of the last step = %v, want 10 unavailable", r.Steps[1].Result.Errors)
	}
}

func TestInterrupted(t *testing.T) {
	srv := embeddedtest.Start(t)
	respond(t, srv, "modelbus.predict.island", func() *nats.Msg { return &nats.Msg{Data: []byte("{}")} })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	opts := numbered(10)
	opts.Concurrency = []int{1, 2}
	opts.OnStep = func(bench.Step) { cancel() }
	r, err := newBench(t, srv, "island", rows(t, island(t), 8), opts).Run(ctx)
	if !errors.Is(err, context.Canceled) || r == nil || len(r.Steps) != 1 || !r.Interrupted {
		t.Errorf("Run() = %+v, %v, want one step and %v", r, err, context.Canceled)
	}
}

func TestNoEcho(t *testing.T) {
	srv := embeddedtest.Start(t)
	respond(t, srv, "modelbus.predict.island", func() *nats.Msg { return &nats.Msg{Data: []byte("{}")} })
	opts := numbered(10)
	opts.NoEcho = true
	r, err := newBench(t, srv, "island", rows(t, island(t), 8), opts).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s := r.Steps[0]; s.Echo != nil || s.EchoRatio != 0 || s.Result.Requests != int64(10*s.Windows) {
		t.Errorf("step = %+v, want no echo", s)
	}
}

func TestNewRefuses(t *testing.T) {
	srv := embeddedtest.Start(t)
	nc := embeddedtest.Join(t, srv)
	m := island(t)
	f := rows(t, m, 8)
	ref := registry.Ref{Model: "island", Alias: registry.Champion}
	large := feature.NewFrame(m.Schema(), false)
	if err := large.Append(feature.Row{Values: []feature.Value{
		{Kind: feature.KindText, Text: strings.Repeat("x", int(nc.MaxPayload()))}, {Kind: feature.KindNumber},
	}}); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		opts  bench.Options
		conns []*nats.Conn
		rows  *feature.Frame
		want  error
	}{
		"no caller":       {opts: bench.Options{Concurrency: []int{0}}, want: wire.ErrInvalid},
		"many callers":    {opts: bench.Options{Concurrency: []int{1, 100_000}}, want: wire.ErrInvalid},
		"rate 0":          {opts: bench.Options{Rates: []float64{0}}, want: wire.ErrInvalid},
		"rate NaN":        {opts: bench.Options{Rates: []float64{math.NaN()}}, want: wire.ErrInvalid},
		"negative rows":   {opts: bench.Options{Rows: -1}, want: wire.ErrInvalid},
		"too many rows":   {opts: bench.Options{Rows: 1 << 20}, want: wire.ErrInvalid},
		"no room":         {opts: bench.Options{MaxTime: time.Second}, want: wire.ErrInvalid},
		"negative window": {opts: bench.Options{Window: -1}, want: wire.ErrInvalid},
		"in flight":       {opts: bench.Options{InFlight: -1}, want: wire.ErrInvalid},
		"prefix":          {opts: bench.Options{Subjects: wire.Subjects{Prefix: "a.b"}}, want: wire.ErrInvalid},
		"no rows":         {rows: feature.NewFrame(m.Schema(), false), want: wire.ErrInvalid},
		"no connection":   {conns: []*nats.Conn{}, want: wire.ErrInvalid},
		"large requests":  {rows: large, want: wire.ErrTooLarge},
	} {
		if tt.conns == nil {
			tt.conns = []*nats.Conn{nc}
		}
		if tt.rows == nil {
			tt.rows = f
		}
		if b, err := bench.New(tt.conns, nc, ref, tt.rows, tt.opts); !errors.Is(err, tt.want) {
			t.Errorf("%s: New() = %v, %v, want %v", name, b, err, tt.want)
		}
	}
}

// What cannot be sent is refused before it is made: one of 64 requests of so many rows
// would take seconds.
func TestSizeIsCheckedFirst(t *testing.T) {
	t.Parallel()
	f := rows(t, island(t), 100)
	for _, form := range []wire.Form{wire.FormRows, wire.FormOIP, wire.FormBinary} {
		err := bench.CheckSize(f, form, 50_000_000, 8<<20)
		if !errors.Is(err, wire.ErrTooLarge) || !strings.Contains(err.Error(), "50000000 rows") || !strings.Contains(err.Error(), "rows fit") {
			t.Errorf("form %v: %v, want it too large, and how many rows fit", form, err)
		}
		if err := bench.CheckSize(f, form, 1000, 8<<20); err != nil {
			t.Errorf("form %v: 1000 rows: %v, want none", form, err)
		}
	}
	wide := bench.Options{Rows: 65536}
	srv := embeddedtest.Start(t)
	nc := embeddedtest.Join(t, srv)
	long := feature.NewFrame(f.Schema(), false)
	for range 2 {
		if err := long.Append(feature.Row{Values: []feature.Value{
			{Kind: feature.KindText, Text: strings.Repeat("x", 4096)}, {Kind: feature.KindNumber},
		}}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := bench.New([]*nats.Conn{nc}, nil, registry.Ref{Model: "island"}, long, wide)
	if !errors.Is(err, wire.ErrTooLarge) || !strings.Contains(err.Error(), "rows fit") {
		t.Errorf("New() = %v, want it too large before anything is made", err)
	}
}
