package serve

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/registry/cache"
	"github.com/modelbus/modelbus/stream/wire"
)

// loadedLane returns a lane that answers with a small network, and does not run.
func loadedLane(tb testing.TB, nc *nats.Conn) *lane {
	tb.Helper()
	spec, err := model.ParseSpec([]byte(`{"name":"m","features":[{"name":"place","type":"category"},{"name":"x","type":"vector","size":3}],
		"label":{"name":"kind","type":"category"},"network":[{"Dense":{"units":4}}],"training":{"epochs":1}}`))
	if err != nil {
		tb.Fatal(err)
	}
	frame := feature.NewFrame(&spec.Schema, true)
	for i := range 8 {
		if err := frame.Append(feature.Row{
			Values: []feature.Value{{Kind: feature.KindText, Text: "ab"[i%2 : i%2+1]}, {Kind: feature.KindVector, Vector: []float32{0, 1, float32(i)}}},
			Label:  feature.Value{Kind: feature.KindText, Text: "xy"[i%2 : i%2+1]},
		}); err != nil {
			tb.Fatal(err)
		}
	}
	return laneOf(tb, nc, spec, frame)
}

// laneOf returns a lane that answers with what is trained on frame, and does not run.
func laneOf(tb testing.TB, nc *nats.Conn, spec *model.Spec, frame *feature.Frame) *lane {
	tb.Helper()
	m, _, err := model.Fit(tb.Context(), spec, frame, model.FitOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	artifact, err := m.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	set := settings{serving: model.Serving{Drift: model.Watch{Window: 1e6}}}
	l := newLane("m", set, &shared{
		decode: decodeModel, post: &post{nc: nc}, turns: newTurns(1), inspector: newInspector(nil, math.MaxInt32, zerolog.Nop()),
	}, nil)
	v, err := l.build(cache.Memory(artifact), 1234)
	if err != nil {
		tb.Fatal(err)
	}
	l.live.Store(&live{aliases: map[string]*version{registry.Champion: v}, numbers: map[uint64]*version{1234: v}})
	l.watch(tb.Context(), v)
	return l
}

// A sink is a NATS server that takes what it is sent and does nothing with it, so
// that its own allocations do not count.
type sink struct{}

// InProcessConn implements nats.InProcessConnProvider.
func (sink) InProcessConn() (net.Conn, error) {
	client, server := net.Pipe()
	go func() {
		defer server.Close() //nolint:errcheck // a pipe
		if _, err := io.WriteString(server, `INFO {"headers":true,"max_payload":1048576}`+"\r\n"); err != nil {
			return
		}
		lines := bufio.NewScanner(server)
		for lines.Scan() && lines.Text() != "PING" {
		}
		if _, err := io.WriteString(server, "PONG\r\n"); err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, server); err != nil {
			return
		}
	}()
	return endless{client}, nil
}

// endless is a connection without deadlines, whose timers would be counted for each
// flush, of which there are more or fewer.
type endless struct{ net.Conn }

func (endless) SetDeadline(time.Time) error      { return nil }
func (endless) SetReadDeadline(time.Time) error  { return nil }
func (endless) SetWriteDeadline(time.Time) error { return nil }

// allocations returns how many allocations fn takes on average.
func allocations(fn func()) float64 {
	const runs = 2000
	for range 100 {
		fn()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		fn()
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / runs
}

// TestRequestsAllocateNothing answers requests of each form again and again, which
// allocates no more than publishing the answers does.
func TestRequestsAllocateNothing(t *testing.T) {
	testAllocations(t, func(*lane) {}, func(t *testing.T, l *lane) {
		t.Helper()
		if d := l.drifting(); d == nil || d.Counted == 0 || d.Counted != d.Seen {
			t.Errorf("rows were not counted for drift: %+v", d)
		}
	})
}

// TestCanaryAllocatesNothing has the canary answer them.
func TestCanaryAllocatesNothing(t *testing.T) {
	testAllocations(t, func(l *lane) {
		next := l.live.Load().clone()
		champion := next.aliases[registry.Champion]
		next.aliases[registry.Canary] = &version{number: 1235, text: []string{"1235"}, params: champion.params, make: champion.make, spare: champion.spare}
		next.setCanary(registry.Move{To: 1235, Split: registry.Split{Share: 1, By: "Tenant"}})
		l.live.Store(next)
	}, func(t *testing.T, l *lane) {
		t.Helper()
		if l.routed.Swap(0) == 0 {
			t.Error("no request went to the canary")
		}
	})
}

func testAllocations(t *testing.T, prepare func(*lane), check func(*testing.T, *lane)) {
	t.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(sink{}))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	l := loadedLane(t, nc)
	prepare(l)
	w := newWorker(l)
	id := nats.Header{wire.HeaderID: {"7"}, wire.HeaderTrace: {"00-1-2-01"}, wire.HeaderObserve: {"on"}, wire.HeaderDeadline: {time.Now().Add(time.Hour).Format(time.RFC3339Nano)}}
	for name, r := range map[string]*nats.Msg{
		"rows":       {Data: []byte(`{"instances": [["a", [1, 2, 3]], ["b", [4, 5, 6]]]}`)},
		"named rows": {Data: []byte(`{"instances": [{"place": "a", "x": [1, 2, 3]}]}`)},
		"headers":    {Header: id, Data: []byte(`{"instances": [["a", 1, 2, 3]]}`)},
		"OIP": {Data: []byte(`{"id":"42","inputs":[{"name":"place","shape":[1],"datatype":"BYTES","data":["a"]},` +
			`{"name":"x","shape":[1,3],"datatype":"FP32","data":[1,2,3]}]}`)},
	} {
		t.Run(name, func(t *testing.T) {
			r.Subject, r.Reply = "modelbus.predict.m", "_INBOX.1"
			answer := func() {
				if err := l.queue.put(request{msg: r, at: time.Now()}); err != nil {
					t.Fatal(err)
				}
				w.work()
			}
			answer()
			if l.stats.errors > 0 {
				t.Fatal(l.stats.last)
			}
			reply := &nats.Msg{Subject: r.Reply, Header: maps.Clone(w.reply.Header), Data: bytes.Clone(w.reply.Data)}
			publish := allocations(func() {
				if err := nc.PublishMsg(reply); err != nil {
					t.Fatal(err)
				}
			})
			if got := allocations(answer) - publish; got > 0.9 { // less than one: the runtime allocates now and then
				t.Errorf("a request allocates %.2f times beyond publishing its answer, want 0", got)
			}
			check(t, l)
		})
	}
}

func TestTooLargeSaysHowMuchFits(t *testing.T) {
	nc := embeddedtest.Connect(t)
	p := &post{nc: nc}
	most := int(nc.MaxPayload())
	for _, tt := range []struct {
		rows int
		says string
	}{
		{rows: 1, says: "fewer outputs"},
		{rows: 2, says: "at most 1 at once"},
		{rows: 100, says: "at most 21 at once"}, // of 25 that would just not fit
	} {
		err := p.tooLarge(&nats.Msg{Data: make([]byte, 4*most)}, tt.rows)
		if e := wire.ErrorOf(err); e.Status != 413 || !strings.Contains(e.Message, tt.says) || !strings.Contains(e.Message, fmt.Sprint(most)) {
			t.Errorf("%d rows: %v, want it to say %q", tt.rows, err, tt.says)
		}
	}
}
