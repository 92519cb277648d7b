package serve

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/registry"
)

func sized(n int) request { return newRequest(&nats.Msg{Data: make([]byte, n)}, time.Time{}) }

func TestQueueBounds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		limit int
		sizes []int
		want  error // of the last put
	}{
		{name: "fits", limit: 2, sizes: []int{1, 1}},
		{name: "too many", limit: 2, sizes: []int{1, 1, 1}, want: errQueueFull},
		{name: "one of any size", limit: 2, sizes: []int{queueBytes + 1}},
		{name: "too many bytes", limit: 9, sizes: []int{queueBytes, 1}, want: errQueueFull},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := newQueue(tt.limit)
			var err error
			for _, n := range tt.sizes {
				err = q.put(sized(n))
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("put() = %v, want %v", err, tt.want)
			}
		})
	}
}

// What waits is bounded by all that it holds, headers too.
func TestHeadersAreBounded(t *testing.T) {
	const each = 1 << 20
	r := newRequest(&nats.Msg{Header: nats.Header{"Trace": {strings.Repeat("x", each)}}}, time.Time{})
	q, k := newQueue(1000), newKeeper(1000)
	box := &outbox{queue: make(chan posted, 1000), log: zerolog.Nop()}
	for name, put := range map[string]func() error{
		"queue":  func() error { return q.put(r) },
		"keeper": func() error { return k.add(&r) },
		"outbox": func() error {
			box.put(r.msg)
			if box.lost.Load() > 0 {
				return errQueueFull
			}
			return nil
		},
	} {
		n := 0
		for n <= queueBytes/each && put() == nil {
			n++
		}
		if n != queueBytes/each-1 {
			t.Errorf("the %s takes %d requests with headers of %d bytes, want %d", name, n, each, queueBytes/each-1)
		}
	}
}

func TestQueueShares(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		sizes []int
		idle  int
		limit int
		share bool
		want  int
	}{
		{name: "all for the only worker", sizes: []int{1, 1, 1, 1, 1}, limit: 10, want: 5},
		{name: "at most the limit", sizes: []int{1, 1, 1, 1, 1}, limit: 3, want: 3},
		{name: "half when another is idle", sizes: []int{1, 1, 1, 1, 1}, idle: 1, limit: 10, share: true, want: 3},
		{name: "all when it is not worth it", sizes: []int{1, 1, 1, 1, 1}, idle: 1, limit: 10, want: 5},
		{name: "at least one", sizes: []int{1}, idle: 7, limit: 10, share: true, want: 1},
		{name: "few large ones", sizes: []int{shareBytes - 1, 1, 1}, limit: 10, share: true, want: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := newQueue(len(tt.sizes))
			for _, n := range tt.sizes {
				if err := q.put(sized(n)); err != nil {
					t.Fatal(err)
				}
			}
			q.idle = tt.idle
			if got := len(q.take(nil, tt.limit, tt.share)); got != tt.want {
				t.Errorf("take() = %d requests, want %d", got, tt.want)
			}
			if got, _ := q.waiting(); got != len(tt.sizes)-tt.want {
				t.Errorf("%d are left, want %d", got, len(tt.sizes)-tt.want)
			}
		})
	}
}

func TestQueueOrderAndClose(t *testing.T) {
	t.Parallel()
	q := newQueue(3)
	next := 1
	for round := range 5 { // round and round the ring
		for range 1 + round%3 {
			if err := q.put(sized(next)); err != nil {
				t.Fatal(err)
			}
			next++
		}
		want := next - 1 - round%3
		for _, r := range q.take(nil, 10, true) {
			if len(r.msg.Data) != want {
				t.Fatalf("took %d, want %d", len(r.msg.Data), want)
			}
			want++
		}
	}
	if err := q.put(sized(1)); err != nil {
		t.Fatal(err)
	}
	q.close()
	if err := q.put(sized(1)); !errors.Is(err, errQueueClosed) {
		t.Errorf("put() = %v after close, want %v", err, errQueueClosed)
	}
	if got := len(q.take(nil, 10, true)); got != 1 {
		t.Errorf("took %d after close, want the one that waited", got)
	}
	if got := len(q.take(nil, 10, true)); got != 0 {
		t.Errorf("took %d from a closed and empty queue, want none", got)
	}
	if q.bytes != 0 {
		t.Errorf("%d bytes are counted in an empty queue", q.bytes)
	}
}

func TestNear(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, want string
	}{
		{name: "iris", want: "iris"},
		{name: "Iris", want: "iris"},
		{name: "irsi", want: "iris"},
		{name: "adul", want: "adult"},
		{name: "adultss", want: "adult"},
		{name: "penguins", want: ""},
		{name: "", want: ""},
	}
	for _, tt := range tests {
		if got := registry.Near(tt.name, map[string]bool{"iris": true, "adult": true}); got != tt.want {
			t.Errorf("registry.Near(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestParseTarget(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want target
		ok   bool
	}{
		{text: "", want: target{alias: "champion"}, ok: true},
		{text: "canary", want: target{alias: "canary"}, ok: true},
		{text: "1", want: target{number: 1}, ok: true},
		{text: "9007199254740991", want: target{number: 1<<53 - 1}, ok: true},
		{text: "0"},
		{text: "01"},
		{text: "1x"},
		{text: "18446744073709551616"},
	}
	for _, tt := range tests {
		if got, ok := parseTarget(tt.text); ok != tt.ok || ok && got != tt.want {
			t.Errorf("parseTarget(%q) = %+v, %v, want %+v, %v", tt.text, got, ok, tt.want, tt.ok)
		}
	}
}
