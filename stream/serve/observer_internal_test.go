package serve

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/drift"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// TestSamplerIsFair draws from batches of a hundred rows at several loads: no more than the rate
// a second, about the rate where there are more rows, and as many of each place in a batch.
func TestSamplerIsFair(t *testing.T) {
	t.Parallel()
	const rate, size, seconds = 1000, 100, 60
	for _, load := range []int{100, 900, 2000, 50_000, 400_000} { // rows a second
		t.Run(fmt.Sprint(load), func(t *testing.T) {
			s := newSampler(rate, 1)
			places := make([]int, size)
			now, all := time.Unix(1000, 0), 0
			pause := time.Duration(float64(size) / float64(load) * float64(time.Second))
			var rows []int
			for n := range seconds * load / size {
				second := n * size / load
				rows = s.draw(rows[:0], 7, 7+size, now)
				now = now.Add(pause)
				if s.drawn > rate {
					t.Fatalf("%d rows are drawn in second %d, want at most %d", s.drawn, second, rate)
				}
				if second == 0 {
					continue // nothing is known of the load yet
				}
				before := 6
				for _, r := range rows {
					if r <= before || r >= 7+size {
						t.Fatalf("rows %v are drawn of [7, %d)", rows, 7+size)
					}
					before = r
					places[r-7]++
					all++
				}
			}
			if want := float64((seconds - 1) * min(load, rate)); math.Abs(float64(all)-want) > want/20 {
				t.Errorf("%d rows are drawn, want about %v", all, want)
			}
			each := float64(all) / size
			for place, n := range places {
				if off := math.Abs(float64(n) - each); off > 5*math.Sqrt(each)+1 {
					t.Errorf("place %d is drawn %d times, want about %.0f", place, n, each)
				}
			}
		})
	}
}

// TestSamplerTakesPartOfOneLargeRequest wants rows from all over it.
func TestSamplerTakesPartOfOneLargeRequest(t *testing.T) {
	t.Parallel()
	s := newSampler(1000, 1)
	rows := s.draw(nil, 0, 65536, time.Unix(1000, 0))
	if len(rows) < 850 || len(rows) > 1000 || rows[len(rows)-1] < 60000 {
		t.Errorf("%d rows are drawn, the last is %d, want about 1000 up to the end", len(rows), rows[len(rows)-1])
	}
	if more := s.draw(nil, 0, 1000, time.Unix(1000, 500)); len(more) > 1000-len(rows) {
		t.Errorf("%d more are drawn in that second, want at most %d", len(more), 1000-len(rows))
	}
}

// TestUnannouncedDriftIsTriedAgain has the registry fail at first.
func TestUnannouncedDriftIsTriedAgain(t *testing.T) {
	t.Parallel()
	var told []registry.Event
	failures := 2
	in := newInspector(func(_ context.Context, e registry.Event) error {
		if failures--; failures >= 0 {
			return errors.New("no responders")
		}
		told = append(told, e)
		return nil
	}, 1000, zerolog.Nop())
	r, err := drift.Fit(numbers(t, 0, 1000), upTo(1000), drift.Predictions{}, drift.Options{})
	if err != nil {
		t.Fatal(err)
	}
	schema := numbers(t, 0, 0).Schema()
	v := newVersion(3, plan{window: func() (*drift.Window, error) { return drift.NewWindow(r, schema, nil) }})
	o, err := in.observer(t.Context(), "m", v, model.Watch{})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 6 {
		o.mu.Lock()
		w := o.window
		o.window = nil
		o.mu.Unlock()
		if err := w.Add(numbers(t, 500, 1000), upTo(1000)); err != nil {
			t.Fatal(err)
		}
		in.inspect(t.Context(), o, w, time.Now())
		// Two windows to be sure, two failures, then once and not again.
		want := 0
		if n >= 3 {
			want = 1
		}
		if len(told) != want {
			t.Fatalf("after %d windows %d events were announced, want %d", n+1, len(told), want)
		}
	}
}

// What a window finds while an event is on its way is announced by the next one, also if
// that had to be tried again.
func TestDriftFoundWhileAnnouncing(t *testing.T) {
	t.Parallel()
	v := &verdict{columns: map[string]*steadiness{}}
	window := func(a, b bool) (*wire.DriftEvent, func()) {
		return v.take(&drift.Report{Rows: 100, Columns: []drift.ColumnReport{
			{Column: drift.Column{Feature: "a"}, Drifted: a}, {Column: drift.Column{Feature: "b"}, Drifted: b},
		}}, time.Unix(1, 0), time.Unix(2, 0))
	}
	window(true, false)
	first, told := window(true, true)
	if first == nil || first.Count != 1 {
		t.Fatalf("the first event is %+v, want column a", first)
	}
	second, _ := window(true, true) // which cannot be stored
	told()
	third, told := window(true, true)
	if second == nil || second.Count != 2 || third == nil || third.Count != 2 {
		t.Fatalf("the events are %+v and %+v, want columns a and b", second, third)
	}
	told()
	if again, _ := window(true, true); again != nil {
		t.Errorf("what was announced is announced again: %+v", again)
	}
}

func TestAReferenceThatCannotBeReadIsSaid(t *testing.T) {
	t.Parallel()
	l := newLane("m", settings{}, &shared{inspector: newInspector(nil, 1000, zerolog.Nop())}, nil)
	v := newVersion(3, plan{window: func() (*drift.Window, error) { return nil, errors.New("it is torn") }})
	l.watch(t.Context(), v)
	l.observer.Load().observe(nil, 0, 0, 10, time.Now())
	if d := l.drifting(); d == nil || d.Problem != "it is torn" || d.Version != 3 {
		t.Errorf("drift = %+v, want a problem of version 3", d)
	}
}

// numbers returns n rows of the numbers from low on.
func numbers(tb testing.TB, low, n int) *feature.Frame {
	tb.Helper()
	f := feature.NewFrame(&feature.Schema{
		Features: []feature.Feature{{Name: "x", Type: feature.Number}}, Label: feature.Label{Name: "y", Type: feature.Number},
	}, false)
	for i := range n {
		if err := f.Append(feature.Row{Values: []feature.Value{{Kind: feature.KindNumber, Num: float64(low + i)}}}); err != nil {
			tb.Fatal(err)
		}
	}
	return f
}

func upTo(n int) []int {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	return rows
}

// BenchmarkObserve is what a batch of one row costs at 100,000 requests a second, of
// which one in a hundred is counted, and what it costs to count each.
func BenchmarkObserve(b *testing.B) {
	for name, rate := range map[string]int{"drawn": 1000, "all": 1 << 30} {
		b.Run(name, func(b *testing.B) {
			f := numbers(b, 0, 1)
			r, err := drift.Fit(numbers(b, 0, 1000), upTo(1000), drift.Predictions{}, drift.Options{})
			if err != nil {
				b.Fatal(err)
			}
			w, err := drift.NewWindow(r, f.Schema(), nil)
			if err != nil {
				b.Fatal(err)
			}
			o := &observer{window: w, size: 2000, draw: newSampler(rate, 1), compare: func(o *observer, w *drift.Window, _ time.Time) {
				w.Reset()
				o.window = w
			}}
			batch := &modelBatch{frame: f, out: &model.Output{Rows: 1, Values: []float32{1}}}
			now := time.Unix(1000, 0)
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(10 * time.Microsecond)
				o.observe(batch, 0, 0, 1, now)
			}
			if o.seen == 0 || o.counted == 0 {
				b.Errorf("%d rows were seen, %d counted", o.seen, o.counted)
			}
		})
	}
}

// Of requests that are answered together, the rows of those that are not to be observed do
// not count, wherever they lie.
func TestUnobservedRowsDoNotCount(t *testing.T) {
	t.Parallel()
	nc, err := nats.Connect("", nats.InProcessServer(sink{}))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	off := nats.Header{wire.HeaderObserve: {wire.ObserveOff}}
	for name, tt := range map[string]struct {
		headers []nats.Header
		want    uint64 // rows, of 1, 2, 3 … in the requests
	}{
		"all":    {[]nats.Header{nil, {wire.HeaderObserve: {"on"}}, nil}, 6},
		"none":   {[]nats.Header{off, off}, 0},
		"first":  {[]nats.Header{off, nil, nil}, 5},
		"middle": {[]nats.Header{nil, off, off, nil}, 5},
		"last":   {[]nats.Header{nil, nil, off}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			l := loadedLane(t, nc)
			for i, h := range tt.headers {
				body := `{"instances": [["a", [1, 2, 3]]` + strings.Repeat(`, ["b", [4, 5, 6]]`, i) + `]}`
				if err := l.queue.put(request{msg: &nats.Msg{Subject: "modelbus.predict.m", Reply: "_INBOX.1", Header: h, Data: []byte(body)}, at: time.Now()}); err != nil {
					t.Fatal(err)
				}
			}
			newWorker(l).work()
			if d := l.drifting(); l.stats.errors > 0 || d.Seen != tt.want || d.Counted != tt.want {
				t.Errorf("%d rows seen, %d counted, %d errors (%s), want %d rows", d.Seen, d.Counted, l.stats.errors, l.stats.last, tt.want)
			}
		})
	}
}
