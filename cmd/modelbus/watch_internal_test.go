package main

import (
	"encoding/json"
	"testing"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

func TestScoreDriftIsSaidInWords(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{
		wire.ErrorWrong:    "share of wrong answers 0.12 → 0.31 in the last 1,200 examples of version 3, noticed at message 77 by ADWIN",
		wire.ErrorAbsolute: "relative absolute error (e/(e+mean)) 0.12 → 0.31 in the last 1,200 examples of version 3, noticed at message 77 by ADWIN",
	} {
		data, err := json.Marshal(wire.ScoreDrift{
			Source: wire.SourceScore, Detector: "ADWIN", Version: 3, Seq: 77, Error: kind, Before: 0.12, After: 0.31, Rows: 1200,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := eventLine(registry.Event{Model: "iris", Kind: wire.KindDrift, ID: "score-77", Data: data}); got != want {
			t.Errorf("a drift of %q errors is said as %q, want %q", kind, got, want)
		}
	}
}
