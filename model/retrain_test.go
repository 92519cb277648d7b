package model_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model"
)

// An online model whose spec does not say when has versions cut by itself.
func TestOnlineByDefault(t *testing.T) {
	const head = "name: a\nfeatures: [{name: x, type: number}]\nlabel: {name: y, type: number}\nretrain: "
	for _, tt := range []struct {
		retrain         string
		examples, first int
		after           string
	}{
		{"{mode: online}", 0, 1000, "1m0s"},
		{"{mode: online, on: [drift]}", 0, 1000, "1m0s"},
		{"{mode: online, every: 1h}", 0, 0, "1h0m0s"},
		{"{mode: online, every: 5000}", 5000, 5000, "0s"},
		{"{mode: online, cron: '@daily'}", 0, 0, "0s"},
		{"{window: 5000}", 0, 0, "0s"},
	} {
		spec, err := model.ParseSpec([]byte(head + tt.retrain))
		if err != nil {
			t.Fatal(err)
		}
		first, _ := spec.Retrain.When(true)
		examples, after := spec.Retrain.When(false)
		if examples != tt.examples || first != tt.first || after.String() != tt.after {
			t.Errorf("%s: due after %d examples, the first time %d, or %v, want %d, %d, %s",
				tt.retrain, examples, first, after, tt.examples, tt.first, tt.after)
		}
		if spec.Retrain.Scheduled() != spec.Retrain.Online() {
			t.Errorf("%s: Scheduled() = %v", tt.retrain, spec.Retrain.Scheduled())
		}
	}
}

// The example of the whole section reads, and reads again from its canonical form.
func TestRetrainReadsBack(t *testing.T) {
	const text = `
name: power
features: [{name: load, type: number}, {name: weekday, type: category}]
label: {name: up, type: category, classes: ["DOWN", "UP"]}
retrain:
  mode: online
  every: 5000
  on: [drift, {score_below: {accuracy: 0.8}}]
  detector: {ADWIN: {delta: 0.02}}
  min_gap: 1m
  batch: 1
  replay: {rows: 200, batches: 2, size: 8}
  gate: {kind: stream, alpha: 0.05, min_examples: 500, thresholds: {accuracy: 0.7}, change: {accuracy: 0.0}, slices: [weekday]}
  watch: 10000
capture: 24h
`
	spec, err := model.ParseSpec([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	r := spec.Retrain
	if !r.Online() || !r.Scheduled() || !r.Follows() || !r.On.Drift || r.On.ScoreBelow["accuracy"] != 0.8 ||
		r.Remember() != (model.Replay{Rows: 200, Batches: 2, Size: 8}) || r.Watch != 10000 || spec.Capture.String() != "24h0m0s" {
		t.Errorf("the spec reads as %+v, capture %v", r, spec.Capture)
	}
	first, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	again, err := model.ParseSpec(first)
	if err != nil {
		t.Fatalf("the canonical form %s does not read: %v", first, err)
	}
	second, err := json.Marshal(again)
	if err != nil || string(second) != string(first) {
		t.Errorf("read and written again it is %s, want %s (%v)", second, first, err)
	}
}

func TestRetrainDefaults(t *testing.T) {
	r := &model.Retrain{Mode: model.ModeOnline, Every: model.Amount{Examples: 10}}
	if got := r.Remember(); got != (model.Replay{Rows: 200, Batches: 2, Size: 8}) {
		t.Errorf("without replay an online model remembers %+v, want 200 rows", got)
	}
	r.Replay = &model.Replay{}
	if got := r.Remember(); got.Rows != 0 {
		t.Errorf("a replay of 0 rows remembers %d", got.Rows)
	}
	if d, err := r.Detector.New(); err != nil || d == nil {
		t.Errorf("the default detector: %v, %v", d, err)
	}
}

// Scores in several entries are as those in one.
func TestScoresOfSeveralTriggers(t *testing.T) {
	const text = `
name: up
features: [{name: load, type: number}]
label: {name: up, type: boolean}
retrain: {on: [{score_below: {accuracy: 0.8}}, drift, {score_below: {log_loss: 0.5}}]}
`
	on := mustParse(t, text).Retrain.On
	if !on.Drift || len(on.ScoreBelow) != 2 || on.ScoreBelow["accuracy"] != 0.8 || on.ScoreBelow["log_loss"] != 0.5 {
		t.Errorf("the triggers are %+v", on)
	}
}

// A share of older examples reads, and reads again from its canonical form; that of online
// replays is as it was, as digests of specs depend on it.
func TestReplayReadsBack(t *testing.T) {
	const head = "name: up\nfeatures: [{name: load, type: number}]\nlabel: {name: up, type: boolean}\n"
	for _, tt := range []struct {
		text, canonical string
		older           int // beside 1,000 rows
	}{
		{"retrain: {every: 5, window: 10, replay: {share: 0.125}}", `"replay":{"share":0.125}`, 125},
		{"retrain: {every: 5, warm: true, replay: {share: 1}}", `"replay":{"share":1}`, 1000},
		{"training: {warm: true}\nretrain: {every: 5, replay: {share: 0.1}}", `"replay":{"share":0.1}`, 100},
		{"retrain: {every: 5, replay: {share: 0}}", `"replay":{"rows":0}`, 0},
		{"retrain: {every: 5}", "", 0},
		{"retrain: {mode: online, every: 5, replay: {size: 16, rows: 300, batches: 3}}", `"replay":{"rows":300,"batches":3,"size":16}`, 0},
		{"retrain: {mode: online, every: 5, replay: {rows: 0}}", `"replay":{"rows":0}`, 0},
	} {
		t.Run(tt.text, func(t *testing.T) {
			first := mustParse(t, head+tt.text)
			text, err := json.Marshal(first)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), tt.canonical) {
				t.Errorf("the canonical form is %s, want %s in it", text, tt.canonical)
			}
			for _, s := range []*model.Spec{first, mustParse(t, string(text))} {
				if got := s.Retrain.Older(1000); got != tt.older {
					t.Errorf("beside 1,000 rows there are %d older ones, want %d", got, tt.older)
				}
			}
		})
	}
}
