package learn

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
)

// BenchmarkMonitor scores the champion, and a challenger on trial, on messages of so
// many rows of eight numbers.
func BenchmarkMonitor(b *testing.B) {
	var text strings.Builder
	text.WriteString("name: wide\nlabel: {name: up, type: boolean}\nnetwork: [{Dense: {units: 16, activation: relu}}]\n" +
		"training: {epochs: 1}\nretrain: {on: [drift], gate: {kind: stream}}\nfeatures:\n")
	for i := range 8 {
		fmt.Fprintf(&text, "  - {name: x%d, type: number}\n", i)
	}
	spec, err := model.ParseSpec([]byte(text.String()))
	if err != nil {
		b.Fatal(err)
	}
	for _, rows := range []int{1, 100} {
		for _, trial := range []bool{false, true} {
			b.Run(fmt.Sprintf("rows=%d/trial=%v", rows, trial), func(b *testing.B) {
				m, a := benchMonitor(b, spec, rows, trial)
				b.ReportAllocs()
				for b.Loop() {
					a.seq++
					if err := m.count(b.Context(), a); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
			})
		}
	}
}

func benchMonitor(b *testing.B, spec *model.Spec, rows int, onTrial bool) (*monitor, arrival) {
	b.Helper()
	rnd := rand.New(rand.NewPCG(1, 1))
	frame := feature.NewFrame(&spec.Schema, true)
	for range max(rows, 20) {
		row := feature.Row{Label: feature.Value{Kind: feature.KindBool, Num: float64(rnd.IntN(2))}}
		for range 8 {
			row.Values = append(row.Values, feature.Value{Kind: feature.KindNumber, Num: rnd.NormFloat64()})
		}
		if err := frame.Append(row); err != nil {
			b.Fatal(err)
		}
	}
	fitted, _, err := model.Fit(b.Context(), spec, frame, model.FitOptions{})
	if err != nil {
		b.Fatal(err)
	}
	detector, err := newRelay(spec.Retrain.Detector)
	if err != nil {
		b.Fatal(err)
	}
	m := &monitor{spec: spec, detector: detector, loaded: map[uint64]*contender{}}
	m.state = state{Champion: 1, Versions: map[uint64]*tally{}}
	for n := range uint64(2) {
		m.loaded[n+1] = &contender{
			number: n + 1, schema: fitted.Schema(), same: true,
			classes: places(fitted.Classes()), predictor: fitted.NewPredictor(),
		}
	}
	if onTrial {
		d, err := newDuel(m.live().Stream())
		if err != nil {
			b.Fatal(err)
		}
		m.state.Trial = &trial{Version: 2, Champion: 1, Duel: d, Ours: newBoard(), Theirs: newBoard()}
	}
	return m, arrival{rows: frame.Range(0, rows)}
}
