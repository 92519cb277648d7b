package serve_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/serve"
	"github.com/modelbus/modelbus/stream/wire"
)

const driftWindow = 500

// every counts all rows, so that tests need not wait.
const every = 1 << 30

const riderSpec = `
name: riders
features:
  - {name: hour, type: number}
  - {name: wind, type: number, missing: mean}
  - {name: city, type: category, unknown: zeros}
  - {name: still, type: number}
  - {name: wet, type: boolean}
label: {name: many, type: category}
network: [{Dense: {units: 4, activation: relu}}]
training: {epochs: 2, seed: %d}
serving: {drift: {window: %d}}
`

// riders draws rows of the model; its change is applied to each. still is the same in
// all of them.
type riders struct {
	random *rand.Rand
	change func(r *feature.Row, random *rand.Rand)
}

func (x *riders) row() feature.Row {
	r := x.random
	hour, wind := float64(r.IntN(24)), r.ExpFloat64()
	row := feature.Row{
		Values: []feature.Value{
			number(hour), number(wind), text([]string{"ulm", "bonn", "jena", "jena"}[r.IntN(4)]), number(3),
			{Kind: feature.KindBool, Num: float64(r.IntN(2))},
		},
		Label: text("few"),
	}
	if hour+3*r.NormFloat64() > 12 {
		row.Label = text("many")
	}
	if r.IntN(50) == 0 {
		row.Values[1] = feature.Value{}
	}
	if x.change != nil {
		x.change(&row, r)
	}
	return row
}

func riderModel(seed int) func() made {
	return func() made {
		m := made{spec: fmt.Sprintf(riderSpec, seed, driftWindow)}
		x := riders{random: rand.New(rand.NewPCG(uint64(seed), 1))}
		for range 3000 {
			m.rows = append(m.rows, x.row())
		}
		return m
	}
}

// ask has n rows of x predicted, in requests of at most 100.
func (x *riders) ask(tb testing.TB, nc *nats.Conn, n int) {
	tb.Helper()
	for n > 0 {
		var body bytes.Buffer
		body.WriteString(`{"instances": [`)
		for i := range min(n, 100) {
			if i > 0 {
				body.WriteByte(',')
			}
			v := x.row().Values
			wind := "null"
			if v[1].Kind == feature.KindNumber {
				wind = fmt.Sprint(v[1].Num)
			}
			fmt.Fprintf(&body, `[%v, %s, %q, %v, %t]`, v[0].Num, wind, v[2].Text, v[3].Num, v[4].Num == 1)
		}
		body.WriteString(`]}`)
		if _, err := predict(nc, "modelbus.predict.riders", body.Bytes()); err != nil {
			tb.Fatal(err)
		}
		n -= 100
	}
}

// driftOf returns what s tells of the drift of the model it serves.
func driftOf(tb testing.TB, s *serve.Server) *wire.FeatureDrift {
	tb.Helper()
	status, ok := s.Services()[0].Endpoints[0].Data.(serve.Status)
	if !ok {
		tb.Fatalf("services = %+v", s.Services())
	}
	return status.Drift
}

// await calls is until it says yes.
func until(tb testing.TB, what string, is func() bool) {
	tb.Helper()
	for end := time.Now().Add(patience); !is(); runtime.Gosched() {
		if time.Now().After(end) {
			tb.Fatalf("%s: it never comes", what)
		}
	}
}

// windows asks for so many windows of rows and waits for each to be compared.
func (x *riders) windows(tb testing.TB, nc *nats.Conn, s *serve.Server, n int) *wire.FeatureDrift {
	tb.Helper()
	for range n {
		before := driftOf(tb, s).Windows
		x.ask(tb, nc, driftWindow)
		until(tb, "the window", func() bool { return driftOf(tb, s).Windows == before+1 })
	}
	return driftOf(tb, s)
}

// driftEvents returns the events about drift that are kept.
func driftEvents(tb testing.TB, reg *registry.Registry, least int) []wire.DriftEvent {
	tb.Helper()
	var all []wire.DriftEvent
	until(tb, "the event", func() bool {
		all = nil
		last, err := reg.JetStream().Stream(tb.Context(), "MODELBUS_EVENT")
		if err != nil {
			tb.Fatal(err)
		}
		info, err := last.Info(tb.Context())
		if err != nil {
			tb.Fatal(err)
		}
		for seq := uint64(1); seq <= info.State.LastSeq; seq++ {
			msg, err := last.GetMsg(tb.Context(), seq)
			if err != nil || !strings.Contains(msg.Subject, ".drift.") {
				continue
			}
			var e registry.Event
			var d wire.DriftEvent
			if json.Unmarshal(msg.Data, &e) != nil || json.Unmarshal(e.Data, &d) != nil {
				tb.Fatalf("event %s: %s", msg.Subject, msg.Data)
			}
			if !strings.HasPrefix(e.ID, fmt.Sprintf("features-%d-", d.Version)) || d.Source != "features" {
				tb.Errorf("event %+v has data %+v", e, d)
			}
			all = append(all, d)
		}
		return len(all) >= least
	})
	return all
}

func columnOf(tb testing.TB, columns []wire.DriftColumn, name string) wire.DriftColumn {
	tb.Helper()
	i := slices.IndexFunc(columns, func(c wire.DriftColumn) bool { return c.Feature == name })
	if i < 0 {
		tb.Fatalf("column %s is not among %+v", name, columns)
	}
	return columns[i]
}

// TestNoDriftInRowsAlike asks models of several seeds for many windows of rows that are
// distributed as those they were trained on. Of single windows at most 1 in 100
// may say otherwise of any column (the false discovery rate); of two in a row none does.
func TestNoDriftInRowsAlike(t *testing.T) {
	t.Parallel()
	const windows, seeds = 24, 5
	alarms := 0
	for seed := range seeds {
		srv := embeddedtest.Start(t)
		reg := openRegistry(t, srv)
		publish(t, reg, "riders", registry.Champion, fitted(t, riderModel(seed)))
		s := runWith(t, srv, reg, serve.Options{DriftRate: every})
		nc := embeddedtest.Join(t, srv)
		x := riders{random: rand.New(rand.NewPCG(uint64(seed), 2))}
		for range windows {
			d := x.windows(t, nc, s, 1)
			for _, c := range d.Columns {
				if c.Drifted {
					alarms++
					t.Logf("seed %d, window %d: %+v", seed, d.Windows, c)
				}
			}
			if len(d.Columns) != 7 || d.Count != 0 || len(d.Drifted) != 0 || d.Version != 1 {
				t.Fatalf("seed %d: %+v, want 7 columns and none drifted", seed, d)
			}
		}
		if d := driftOf(t, s); d.Rows != driftWindow || d.Seen != d.Counted || d.Counted != windows*driftWindow {
			t.Errorf("seed %d: %+v, want all %d rows counted", seed, d, windows*driftWindow)
		}
		if all := driftEvents(t, reg, 0); len(all) != 0 {
			t.Errorf("seed %d: events %+v, want none", seed, all)
		}
	}
	// 120 windows at a rate of 0.01: 5 or more come once in 130 runs by chance, and these
	// seeds are fixed.
	if alarms > 4 {
		t.Errorf("%d alarms in %d windows, want at most 4", alarms, seeds*windows)
	}
}

func TestDriftIsFound(t *testing.T) {
	t.Parallel()
	missing := func(share float64) func(*feature.Row, *rand.Rand) {
		return func(r *feature.Row, random *rand.Rand) {
			if random.Float64() < share {
				r.Values[1] = feature.Value{}
			}
		}
	}
	for _, tt := range []struct {
		name      string
		change    func(*feature.Row, *rand.Rand)
		column    string
		statistic string
		category  string
		before    [2]float64 // range of what was
		now       [2]float64
	}{
		{"shifted number", func(r *feature.Row, _ *rand.Rand) { r.Values[0].Num += 6 }, "hour", "psi", "", [2]float64{11, 12}, [2]float64{17, 18}},
		{"missing values", missing(0.2), "wind", "missing", "", [2]float64{0.01, 0.03}, [2]float64{0.15, 0.28}},
		{"unknown category", func(r *feature.Row, random *rand.Rand) {
			if random.IntN(10) == 0 {
				r.Values[2].Text = "oslo"
			}
		}, "city", "unknown", "", [2]float64{0, 0}, [2]float64{0.05, 0.16}},
		{"other mixture", func(r *feature.Row, _ *rand.Rand) {
			if r.Values[2].Text == "ulm" {
				r.Values[2].Text = "bonn"
			}
		}, "city", "psi", "ulm", [2]float64{0.2, 0.3}, [2]float64{0, 0}},
		{"constant moves", func(r *feature.Row, _ *rand.Rand) { r.Values[3].Num = 4 }, "still", "psi", "", [2]float64{3, 3}, [2]float64{4, 4}},
		{"boolean", func(r *feature.Row, _ *rand.Rand) { r.Values[4].Num = 1 }, "wet", "psi", "", [2]float64{0.4, 0.6}, [2]float64{0, 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := embeddedtest.Start(t)
			reg := openRegistry(t, srv)
			publish(t, reg, "riders", registry.Champion, fitted(t, riderModel(1)))
			s := runWith(t, srv, reg, serve.Options{DriftRate: every})
			nc := embeddedtest.Join(t, srv)
			x := riders{random: rand.New(rand.NewPCG(8, 8))}
			x.windows(t, nc, s, 2)
			began := time.Now()

			x.change = tt.change
			d := x.windows(t, nc, s, 1)
			if c := columnOf(t, d.Columns, tt.column); !c.Drifted || d.Count != 0 {
				t.Errorf("after a window: %+v of %+v, want it to say so, and no change yet", c, d)
			}
			d = x.windows(t, nc, s, 1)
			if !slices.Contains(d.Drifted, tt.column) || d.Count != len(d.Drifted) {
				t.Fatalf("after two windows: %+v, want %s drifted", d, tt.column)
			}
			e := driftEvents(t, reg, 1)[0]
			if !e.Drifted || e.Version != 1 || e.Rows != driftWindow || e.Count != len(e.Columns) || e.Since.Before(began.Add(-time.Second)) || e.Since.After(time.Now()) {
				t.Errorf("event %+v, want it to tell of version 1 since %v", e, began)
			}
			c := columnOf(t, e.Columns, tt.column)
			if c.Statistic != tt.statistic || !(c.Value >= c.Threshold) || !(c.P < 0.01) || tt.category != "" && c.Category != tt.category {
				t.Errorf("column %+v, want %s above its threshold", c, tt.statistic)
			}
			if c.Before < tt.before[0] || c.Before > tt.before[1] || c.Now < tt.now[0] || c.Now > tt.now[1] {
				t.Errorf("column %+v, want before in %v, now in %v", c, tt.before, tt.now)
			}

			x.change = nil
			if d = x.windows(t, nc, s, 1); d.Count == 0 {
				t.Errorf("one window was enough to recover: %+v", d)
			}
			if d = x.windows(t, nc, s, 2); d.Count != 0 {
				t.Errorf("after three windows as before: %+v, want none drifted", d)
			}
			all := driftEvents(t, reg, 2)
			if last := all[len(all)-1]; last.Drifted || last.Count != 0 || !slices.Contains(last.Recovered, tt.column) || len(last.Columns) != 0 {
				t.Errorf("the last event is %+v, want it to say that %s has recovered", last, tt.column)
			}
		})
	}
}

// TestNewChampionBeginsNewWindow has the champion replaced by one that was trained on
// other hours, so that what was drift is none any more.
func TestNewChampionBeginsNewWindow(t *testing.T) {
	t.Parallel()
	later := func(r *feature.Row, _ *rand.Rand) { r.Values[0].Num += 6 }
	srv := embeddedtest.Start(t)
	reg := openRegistry(t, srv)
	publish(t, reg, "riders", registry.Champion, fitted(t, riderModel(1)))
	s := runWith(t, srv, reg, serve.Options{DriftRate: every})
	nc := embeddedtest.Join(t, srv)
	x := riders{random: rand.New(rand.NewPCG(8, 8)), change: later}
	x.windows(t, nc, s, 2)
	driftEvents(t, reg, 1)
	x.ask(t, nc, driftWindow/2)

	publish(t, reg, "riders", registry.Champion, fitted(t, func() made {
		m := riderModel(2)()
		for i := range m.rows {
			later(&m.rows[i], nil)
		}
		return m
	}))
	until(t, "version 2", func() bool { return driftOf(t, s).Version == 2 })
	if d := driftOf(t, s); d.Seen != 0 || d.Windows != 0 || d.Count != 0 || d.Columns == nil || d.Drifted == nil {
		t.Errorf("the new version begins with %+v, want nothing", d)
	}
	if d := x.windows(t, nc, s, 3); d.Count != 0 || d.Counted != 3*driftWindow {
		t.Errorf("after three windows: %+v, want none drifted", d)
	}
	if all := driftEvents(t, reg, 1); len(all) != 1 || all[0].Version != 1 {
		t.Errorf("events %+v, want one of version 1", all)
	}
}

// TestOnlyTheChampionIsWatched asks for another version, which does not count.
func TestOnlyTheChampionIsWatched(t *testing.T) {
	t.Parallel()
	srv := embeddedtest.Start(t)
	reg := openRegistry(t, srv)
	publish(t, reg, "riders", registry.Champion, fitted(t, riderModel(1)))
	publish(t, reg, "riders", "canary", fitted(t, riderModel(2)))
	s := runWith(t, srv, reg, serve.Options{DriftRate: every})
	nc := embeddedtest.Join(t, srv)
	row := []byte(`{"instances": [[1, 2, "ulm", 3, true]]}`)
	for _, ref := range []string{".canary", ".2", ".1", ".champion", ""} {
		if _, err := predict(nc, "modelbus.predict.riders"+ref, row); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the rows of version 1", func() bool { return driftOf(t, s).Counted == 3 })
	if d := driftOf(t, s); d.Seen != 3 {
		t.Errorf("%+v, want the 3 rows that version 1 answered", d)
	}
}

// TestWithoutReferenceNothingIsCompared serves an artifact as older programs wrote them,
// and a model whose spec wants no comparison.
func TestWithoutReferenceNothingIsCompared(t *testing.T) {
	t.Parallel()
	for name, product := range map[string]func(p product) product{
		"no reference": func(p product) product {
			bare, err := p.model.WithReference(nil)
			if err != nil {
				t.Fatal(err)
			}
			if p.artifact, err = bare.Encode(); err != nil {
				t.Fatal(err)
			}
			return p
		},
		"off": func(p product) product {
			p.spec = bytes.Replace(p.spec, []byte(`"drift":{`), []byte(`"drift":{"off":true,`), 1)
			return p
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := embeddedtest.Start(t)
			reg := openRegistry(t, srv)
			publish(t, reg, "riders", registry.Champion, product(fitted(t, riderModel(1))))
			s := runWith(t, srv, reg, serve.Options{DriftRate: every})
			x := riders{random: rand.New(rand.NewPCG(8, 8))}
			x.ask(t, embeddedtest.Join(t, srv), 2*driftWindow)
			if d := driftOf(t, s); d != nil {
				t.Errorf("drift = %+v, want none", d)
			}
			if st, ok := s.Services()[0].Endpoints[0].Data.(serve.Status); !ok || st.Problem != "" {
				t.Errorf("status = %+v, want no problem", st)
			}
		})
	}
}
