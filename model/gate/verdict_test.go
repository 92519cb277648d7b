package gate_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model/gate"
)

type values = map[string]float64

func card(rows int, v values, groups ...string) gate.Scorecard {
	c := gate.Scorecard{Result: gate.Result{Rows: rows, Values: v}}
	if len(groups) > 0 {
		c.Slices = map[string]gate.Result{}
	}
	for i, g := range groups {
		c.Slices[g] = gate.Result{Rows: rows / len(groups), Values: values{"accuracy": v["accuracy"], "mse": v["mse"] + float64(i)}}
	}
	return c
}

func TestJudge(t *testing.T) {
	champion := card(1000, values{"accuracy": 0.8, "log_loss": 0.5})
	regressor := card(1000, values{"mse": 10, "r2": 0.5})
	tests := []struct {
		name       string
		config     gate.Config
		challenger gate.Scorecard
		champion   *gate.Scorecard
		outcome    string
		reason     string
	}{
		{
			"nothing configured",
			gate.Config{Slices: []string{"weekday"}},
			champion, &champion, gate.NoGate,
			"no thresholds are configured: the gate decided nothing (set gate.thresholds or gate.change)",
		},
		{
			"value reached",
			gate.Config{Thresholds: values{"accuracy": 0.8}},
			champion, nil, gate.Promote,
			"accuracy 0.8 is at least 0.8; there is no champion to compare with",
		},
		{
			"value missed",
			gate.Config{Thresholds: values{"accuracy": 0.81}},
			champion, nil, gate.Reject,
			"accuracy is 0.8, at least 0.81 is due",
		},
		{
			"lower is better",
			gate.Config{Thresholds: values{"log_loss": 0.4}},
			champion, nil, gate.Reject,
			"log_loss is 0.5, at most 0.4 is due",
		},
		{
			"without a champion no change",
			gate.Config{Change: values{"accuracy": 0}, Thresholds: values{"accuracy": 0.1}},
			card(10, values{"accuracy": 0.2}), nil, gate.Promote,
			"accuracy 0.2 is at least 0.1; there is no champion to compare with",
		},
		{
			"change alone without a champion",
			gate.Config{Change: values{"accuracy": 0}},
			card(10, values{"accuracy": 0.2}), nil, gate.Promote,
			"there is no champion to compare with",
		},
		{
			"equal is not worse",
			gate.Config{Change: values{"accuracy": 0, "log_loss": 0}},
			champion, &champion, gate.Promote,
			"accuracy went from 0.8 to 0.8, worse by 0 at most; log_loss went from 0.5 to 0.5, worse by 0 at most",
		},
		{
			"worse",
			gate.Config{Change: values{"accuracy": 0}},
			card(1000, values{"accuracy": 0.79}), &champion, gate.Reject,
			"accuracy went from 0.8 to 0.79, it may get worse by at most 0",
		},
		{
			"worse within the limit",
			gate.Config{Change: values{"accuracy": 0.02}},
			card(1000, values{"accuracy": 0.79}), &champion, gate.Promote,
			"accuracy went from 0.8 to 0.79, worse by 0.02 at most",
		},
		{
			"must be better",
			gate.Config{Change: values{"accuracy": -0.01}},
			card(1000, values{"accuracy": 0.805}), &champion, gate.Reject,
			"accuracy went from 0.8 to 0.805, it must get better by 0.01",
		},
		{
			"errors rise",
			gate.Config{Change: values{"mse": 1}},
			card(1000, values{"mse": 12}), &regressor, gate.Reject,
			"mse went from 10 to 12, it may get worse by at most 1",
		},
		{
			"errors fall",
			gate.Config{Change: values{"mse": 0, "r2": 0}},
			card(1000, values{"mse": 9, "r2": 0.6}), &regressor, gate.Promote,
			"mse went from 10 to 9, worse by 0 at most; r2 went from 0.5 to 0.6, worse by 0 at most",
		},
		{
			"undefined score",
			gate.Config{Thresholds: values{"roc_auc": 0.5}},
			champion, nil, gate.Reject,
			"roc_auc is not defined on the 1000 rows, at least 0.5 is due",
		},
		{
			"undefined change",
			gate.Config{Change: values{"accuracy": 0}},
			card(1000, values{"accuracy": math.NaN()}), &champion, gate.Reject,
			"accuracy is not defined, the champion's is 0.8",
		},
		{
			"nothing to be worse than",
			gate.Config{Change: values{"roc_auc": 0}},
			champion, &champion, gate.Promote,
			"roc_auc of the champion is not defined: there is nothing to be worse than",
		},
		{
			"two failures",
			gate.Config{Thresholds: values{"accuracy": 0.9, "log_loss": 0.1}},
			champion, nil, gate.Reject,
			"accuracy is 0.8, at least 0.9 is due, and 1 more of 2 checks failed",
		},
		{
			"no rows",
			gate.Config{Thresholds: values{"accuracy": 0.9}},
			gate.Scorecard{},
			nil, gate.Reject,
			"0 held-out rows are too few to judge by, at least 1 are due",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.config.Judge(tt.challenger, tt.champion)
			if got.Outcome != tt.outcome || got.Reason != tt.reason {
				t.Errorf("got %s: %s\nwant %s: %s", got.Outcome, got.Reason, tt.outcome, tt.reason)
			}
			if _, err := json.Marshal(got); err != nil {
				t.Errorf("the verdict cannot be written: %v", err)
			}
		})
	}
}

func TestJudgeSlices(t *testing.T) {
	c := gate.Config{Change: values{"accuracy": 0.02}, Slices: []string{"weekday"}, MinSlice: 100}
	champion := card(700, values{"accuracy": 0.8}, "weekday=6", "weekday=7")
	challenger := card(700, values{"accuracy": 0.85}, "weekday=6", "weekday=7")
	challenger.Slices["weekday=7"] = gate.Result{Rows: 350, Values: values{"accuracy": 0.7}}
	challenger.Slices["weekday=holiday"] = gate.Result{Rows: 20, Values: values{"accuracy": 0}}
	got := c.Judge(challenger, &champion)
	want := "accuracy where weekday=7 went from 0.8 to 0.7, it may get worse by at most 0.02"
	if got.Outcome != gate.Reject || got.Reason != want {
		t.Errorf("got %s: %s, want %s", got.Outcome, got.Reason, want)
	}
	if len(got.Checks) != 3 || got.Checks[0].Slice != "weekday=7" || !slices.Equal(got.Skipped, []string{"weekday=holiday has 20 rows"}) {
		t.Errorf("checks %+v, skipped %q", got.Checks, got.Skipped)
	}
	challenger.Slices["weekday=7"] = gate.Result{Rows: 350, Values: values{"accuracy": 0.79}}
	if got := c.Judge(challenger, &champion); got.Outcome != gate.Promote {
		t.Errorf("got %+v, want promote", got)
	}
}

func TestJudgeStream(t *testing.T) {
	c := gate.Config{Kind: gate.Live, Thresholds: values{"accuracy": 0.7}}
	good, poor := card(1000, values{"accuracy": 0.8}), card(1000, values{"accuracy": 0.6})
	tests := []struct {
		proof      gate.Outcome
		challenger gate.Scorecard
		want       string
	}{
		{gate.Better, good, gate.Promote},
		{gate.Better, poor, gate.Reject},
		{gate.Undecided, good, gate.Wait},
		{gate.Undecided, poor, gate.Wait},
		{gate.Worse, good, gate.Reject},
	}
	for _, tt := range tests {
		got := c.JudgeStream(gate.Comparison{Outcome: tt.proof, Reason: "proof"}, tt.challenger, &good)
		if got.Outcome != tt.want || got.Reason == "" || got.Comparison == nil {
			t.Errorf("%s and %v: %+v, want %s", tt.proof, tt.challenger.Values, got, tt.want)
		}
	}
	bare := gate.Config{Kind: gate.Live}
	if got := bare.JudgeStream(gate.Comparison{Outcome: gate.Better}, poor, &good); got.Outcome != gate.Promote {
		t.Errorf("a stream gate without thresholds: %+v, want promote", got)
	}
}

func TestConfigCheck(t *testing.T) {
	good := gate.Config{
		Kind: gate.Live, Alpha: 0.05, MinExamples: 500, Thresholds: values{"accuracy": 0.7},
		Change: values{"accuracy": 0}, Slices: []string{"weekday"},
	}
	if err := good.Check(bikes()); err != nil {
		t.Errorf("Check() = %v", err)
	}
	if _, err := gate.NewStream(good.Stream()); err != nil {
		t.Errorf("NewStream() of a checked config = %v", err)
	}
	tests := []struct {
		name   string
		config gate.Config
		want   string
	}{
		{"kind", gate.Config{Kind: "steam"}, `kind: unknown kind "steam", did you mean stream? (known: holdout, stream)`},
		{"alpha", gate.Config{Kind: gate.Live, Alpha: 1}, "alpha: must be in (0, 1), got 1"},
		{"alpha of holdout", gate.Config{Alpha: 0.1}, `kind: alpha, test and margin are those of kind "stream": set it, or leave them out`},
		{"test", gate.Config{Kind: gate.Live, Test: "pared"}, `test: unknown test "pared", did you mean paired? (known: paired, separate)`},
		{"margin", gate.Config{Kind: gate.Live, Margin: -1}, "margin: must be in [0, 1), got -1"},
		{"counts", gate.Config{MinExamples: -1, MinSlice: -2}, "min_examples: must not be negative, got -1\nmin_slice: must not be negative, got -2"},
		{"metric", gate.Config{Thresholds: values{"accurcy": 0.7}}, `thresholds.accurcy: unknown metric "accurcy", did you mean accuracy? (known: accuracy, log_loss, f1_macro, roc_auc)`},
		{"metric of numbers", gate.Config{Change: values{"mse": 0}}, `change.mse: unknown metric "mse" (known: accuracy, log_loss, f1_macro, roc_auc)`},
		{"metric of a stream", gate.Config{Kind: gate.Live, Change: values{"roc_auc": 0}}, `change.roc_auc: the metric roc_auc needs all predictions at once: a gate of kind "stream" knows accuracy and log_loss`},
		{"percent", gate.Config{Thresholds: values{"accuracy": 70}}, "thresholds.accuracy: the metric accuracy is from 0 to 1, got 70"},
		{"not a number", gate.Config{Thresholds: values{"log_loss": math.Inf(1)}}, "thresholds.log_loss: must be a finite number, got +Inf"},
		{"slices alone", gate.Config{Slices: []string{"hour"}, Thresholds: values{"accuracy": 0.5}}, "slices: groups are compared by the thresholds of change: set it, such as change: {accuracy: 0.02}"},
		{"slice of nothing", gate.Config{Slices: []string{"weekdy"}, Change: values{"accuracy": 0}}, `slices.0: unknown feature "weekdy", did you mean weekday? (known: weekday, hour, holiday, sensor)`},
		{"slice of a vector", gate.Config{Slices: []string{"hour", "sensor", "hour"}, Change: values{"accuracy": 0}}, "slices.1: the feature \"sensor\" is a vector: a number, category or boolean is due\nslices.2: the feature \"hour\" is listed twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.config.Check(bikes())
			if err == nil || strings.TrimSpace(err.Error()) != tt.want {
				t.Errorf("Check() = %v\nwant %s", err, tt.want)
			}
		})
	}
}
