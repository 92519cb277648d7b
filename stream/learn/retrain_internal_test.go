package learn

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// A crash that takes the end of a stream does not have all before it counted again.
func TestCountFrom(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		name    string
		last    uint64
		created time.Time
		want    uint64
	}{
		{"the same stream", 1200, at.Add(-time.Hour), 1000},
		{"nothing new", 1000, at.Add(-time.Hour), 1000},
		{"made anew long after, and longer", 1200, at.Add(time.Hour), 0},
		{"made anew", 7, at.Add(time.Second), 0},
		{"made anew, by a clock that is late", 7, at.Add(-time.Second), 0},
		{"its end was lost", 990, at.Add(-time.Hour), 990},
	} {
		if got := countFrom(ground{made: tt.created, last: tt.last}, 1000, at); got != tt.want {
			t.Errorf("%s: countFrom() = %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestDue(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return begin.Add(d) }
	hour := model.Amount{Time: model.Duration(time.Hour)}
	tests := []struct {
		name string
		spec model.Retrain
		gap  time.Duration
		rows int
		now  time.Time

		signal string
		why    string
		next   time.Time
	}{
		{name: "signalled", spec: model.Retrain{}, signal: "drift", rows: 1, now: at(0), why: "drift"},
		{name: "signalled, nothing new", spec: model.Retrain{}, signal: "drift", now: at(0)},
		{name: "signalled in the gap", spec: model.Retrain{}, signal: "drift", gap: time.Minute, rows: 1, now: at(0), next: at(time.Minute)},
		{name: "too few", spec: model.Retrain{Every: model.Amount{Examples: 10}}, rows: 9, now: at(time.Hour)},
		{name: "enough", spec: model.Retrain{Every: model.Amount{Examples: 10}}, rows: 10, now: at(0), why: "10 new examples"},
		{name: "in the gap", spec: model.Retrain{Every: model.Amount{Examples: 10}}, gap: time.Minute, rows: 10, now: at(time.Second), next: at(time.Minute)},
		{name: "after the gap", spec: model.Retrain{Every: model.Amount{Examples: 10}}, gap: time.Minute, rows: 12, now: at(time.Minute), why: "12 new examples"},
		{name: "too early", spec: model.Retrain{Every: hour}, rows: 5, now: at(time.Minute), next: at(time.Hour)},
		{name: "in time, nothing new", spec: model.Retrain{Every: hour}, now: at(2 * time.Hour)},
		{name: "in time", spec: model.Retrain{Every: hour}, rows: 1, now: at(time.Hour), why: "1h0m0s have passed, 1 new examples"},
		{name: "cron, too early", spec: model.Retrain{Cron: "0 3 * * *"}, rows: 1, now: at(time.Hour), next: at(15 * time.Hour)},
		{name: "cron", spec: model.Retrain{Cron: "0 3 * * *"}, rows: 1, now: at(40 * time.Hour), why: "cron 0 3 * * *, 1 new examples"},
		{name: "cron or examples", spec: model.Retrain{Cron: "@daily", Every: model.Amount{Examples: 3}}, rows: 3, now: at(time.Hour), why: "3 new examples"},
	}
	for _, tt := range tests {
		r := &retrainer{spec: &model.Spec{Retrain: &tt.spec}}
		why, next := r.due(mark{time: begin, gap: tt.gap}).why(tt.rows, tt.signal, tt.now)
		if why != tt.why || !next.Equal(tt.next) {
			t.Errorf("%s: why = %q, %v, want %q, %v", tt.name, why, next, tt.why, tt.next)
		}
	}
}

// A training by itself that changed nothing, or cannot succeed, is not tried again by whoever comes
// later on the same examples.
func TestMarkOfWhatWasTried(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	stored, made := place10(t, b)
	verdict := func(seq uint64, of time.Time) []byte {
		data, err := json.Marshal(wire.Verdict{Tried: &wire.Tried{LastSeq: seq, LastTime: stored[seq], StreamCreated: made, ModelCreated: of}})
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for i, tt := range []struct {
		kind string
		data []byte
		want uint64
	}{
		{kindSame, []byte(`{"unchanged":true}`), 0},
		{kindSame, verdict(3, b.record.Created.Add(-time.Hour)), 0}, // of a model that had the name before
		{kindSame, verdict(3, b.record.Created), 3},
		{kindFailed, verdict(5, b.record.Created), 5},
		{kindFailed, []byte(`{"error":{"code":"unavailable"}}`), 3}, // it may go well next time
		{kindSame, verdict(9, b.record.Created), 9},
	} {
		e := registry.Event{Model: "iris", Kind: tt.kind, ID: strconv.Itoa(i), Data: tt.data}
		if err := b.trainer.reg.Announce(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		r := &retrainer{Trainer: b.trainer, name: "iris", created: b.record.Created, spec: b.spec}
		got, err := r.mark(t.Context())
		if err != nil || got.seq != tt.want {
			t.Errorf("after %s %s: it counts from message %d, %v, want %d", tt.kind, tt.data, got.seq, err, tt.want)
		}
	}
}

// A version that was made by a clock that is ahead, or before ours went back, does not put trainings off
// until then.
func TestDueAfterAClockJump(t *testing.T) {
	t.Parallel()
	now := time.Now()
	r := &retrainer{spec: &model.Spec{Retrain: &model.Retrain{Every: model.Amount{Time: model.Duration(time.Hour)}}}}
	d := r.due(mark{time: now.Add(24 * time.Hour), gap: time.Minute})
	if limit := now.Add(2 * time.Hour); d.earliest().After(limit) || d.open.After(limit) {
		t.Errorf("it is due at %v, not before %v, want an hour from %v", d.time, d.open, now)
	}
}
