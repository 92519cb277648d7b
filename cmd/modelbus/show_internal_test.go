package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

func TestShowSaysOnWhatScoresAre(t *testing.T) {
	t.Parallel()
	held := registry.Version{Number: 1, Lineage: registry.Lineage{Examples: 10, Held: 2}}
	online := registry.Version{Number: 2, Lineage: registry.Lineage{Examples: 10, Online: true}}
	for _, tt := range []struct {
		versions []registry.Version
		want     string
	}{
		{[]registry.Version{held}, "Scores on held-out rows"},
		{[]registry.Version{online, online}, "Scores before learning"},
		{[]registry.Version{held, online}, "Scores on held-out rows, online before learning"},
	} {
		if got := scoresTitle(tt.versions); got != tt.want {
			t.Errorf("scores of %d versions are headed %q, want %q", len(tt.versions), got, tt.want)
		}
	}
	if got := examplesOf(&held.Lineage); got != "10 (2 held out, 0 rejected)" {
		t.Errorf("examples %q, want those held out", got)
	}
	if got := examplesOf(&online.Lineage); got != "10" {
		t.Errorf("examples of an online version %q, want 10 alone", got)
	}

	var out bytes.Buffer
	a := &app{stdio: stdio{out: &out}}
	online.Metrics = map[string]float64{"accuracy": 0.9}
	info := &wire.ModelInfo{Versions: []registry.Version{online}}
	if err := a.printVersion(info, registry.Ref{Model: "iris", Version: 2}); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.Contains(text, "Before learning, accuracy") || strings.Contains(text, "Fitted in") || strings.Contains(text, "held out") {
		t.Errorf("an online version is shown as\n%s", text)
	}
}

func TestShowTellsOfTheNewestMoves(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	a := &app{stdio: stdio{out: &out}}
	var moves []registry.Move
	for n := range uint64(25) {
		moves = append(moves, registry.Move{Alias: "champion", To: n + 1, Why: fmt.Sprintf("move %d.", n+1)})
	}
	a.printMoves(moves)
	text := out.String()
	if !strings.Contains(text, "Alias moves: the newest 20 of 25") || strings.Contains(text, "move 5.") || !strings.Contains(text, "move 6.") || !strings.Contains(text, "move 25.") {
		t.Errorf("25 moves are shown as\n%s", text)
	}
}
