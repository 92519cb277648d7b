package serve

import (
	"testing"
	"time"

	"github.com/modelbus/modelbus/stream/service"
	"github.com/modelbus/modelbus/stream/wire"
)

func TestStats(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := newStats(start)
	read := func(now time.Time) (service.Endpoint, Status) {
		var e service.Endpoint
		var st Status
		s.fill(&e, &st, now)
		return e, st
	}
	if e, st := read(start); e.Requests != 0 || st.Batches.Requests != 0 || st.Latency.P99 != 0 {
		t.Errorf("new statistics = %+v, %+v, want zeros", e, st)
	}
	s.answered([]time.Time{start, start.Add(time.Millisecond)}, 6,
		span{taken: start.Add(2 * time.Millisecond), model: 500 * time.Microsecond}, start.Add(3*time.Millisecond))
	s.failed(wire.ErrorOf(wire.ErrOverloaded), 2*time.Hour, start.Add(time.Second))
	e, st := read(start.Add(2 * time.Second))
	if e.Requests != 3 || e.Errors != 1 || e.LastError != "429:overloaded" || e.Time != 5*time.Millisecond+2*time.Hour {
		t.Errorf("counters = %+v, want 3 requests, 1 error 429:overloaded, 2 h 5 ms", e)
	}
	if st.Overloaded != 1 || st.Batches != (Batches{Count: 1, Requests: 2, Rows: 6, Largest: 6}) {
		t.Errorf("status = %+v, want 1 overloaded and a batch of 2 requests with 6 rows", st)
	}
	if want := (Times{Queue: 3e6, Compute: 1e6}); st.Times != want {
		t.Errorf("times = %+v, want %+v: 2 ms and 1 ms in the queue, twice 0.5 ms computed", st.Times, want)
	}
	// The histogram keeps two digits: 1 %.
	if p := st.Latency.P50; p < 2.97 || p > 3.03 {
		t.Errorf("p50 = %v ms, want 3 within 1 %%", p)
	}
	if m := st.Latency.Max; m < 59400 || m > 60600 {
		t.Errorf("max = %v ms, want the longest that is told apart, 60000 within 1 %%", m)
	}
	if _, st := read(start.Add(latencyWindow + time.Second)); st.Latency.P50 == 0 {
		t.Error("latencies of the window before are gone")
	}
	if _, st := read(start.Add(3 * latencyWindow)); st.Latency.P50 != 0 {
		t.Errorf("p50 = %v ms after two idle windows, want 0", st.Latency.P50)
	}
}
