package model_test

import (
	"math/rand/v2"
	"testing"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/drift"
	"github.com/modelbus/modelbus/model/feature"
)

const seaSpec = `
name: sea
features: [{name: a, type: number}, {name: b, type: number}, {name: c, type: number}]
label: {name: below, type: boolean}
network: [{Dense: {units: 16, activation: relu}}]
optimizer: {Adam: {learning_rate: 0.01}}
training: {epochs: 30, batch_size: 16, seed: 1}
retrain: {on: [drift]}
`

// sea returns rows of the SEA concepts (Street and Kim 2001, "A streaming ensemble
// algorithm for large-scale classification"), as many of each threshold: of three
// numbers in [0, 10) the first two add up to the threshold at most, of which 10 % are
// turned into their opposite.
func sea(tb testing.TB, s *model.Spec, each int, seed uint64, thresholds ...float64) *feature.Frame {
	tb.Helper()
	rnd := rand.New(rand.NewPCG(seed, 3))
	rows := feature.NewFrame(&s.Schema, true)
	for _, threshold := range thresholds {
		for range each {
			var x [3]float64
			values := make([]feature.Value, len(x))
			for i := range x {
				x[i] = rnd.Float64() * 10
				values[i] = feature.Value{Kind: feature.KindNumber, Num: x[i]}
			}
			label := feature.Value{Kind: feature.KindBool}
			if (x[0]+x[1] <= threshold) != (rnd.Float64() < 0.1) {
				label.Num = 1
			}
			if err := rows.Append(feature.Row{Values: values, Label: label}); err != nil {
				tb.Fatal(err)
			}
		}
	}
	return rows
}

// A run is what came of following a stream.
type run struct {
	right  []bool
	drifts []int
	fits   int
}

// follow fits to the first rows and predicts each one after. When drift is signalled, it
// fits again to the newest window rows, and once more when so many rows have come since.
func follow(tb testing.TB, s *model.Spec, rows *feature.Frame, first, window int) run {
	tb.Helper()
	detector, err := s.Retrain.Detector.New()
	if err != nil {
		tb.Fatal(err)
	}
	var out run
	fit := func(from, at int) *model.Predictor {
		m, _, err := model.Fit(tb.Context(), s, rows.Range(from, at), model.FitOptions{})
		if err != nil {
			tb.Fatal(err)
		}
		detector.Reset()
		out.fits++
		return m.NewPredictor()
	}
	out.right = make([]bool, first, rows.Len())
	p := fit(0, first)
	due := 0
	for i := first; i < rows.Len(); i++ {
		got, err := p.Predict(rows.Range(i, i+1))
		if err != nil {
			tb.Fatal(err)
		}
		right := got.Label(0) == int(rows.Label(i).Num)
		out.right = append(out.right, right)
		x := 1.0
		if right {
			x = 0
		}
		switch {
		case detector.Update(x) == drift.Drift:
			out.drifts = append(out.drifts, i)
			p, due = fit(i+1-window, i+1), i+1+window
		case i+1 == due:
			p = fit(i+1-window, i+1)
		}
	}
	return out
}

func (r run) accuracy(lo, hi int) float64 {
	n := 0
	for _, right := range r.right[lo:hi] {
		if right {
			n++
		}
	}
	return float64(n) / float64(hi-lo)
}

// Drift is signalled within 1,000 rows of each change of concept and never else, and after
// a fit to what came since the accuracy is back.
func TestSeaConcepts(t *testing.T) {
	t.Parallel()
	s, err := model.ParseSpec([]byte(seaSpec))
	if err != nil {
		t.Fatal(err)
	}
	const each = 12500
	const seeds = 4
	var lost [4]float64
	for seed := range uint64(seeds) {
		r := follow(t, s, sea(t, s, each, seed, 8, 9, 7, 9.5), 4000, 800)
		if len(r.drifts) != 3 {
			t.Fatalf("seed %d: drift at rows %v, want three times", seed, r.drifts)
		}
		for k := 1; k < 4; k++ {
			at := k * each
			if d := r.drifts[k-1] - at; d < 0 || d >= 1000 {
				t.Errorf("seed %d: drift %d rows after the change at %d, want within 1,000", seed, d, at)
			}
			lost[k] += r.accuracy(at-5000, at) - r.accuracy(at+1000, at+2000)
		}
	}
	for k := 1; k < 4; k++ {
		if lost := lost[k] / float64(seeds); lost > 0.02 {
			t.Errorf("1,000 rows after change %d the accuracy is %.3f lower than before, want 0.02 at most", k, lost)
		}
	}
}
