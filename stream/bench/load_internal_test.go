package bench

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/stream/wire"
)

// stall starts a responder whose first answer takes d, and returns a load with one
// sender and a request to it.
func stall(t *testing.T, d time.Duration) (*load, []*nats.Msg) {
	t.Helper()
	srv := embeddedtest.Start(t)
	nc := embeddedtest.Join(t, srv)
	first := true
	_, err := nc.Subscribe("slow", func(m *nats.Msg) {
		if first {
			<-time.After(d)
			first = false
		}
		if err := m.Respond(nil); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
			t.Error(err)
		}
	})
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	return &load{conns: []*nats.Conn{embeddedtest.Join(t, srv)}, timeout: 10 * time.Second, inFlight: 1}, []*nats.Msg{{Subject: "slow"}}
}

// A request that had to wait for the one before is charged for the wait.
func TestLatencyFromWhenDue(t *testing.T) {
	const hold = 200 * time.Millisecond
	l, requests := stall(t, hold)
	l.requests = 10
	w := l.window(t.Context(), shape{rate: 1000}, requests, 10*time.Second, 0)
	if w.answered() != 10 || w.unsent != 0 {
		t.Fatalf("%d answered, %d unsent, want 10 and 0", w.answered(), w.unsent)
	}
	// The last was due after 9 ms, and could not be sent before the first was
	// answered. The histogram rounds down by 0.1 % at most.
	const wait = (hold - 9*time.Millisecond) * 999 / 1000
	if least := time.Duration(w.took.Min()); least < wait {
		t.Errorf("shortest latency = %v, want %v or more", least, wait)
	}
	if lag := time.Duration(w.lag.Max()); lag < wait {
		t.Errorf("greatest lag = %v, want %v or more", lag, wait)
	}
}

func TestUnsentAreCounted(t *testing.T) {
	l, requests := stall(t, 300*time.Millisecond)
	w := l.window(t.Context(), shape{rate: 1000}, requests, 100*time.Millisecond, 0)
	if w.answered() != 1 || w.unsent != 99 {
		t.Errorf("%d answered, %d unsent, want 1 and the 99 that were due meanwhile", w.answered(), w.unsent)
	}
}

func TestInterruptedWindowEnds(t *testing.T) {
	l, requests := stall(t, 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, s := range []shape{{callers: 2}, {rate: 10}} {
		if w := l.window(ctx, s, requests, time.Hour, 0); w.answered() != 0 {
			t.Errorf("%+v: %d answered after the end, want 0", s, w.answered())
		}
	}
}

func TestArrivals(t *testing.T) {
	begin := time.Now()
	count := func(poisson bool, seed uint64) int {
		a := arrivals{due: begin, end: begin.Add(time.Second), gap: 1e5, poisson: poisson, rng: rand.New(rand.NewPCG(seed, 0))}
		n := 0
		for _, ok := a.next(); ok; _, ok = a.next() {
			n++
		}
		return n
	}
	if n := count(false, 0); n != 10000 {
		t.Errorf("%d arrivals in a second at 10000/s, want as many", n)
	}
	// The standard deviation of a Poisson count of 10000 is 100.
	n := count(true, 1)
	if math.Abs(float64(n)-10000) > 500 || n == 10000 {
		t.Errorf("%d Poisson arrivals in a second at 10000/s, want about as many", n)
	}
	if again := count(true, 1); again != n {
		t.Errorf("%d arrivals from the same seed, want %d", again, n)
	}
}

func TestStable(t *testing.T) {
	of := func(n int, each, elapsed time.Duration) *window {
		w := newWindow()
		for range n {
			record(w.took, each)
		}
		w.elapsed = elapsed
		return w
	}
	steady := of(100, time.Millisecond, time.Second)
	for name, tt := range map[string]struct {
		windows []*window
		want    bool
	}{
		"two":             {[]*window{steady, steady}, false},
		"three":           {[]*window{steady, steady, steady}, true},
		"within":          {[]*window{of(92, time.Millisecond, time.Second), steady, of(108, time.Millisecond, time.Second)}, true},
		"slower":          {[]*window{steady, steady, of(70, time.Millisecond, time.Second)}, false},
		"later":           {[]*window{steady, steady, of(100, 2*time.Millisecond, time.Second)}, false},
		"settled":         {[]*window{of(10, time.Second, time.Second), steady, steady, steady}, true},
		"nothing happens": {[]*window{of(0, 0, time.Second), of(0, 0, time.Second), of(0, 0, time.Second)}, false},
	} {
		if got := stable(tt.windows); got != tt.want {
			t.Errorf("%s: stable() = %v, want %v", name, got, tt.want)
		}
	}
}

func TestCodes(t *testing.T) {
	for want, err := range map[string]error{
		"overloaded":    wire.ErrorOf(wire.ErrOverloaded),
		"timeout":       nats.ErrTimeout,
		"no_responders": nats.ErrNoResponders,
		"connection":    nats.ErrConnectionClosed,
	} {
		if got := codeOf(err); got != want {
			t.Errorf("codeOf(%v) = %q, want %q", err, got, want)
		}
	}
}

func TestMiddle(t *testing.T) {
	of := func(n int) *window {
		w := newWindow()
		for range n {
			record(w.took, time.Millisecond)
		}
		w.elapsed = time.Second
		return w
	}
	odd := []*window{of(5), of(1), of(3)}
	if got := middle(odd, (*window).throughput); got != 3 {
		t.Errorf("median of 5, 1, 3 = %v, want 3", got)
	}
	if got := middle(append(odd, of(4)), (*window).throughput); got != 3.5 {
		t.Errorf("median of 5, 1, 3, 4 = %v, want 3.5", got)
	}
}
