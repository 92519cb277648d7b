package learn_test

import (
	"strings"
	"testing"

	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

func TestGateThresholds(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec)
	d.points(t, "iris", 200, 1)
	got := d.train(t, wire.TrainRequest{})
	if got.Gate == nil || got.Gate.Outcome != "no_gate" || !got.Promoted {
		t.Errorf("without a gate: %+v, %+v, want it said and promoted", got.Verdict, got.Gate)
	}
	d.update(t, spec+"retrain: {gate: {thresholds: {log_loss: 0.0000001}}}\n")
	got = d.train(t, wire.TrainRequest{})
	if got.Promoted || got.Gate.Outcome != "reject" || !strings.Contains(got.Why, "log_loss") || len(got.Gate.Checks) != 1 {
		t.Errorf("an unreachable threshold: %+v, %+v, want it rejected", got.Verdict, got.Gate)
	}
	d.update(t, spec+"retrain: {gate: {thresholds: {accuracy: 0.6}, change: {accuracy: 0.05}}}\n")
	got = d.train(t, wire.TrainRequest{})
	if !got.Promoted || got.Gate.Outcome != "promote" || len(got.Gate.Checks) != 2 {
		t.Errorf("thresholds that are reached: %+v, %+v, want it promoted", got.Verdict, got.Gate)
	}
}

// A first version has no champion to be compared with, but values to reach.
func TestGateKeepsAFirstVersionOut(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec+"retrain: {gate: {thresholds: {accuracy: 1.0, log_loss: 0.0000001}}}\n")
	d.points(t, "iris", 200, 1)
	if got := d.train(t, wire.TrainRequest{}); got.Promoted || got.kind != "rejected" {
		t.Errorf("%+v, want it rejected", got.Verdict)
	}
}

// A challenger that got worse in one group alone is kept out, though it is as good in
// all.
func TestGateOfSlices(t *testing.T) {
	t.Parallel()
	const text = `
name: iris
features:
  - {name: x, type: number}
  - {name: day, type: category}
label: {name: y, type: number}
training: {epochs: 60, batch_size: 16, seed: 7, holdout: 0.5, holdout_by: newest}
optimizer: {Adam: {learning_rate: 0.05}}
`
	d := deploy(t, learn.Options{})
	d.create(t, text)
	rows := func(n int, weekend string) {
		var b strings.Builder
		b.WriteString(`{"instances":[`)
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString([]string{`[1,"week"]`, `[1,"weekend"]`}[i%2])
		}
		b.WriteString(`],"labels":[`)
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString([]string{"0", weekend}[i%2])
		}
		b.WriteString(`]}`)
		d.publish(t, "iris", b.String())
	}
	rows(400, "10")
	d.train(t, wire.TrainRequest{})
	d.update(t, text+"retrain: {gate: {change: {mse: 150}, slices: [day], min_slice: 20}}\n")
	// What it trains on now says otherwise of weekends than what it is judged on.
	rows(1000, "30")
	rows(1400, "10")
	got := d.train(t, wire.TrainRequest{})
	if got.Promoted || got.Gate == nil || !strings.Contains(got.Why, "weekend") {
		t.Errorf("%+v, %+v, want it rejected for its weekends", got.Verdict, got.Gate)
	}
}
