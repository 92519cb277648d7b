package gate_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/modelbus/modelbus/model/gate"
	"github.com/modelbus/modelbus/model/kernel/kerneltest"
	"github.com/modelbus/modelbus/model/metric"
)

func prequential(tb testing.TB, fading float64) *gate.Prequential {
	tb.Helper()
	p, err := gate.NewPrequential(fading)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func baseline(tb testing.TB, classes int, fading float64) *gate.Baseline {
	tb.Helper()
	b, err := gate.NewBaseline(classes, fading)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// Without fading the scores are those of package metric on all rows.
func TestPrequentialAgreesWithMetric(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	classes, numbers := prequential(t, 1), prequential(t, 1)
	var prob, truth, y, x []float32
	for range 500 {
		p, c := r.Float32(), r.IntN(2)
		prob, truth = append(prob, 1-p, p), append(truth, float32(c))
		classes.AddClass((p > 0.5) == (c == 1), float64(prob[len(prob)-2+c]))
		y, x = append(y, r.Float32()*10+5), append(x, r.Float32()*10+5)
		numbers.AddNumber(float64(x[len(x)-1]), float64(y[len(y)-1]))
	}
	wants := []map[string]float64{
		metric.Classification(prob, truth, nil, []string{"a", "b"}).Values,
		metric.Regression(x, y, nil).Values,
	}
	for i, p := range []*gate.Prequential{classes, numbers} {
		got := p.Result()
		if got.Rows != 500 || len(got.Values) == 0 {
			t.Errorf("got %+v, want scores of 500 rows", got)
		}
		for name, v := range got.Values {
			if !(kerneltest.Tolerance{Rel: 1e-6}).Near(v, wants[i][name]) { // probabilities are float32
				t.Errorf("%s = %v, want %v", name, v, wants[i][name])
			}
		}
	}
}

func TestPrequentialFades(t *testing.T) {
	p := prequential(t, 0.99)
	for range 1000 {
		p.AddClass(false, 0.1)
	}
	for range 100 {
		p.AddClass(true, 0.9)
	}
	// Σ 0.99^i over the last 100 is 1 − 0.99^100 of all.
	if got, want := p.Result().Values["accuracy"], 1-math.Pow(0.99, 100); math.Abs(got-want) > 1e-4 {
		t.Errorf("accuracy = %v, want %v", got, want)
	}
}

func TestPrequentialIsFinite(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	p, c := prequential(t, 1), prequential(t, 1)
	for _, x := range []float64{nan, inf, -inf, 1e300, 0} {
		p.AddNumber(x, 1)
		p.AddNumber(1e308, -1e308)
		c.AddClass(false, x)
	}
	for _, p := range []*gate.Prequential{p, c, prequential(t, 1)} {
		if _, err := json.Marshal(p.Result()); err != nil {
			t.Errorf("%+v: %v", p.Result(), err)
		}
	}
	for _, fading := range []float64{0, -1, 1.1, nan} {
		if _, err := gate.NewPrequential(fading); !errors.Is(err, gate.ErrInvalid) {
			t.Errorf("NewPrequential(%v) = %v, want %v", fading, err, gate.ErrInvalid)
		}
	}
	if _, err := gate.NewBaseline(-1, 1); !errors.Is(err, gate.ErrInvalid) {
		t.Errorf("NewBaseline(-1) = %v, want %v", err, gate.ErrInvalid)
	}
}

func TestBaseline(t *testing.T) {
	b := baseline(t, 3, 1)
	for _, class := range []int{1, 1, 0, 0, 0, -1, 3, 2, 2} {
		b.AddClass(class)
	}
	// Guessed by majority 1 1 1 0(the first of equals) 0 0, by no-change 1 1 0 0 0 2.
	got := b.Results()
	if m, n := got[gate.Majority], got[gate.NoChange]; m.Rows != 6 || m.Values["accuracy"] != 2.0/6 || n.Values["accuracy"] != 4.0/6 {
		t.Errorf("majority %+v, no-change %+v, want 2/6 and 4/6", m, n)
	}
	numbers := baseline(t, 0, 1)
	for _, y := range []float64{1, 3, math.NaN(), 5} {
		numbers.AddNumber(y)
	}
	got = numbers.Results() // means 1, 2; last 1, 3
	if m, n := got[gate.Mean], got[gate.NoChange]; m.Values["mse"] != (4.0+9)/2 || n.Values["mse"] != 4 || n.Values["mae"] != 2 {
		t.Errorf("mean %+v, no-change %+v, want mse 6.5 and 4", m, n)
	}
}

// Saved and restored at every step, scores are those of an uninterrupted run.
func TestScoresRestoreExactly(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 2))
	p, p2 := prequential(t, 0.999), prequential(t, 0.999)
	b, b2 := baseline(t, 3, 0.999), baseline(t, 3, 0.999)
	n, n2 := baseline(t, 0, 0.999), baseline(t, 0, 0.999)
	for range 300 {
		x, y, class := r.NormFloat64(), r.NormFloat64(), r.IntN(3)
		for _, q := range []*gate.Prequential{p, p2} {
			q.AddNumber(x, y)
		}
		for _, q := range []*gate.Baseline{b, b2, n, n2} {
			q.AddClass(class)
			q.AddNumber(y)
		}
		p3, b3, n3 := prequential(t, 0.999), baseline(t, 3, 0.999), baseline(t, 0, 0.999)
		for _, c := range []struct{ from, to any }{{p2, p3}, {b2, b3}, {n2, n3}} {
			if err := json.Unmarshal(marshal(t, c.from), c.to); err != nil {
				t.Fatal(err)
			}
		}
		p2, b2, n2 = p3, b3, n3
	}
	for _, c := range [][2]any{{p, p2}, {b, b2}, {n, n2}, {p.Result(), p2.Result()}, {b.Results(), b2.Results()}, {n.Results(), n2.Results()}} {
		if got, want := string(marshal(t, c[1])), string(marshal(t, c[0])); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestScoreboard(t *testing.T) {
	b, again := scoreboard(t), scoreboard(t)
	for i := range 40 {
		b.AddClass([]string{"weekday=" + string(rune('1'+i%4)), "odd"}, i%4 > 0, 0.7)
		if err := json.Unmarshal(marshal(t, b), again); err != nil {
			t.Fatal(err)
		}
	}
	again.AddClass(nil, true, 0.7)
	c := again.Scorecard()
	if c.Rows != 41 || c.Values["accuracy"] != 31.0/41 || len(c.Slices) != 5 {
		t.Errorf("got %+v, want 31 of 41 right, and 5 groups", c)
	}
	if g := c.Slices["weekday=1"]; g.Rows != 10 || g.Values["accuracy"] != 0 {
		t.Errorf("weekday=1: %+v, want none of 10 right", g)
	}
	for i := range 3000 {
		b.AddNumber([]string{fmt.Sprint(i)}, 1, 2)
	}
	if c := b.Scorecard(); len(c.Slices) != 1000 || c.Rows != 3040 {
		t.Errorf("%d groups of %d rows, want 1000 of 3040", len(c.Slices), c.Rows)
	}
}

func scoreboard(tb testing.TB) *gate.Scoreboard {
	tb.Helper()
	b, err := gate.NewScoreboard(1)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func marshal(tb testing.TB, v any) []byte {
	tb.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func FuzzScoreState(f *testing.F) {
	b, n := baseline(f, 3, 0.9), baseline(f, 0, 0.9)
	for i := range 5 {
		b.AddClass(i % 3)
		n.AddNumber(float64(i))
	}
	f.Add(true, marshal(f, b))
	f.Add(false, marshal(f, n))
	f.Fuzz(func(t *testing.T, classes bool, text []byte) {
		b := baseline(t, 0, 0.9)
		if classes {
			b = baseline(t, 3, 0.9)
		}
		if err := json.Unmarshal(text, b); err != nil {
			return
		}
		b.AddClass(1)
		b.AddNumber(2)
		marshal(t, b)
		marshal(t, b.Results())
	})
}

func FuzzScoreboardState(f *testing.F) {
	b := scoreboard(f)
	b.AddClass([]string{"a", "b"}, true, 0.5)
	b.AddNumber([]string{"c"}, 1, 2)
	f.Add(marshal(f, b))
	f.Fuzz(func(t *testing.T, text []byte) {
		b := scoreboard(t)
		if err := json.Unmarshal(text, b); err != nil {
			return
		}
		b.AddClass([]string{"a"}, true, 0.5)
		b.AddNumber([]string{"c"}, 1, 2)
		marshal(t, b)
		marshal(t, b.Scorecard())
	})
}
