package model_test

import (
	"math/rand/v2"
	"testing"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
)

// BenchmarkLearner learns examples of eight numbers, one a message, each followed by two
// steps on eight remembered ones.
func BenchmarkLearner(b *testing.B) {
	s := mustParse(b, `
name: stream
features: [{name: a, type: number}, {name: b, type: number}, {name: c, type: number}, {name: d, type: number},
  {name: e, type: number}, {name: f, type: number}, {name: g, type: number}, {name: h, type: number}]
label: {name: y, type: category, classes: ["0", "1"]}
network: [{Dense: {units: 32, activation: relu}}]
optimizer: {Adam: {learning_rate: 0.01}}
retrain: {mode: online, every: 5000, replay: {rows: 100, batches: 2, size: 8}}
`)
	l, err := model.NewLearner(s, nil)
	if err != nil {
		b.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	f := feature.NewFrame(l.Schema(), true)
	messages := make([]*feature.Frame, 1000)
	for range messages {
		row := feature.Row{Label: text([]string{"0", "1"}[rnd.IntN(2)])}
		for range 8 {
			row.Values = append(row.Values, number(rnd.Float64()))
		}
		if err := f.Append(row); err != nil {
			b.Fatal(err)
		}
	}
	for i := range messages {
		messages[i] = f.Range(i, i+1)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := l.Learn(messages[i%len(messages)]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "examples/s")
}
