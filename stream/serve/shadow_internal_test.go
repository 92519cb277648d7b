package serve

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/stream/wire"
)

// bytesBatch has as many rows in a request as there are bytes in it, each predicted as
// the byte.
type bytesBatch struct {
	fakeBatch

	said []wire.Outcome
}

func (b *bytesBatch) add(m *nats.Msg) (int, error) {
	for _, c := range m.Data {
		b.said = append(b.said, wire.Outcome{Value: float32(c)})
	}
	return len(m.Data), nil
}

func (b *bytesBatch) run(int, int, func()) error { return nil }

func (b *bytesBatch) tell(dst []wire.Outcome, row, n int) []wire.Outcome {
	return append(dst, b.said[row:row+n]...)
}

func (b *bytesBatch) reset() bool {
	b.said = b.said[:0]
	return true
}

// To a shadow of other features a request of plain numbers may have more rows or fewer. It
// is not compared, and those computed with it are compared with their own rows.
func TestShadowOfOtherRows(t *testing.T) {
	t.Parallel()
	l := &lane{name: "m", shared: &shared{log: zerolog.Nop()}}
	s := &shadow{lane: l, version: newVersion(2, plan{make: func() batch { return &bytesBatch{} }})}
	s.counts.latency = newStats(time.Now())
	asked := func(data string, said ...float32) copied {
		c := copied{lane: l, msg: &nats.Msg{Data: []byte(data)}}
		for _, v := range said {
			c.outcomes = append(c.outcomes, wire.Outcome{Value: v})
		}
		return c
	}
	taken := []copied{asked("a", 'a'), asked("xyz", 'x'), asked("b", 'b'), asked("c", 'c', 'd')}
	s.shadow(taken)
	st := s.status(time.Now())
	if st.Requests != 4 || st.Errors != 2 || st.Rows != 2 || st.Difference == nil || *st.Difference != 0 {
		t.Errorf("the shadow is %+v, want 4 requests, 2 of other rows, 2 the same", st)
	}
	if !strings.Contains(st.LastError, "has 1 rows, by the champion's 2") {
		t.Errorf("the last error is %q", st.LastError)
	}
	for i, want := range []bool{true, false, true, false} {
		if got := taken[i].shadow != nil; got != want {
			t.Errorf("request %d has the shadow's predictions: %t, want %t", i, got, want)
		}
	}
}

// What is kept for later is bounded by all that it holds, headers too.
func TestSizeOfCopies(t *testing.T) {
	t.Parallel()
	c := copied{msg: &nats.Msg{Header: nats.Header{"Trace": {strings.Repeat("x", 1<<20)}}}}
	if got := c.size(); got < 1<<20 {
		t.Errorf("a request with headers of 1 MiB counts %d bytes", got)
	}
}
