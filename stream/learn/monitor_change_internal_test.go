package learn

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/wire"
)

// A trail knows where errors are from, to within an eighth of their age, with few marks.
func TestTrail(t *testing.T) {
	t.Parallel()
	const n, batch = 200_000, 7
	start := time.UnixMilli(1_700_000_000_000).UTC()
	var tr trail
	for i := range n {
		seq := uint64(i/batch + 10)
		tr.note(seq, start.Add(time.Duration(seq)*time.Second))
		if len(tr.Marks) > mostMarks {
			t.Fatalf("after %d errors there are %d marks", i+1, len(tr.Marks))
		}
	}
	stored, err := json.Marshal(&tr)
	if err != nil {
		t.Fatal(err)
	}
	tr = trail{}
	if err := json.Unmarshal(stored, &tr); err != nil {
		t.Fatal(err)
	}
	for rows := int64(1); rows <= n; rows = rows*5/4 + 1 {
		exact := uint64((n-rows)/batch + 10)
		seq, at, ok := tr.back(rows)
		if slack := uint64(rows/8/batch + 1); !ok || seq > exact || seq+slack < exact || !at.Equal(start.Add(time.Duration(seq)*time.Second)) {
			t.Errorf("back(%d) = %d, %v, %t, want message %d or at most %d earlier", rows, seq, at, ok, exact, slack)
		}
	}
	if _, _, ok := tr.back(n + 1); ok {
		t.Error("it knows of errors that it was not shown")
	}
}

// changed returns a monitor of a spec's section, and has it count so many examples.
func changed(t *testing.T, section string) (m *monitor, count func(n int)) {
	t.Helper()
	s, err := model.ParseSpec([]byte("name: iris\nfeatures: [{name: x, type: number}]\nlabel: {name: y, type: number}\nretrain: " + section))
	if err != nil {
		t.Fatal(err)
	}
	m = &monitor{spec: s, ground: ground{made: time.Unix(1, 0), last: 1 << 40}}
	m.state.Seq = 1000
	return m, func(n int) {
		a := arrival{seq: m.state.Seq + 1, rows: feature.NewFrame(oneNumber(), true)}
		for range n {
			if err := a.rows.Append(number(1)); err != nil {
				t.Fatal(err)
			}
		}
		m.state.Seq++
		m.countAgain(a)
	}
}

// After a change the window is cut when there are enough examples, and a model trained each
// time that they are twice as many, until the window is full.
func TestWindowIsCutAtAChange(t *testing.T) {
	t.Parallel()
	type step struct {
		count int
		why   string // of the training that is due then, empty if none is
	}
	for _, tt := range []struct {
		name    string
		section string
		drift   wire.ScoreDrift
		steps   []step
		cut     uint64
	}{
		{
			"soon", "{on: [drift], window: 1000}",
			wire.ScoreDrift{Seq: 1000, SinceSeq: 900, Rows: 150, Before: 0.1, After: 0.3},
			[]step{{0, ""}, {49, ""}, {1, "drift: "}, {199, ""}, {1, "400 examples have come"}, {400, "800 examples"}, {799, ""}, {1, "1600 examples"}, {5000, ""}},
			900,
		},
		{
			"late", "{on: [drift]}",
			wire.ScoreDrift{Seq: 1000, SinceSeq: 700, Rows: 4000, Before: 0.1, After: 0.3},
			[]step{{0, "drift: "}, {3999, ""}, {1, "8000 examples"}, {8000, "16000 examples"}, {50_000, ""}},
			700,
		},
		{
			"of a small window", "{on: [drift], window: 50}",
			wire.ScoreDrift{Seq: 1000, SinceSeq: 990, Rows: 40, Before: 0.1, After: 0.3},
			[]step{{0, ""}, {10, "drift: "}, {500, ""}},
			990,
		},
		{
			"when the errors fall", "{on: [drift], window: 300}",
			wire.ScoreDrift{Seq: 1000, SinceSeq: 900, Rows: 150, Before: 0.3, After: 0.1},
			[]step{{0, "drift: "}, {149, ""}, {1, "holds none from before"}, {500, ""}},
			0,
		},
		{
			"without its place", "{on: [drift], window: 300}",
			wire.ScoreDrift{Seq: 1000, Rows: 150, Before: 0.1, After: 0.3},
			[]step{{0, "drift: "}, {150, "holds none from before"}, {500, ""}},
			0,
		},
		{
			"by a score alone", "{on: [{score_below: {mae: 1}}], window: 1000}",
			wire.ScoreDrift{Seq: 1000, SinceSeq: 900, Rows: 150, Before: 0.1, After: 0.3},
			[]step{{0, ""}, {50, ""}, {500, ""}},
			900,
		},
		{
			"that nothing asks for", "{every: 1000}",
			wire.ScoreDrift{Seq: 1000, SinceSeq: 900, Rows: 500, Before: 0.1, After: 0.3},
			[]step{{0, ""}, {500, ""}},
			0,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, count := changed(t, tt.section)
			m.state.Drift = &tt.drift
			m.heed(m.state.Drift, tt.drift.Rows)
			for i, s := range tt.steps {
				if s.count > 0 {
					count(s.count)
				}
				why := m.pending(0)
				m.state.Trigger = nil
				if (why == "") != (s.why == "") || !strings.Contains(why, s.why) {
					t.Errorf("step %d: a training is due because %q, want %q", i, why, s.why)
				}
			}
			cut := uint64(0)
			if m.state.Cut != nil {
				cut = m.state.Cut.Seq
			}
			if cut != tt.cut {
				t.Errorf("the window is cut at message %d, want %d", cut, tt.cut)
			}
		})
	}
}

// A change that another monitor announced cuts the window, too, unless it was of another
// stream.
func TestWindowIsCutAtAnAnnouncedChange(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		drift  wire.ScoreDrift
		at     time.Time
		last   uint64 // example of the stream
		newest uint64 // example that a version saw
		cut    uint64
		due    bool
	}{
		{"not answered", wire.ScoreDrift{Seq: 900, SinceSeq: 700, Rows: 500, Before: 0.1, After: 0.3}, time.Unix(2, 0), 1000, 800, 700, true},
		{"answered", wire.ScoreDrift{Seq: 900, SinceSeq: 700, Rows: 500, Before: 0.1, After: 0.3}, time.Unix(2, 0), 1000, 950, 700, false},
		{"of a stream that was made anew", wire.ScoreDrift{Seq: 900, SinceSeq: 700, Rows: 500, Before: 0.1, After: 0.3}, time.Unix(0, 0), 1000, 800, 0, true},
		{"answered, of a stream that was made anew", wire.ScoreDrift{Seq: 900, SinceSeq: 700, Rows: 500, Before: 0.1, After: 0.3}, time.Unix(0, 0), 1000, 950, 0, false},
		{"answered in the stream that was made anew", wire.ScoreDrift{Seq: 900, SinceSeq: 700, Rows: 500, Before: 0.1, After: 0.3}, time.Unix(0, 0), 40, 40, 0, false},
		{"of a longer stream, where nothing was learned", wire.ScoreDrift{Seq: 900, SinceSeq: 700, Rows: 500, Before: 0.1, After: 0.3}, time.Unix(0, 0), 0, 0, 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, _ := changed(t, "{on: [drift], window: 1000}")
			m.newest.Lineage.LastSeq, m.ground.last = tt.newest, tt.last
			m.learnOf(&tt.drift, tt.at)
			cut := uint64(0)
			if m.state.Cut != nil {
				cut = m.state.Cut.Seq
			}
			if due := m.pending(tt.newest) != ""; cut != tt.cut || due != tt.due {
				t.Errorf("the window is cut at %d and a training due: %t, want %d, %t", cut, due, tt.cut, tt.due)
			}
		})
	}
}

// What is known of places in a stream is of no use in one that was made anew.
func TestCutOfAStreamMadeAnew(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		made time.Time
		cut  bool
	}{{"the same", time.Unix(1, 0), true}, {"made anew", time.Unix(2, 0), false}} {
		t.Run(tt.name, func(t *testing.T) {
			m, count := changed(t, "{on: [drift], window: 1000}")
			m.state.Made = time.Unix(1, 0)
			m.state.Trail.note(700, time.Unix(1, 0))
			m.state.Drift = &wire.ScoreDrift{Seq: 900, SinceSeq: 700, Rows: 500, Before: 0.1, After: 0.3}
			m.heed(m.state.Drift, 500)
			text, err := json.Marshal(&m.state)
			if err != nil {
				t.Fatal(err)
			}
			m.ground.made = tt.made
			if err := m.adopt(t.Context(), text); err != nil {
				t.Fatal(err)
			}
			st := &m.state
			if (st.Cut != nil) != tt.cut || (st.Drift.SinceSeq != 0) != tt.cut || (len(st.Trail.Marks) > 0) != tt.cut || (st.Again > 0) != tt.cut {
				t.Errorf("it goes on from %+v, drift %+v, want it to know the places: %t", st, st.Drift, tt.cut)
			}
			m.state.Trigger = nil
			count(500)
			if due := m.pending(0) != ""; due != tt.cut {
				t.Errorf("another training is due: %t, want %t", due, tt.cut)
			}
		})
	}
}
