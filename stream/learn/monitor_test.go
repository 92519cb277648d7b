package learn_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

// A concept says which side a point is on.
type concept func(x, y float64) bool

func crosswise(x, y float64) bool { return x*y > 0 }
func flipped(x, y float64) bool   { return x*y <= 0 }
func beside(x, _ float64) bool    { return x > 0 } // half of crosswise

// cloud draws n points and their sides, of which a share noise is wrong.
func cloud(n int, seed uint64, is concept, noise float64) (points [][2]float64, sides []string) {
	rnd := rand.New(rand.NewPCG(seed, 2))
	for range n {
		x, y := float64(rnd.IntN(2)*4-2), float64(rnd.IntN(2)*4-2)
		side := "left"
		if is(x, y) != (rnd.Float64() < noise) {
			side = "right"
		}
		points = append(points, [2]float64{x + rnd.NormFloat64()/2, y + rnd.NormFloat64()/2})
		sides = append(sides, side)
	}
	return points, sides
}

// stream publishes n examples of a concept in batches of ten, and returns the sequence
// of the last.
func (d *deployment) stream(t *testing.T, n int, seed uint64, is concept) (last uint64) {
	t.Helper()
	points, sides := cloud(n, seed, is, 0.05)
	for lo := 0; lo < n; lo += 10 {
		hi := min(lo+10, n)
		body, err := json.Marshal(map[string]any{"instances": points[lo:hi], "labels": sides[lo:hi]})
		if err != nil {
			t.Fatal(err)
		}
		last = d.publish(t, "iris", string(body))
	}
	return last
}

// prepared registers a model that was fitted to a concept.
func (d *deployment) prepared(t *testing.T, is concept, promote *registry.Promotion) registry.Version {
	t.Helper()
	s, err := model.ParseSpec([]byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	rows := feature.NewFrame(&s.Schema, true)
	points, sides := cloud(400, 9, is, 0)
	for i, p := range points {
		row := feature.Row{
			Values: []feature.Value{{Kind: feature.KindNumber, Num: p[0]}, {Kind: feature.KindNumber, Num: p[1]}},
			Label:  feature.Value{Kind: feature.KindText, Text: sides[i]},
		}
		if err := rows.Append(row); err != nil {
			t.Fatal(err)
		}
	}
	m, _, err := model.Fit(t.Context(), s, rows, model.FitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	artifact, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := d.reg.PutArtifact(t.Context(), artifact)
	if err != nil {
		t.Fatal(err)
	}
	v, err := d.reg.Publish(t.Context(), registry.Version{Model: "iris", Digest: digest}, promote, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func asChampion(before uint64) *registry.Promotion {
	return &registry.Promotion{Alias: registry.Champion, If: before, Who: "ann"}
}

func asChallenger() *registry.Promotion {
	return &registry.Promotion{Alias: registry.Challenger, Who: "ann"}
}

// live waits until the live record of iris is as wanted.
func (d *deployment) live(t *testing.T, wanted func(*wire.Live) bool) *wire.Live {
	t.Helper()
	m, err := d.reg.Model(t.Context(), "iris")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var last *wire.Live
	err = d.reg.WatchLive(ctx, func(string, []byte) {
		live, err := learn.ReadLive(ctx, d.reg, m)
		if err == nil && live != nil && ctx.Err() == nil {
			last = live
			if wanted(live) {
				cancel()
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if last == nil || !wanted(last) {
		t.Fatalf("the live record is %+v", last)
	}
	return last
}

func counted(seq uint64) func(*wire.Live) bool {
	return func(l *wire.Live) bool { return l.Last.Seq == seq }
}

// A moved is the data of an event of a moved alias.
type moved struct {
	registry.Move

	Verdict *wire.Verdict `json:"verdict"`
}

// moved waits until an alias of iris was moved, or removed.
func (d *deployment) moved(t *testing.T, alias string, to uint64) moved {
	t.Helper()
	for {
		e := d.next(t)
		if e.Kind == "promoted" || e.Kind == "removed" {
			var m moved
			decode(t, e.Data, &m)
			if m.Alias == alias && m.To == to {
				return m
			}
		}
	}
}

// kind waits for an event of a kind.
func (d *deployment) kind(t *testing.T, kind string) registry.Event {
	t.Helper()
	for {
		if e := d.next(t); e.Kind == kind {
			return e
		}
	}
}

// kept returns the kept events of iris of some kinds.
func (d *deployment) kept(t *testing.T, kinds ...string) []registry.Event {
	t.Helper()
	mark := registry.Event{Model: "iris", Kind: "mark", ID: fmt.Sprint(rand.Uint64())}
	if err := d.reg.Announce(t.Context(), mark); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var all []registry.Event
	err := d.reg.Events(ctx, "iris", 1, func(_ uint64, e registry.Event) error {
		if slices.Contains(kinds, e.Kind) {
			all = append(all, e)
		}
		if e.ID == mark.ID {
			cancel()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What an interrupted run counts is what an uninterrupted one does.
func TestLiveScoresOverRestarts(t *testing.T) {
	t.Parallel()
	const section = "retrain: {watch: 1000, gate: {kind: stream, min_examples: 5000, slices: [x], change: {accuracy: 1}}, on: [drift]}\n"
	run := func(restarts int) *wire.Live {
		d := deploy(t, learn.Options{})
		d.stop()
		d.create(t, spec+section)
		d.prepared(t, crosswise, asChampion(0))
		d.prepared(t, beside, asChallenger())
		_, stop := join(t, d, learn.Options{})
		var last uint64
		for i := range 6 {
			last = d.stream(t, 150, uint64(i), crosswise)
			if i < restarts {
				stop()
				_, stop = join(t, d, learn.Options{})
			}
		}
		live := d.live(t, counted(last))
		live.Last.Time, live.Since.Time, live.Trial.Since.Time = time.Time{}, time.Time{}, time.Time{}
		return live
	}
	whole, pieces := run(0), run(5)
	if whole.Examples != 900 || whole.Trial == nil || whole.Trial.Comparison.Examples != 900 || len(whole.Scores) != 2 {
		t.Errorf("the live record is %+v, want 900 examples", whole)
	}
	if !reflect.DeepEqual(whole, pieces) {
		t.Errorf("after restarts the live record is\n%+v, want\n%+v", text(t, pieces), text(t, whole))
	}
	if v := *whole.Value; math.Abs(v-0.95) > 0.03 {
		t.Errorf("the accuracy is %v, want about 0.95", v)
	}
	if m, n := *whole.Majority, *whole.NoChange; math.Abs(m-0.5) > 0.1 || math.Abs(n-0.5) > 0.1 {
		t.Errorf("majority %v and no change %v, want about 0.5", m, n)
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestLivePaused(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	m := parse(t, trialSpec)
	m.Paused = true
	m, err := d.reg.CreateModel(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	d.prepared(t, beside, asChampion(0))
	d.prepared(t, crosswise, asChallenger())
	last := d.stream(t, 500, 1, crosswise)
	if live, err := learn.ReadLive(t.Context(), d.reg, m); live != nil || err != nil {
		t.Errorf("paused: ReadLive = %+v, %v, want none", live, err)
	}
	m.Paused = false
	if _, err := d.reg.UpdateModel(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	d.moved(t, registry.Champion, 2)
	d.live(t, counted(last))
	if err := d.reg.DeleteModel(t.Context(), "iris", "ann", "done"); err != nil {
		t.Fatal(err)
	}
	if data, _, err := d.reg.Live(t.Context(), "iris"); data != nil || err != nil {
		t.Errorf("deleted: Live = %s, %v, want none", data, err)
	}
}

// A label that was joined to a prediction counts for the version that made it.
func TestLiveCountsRecordedPredictions(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec+"retrain: {watch: 10}\n")
	d.prepared(t, crosswise, asChampion(0))
	d.live(t, func(l *wire.Live) bool { return l.Champion == 1 })
	var last uint64
	for _, label := range []string{"left", "left", "right", "left"} {
		msg := nats.NewMsg("modelbus.train.iris")
		msg.Header.Set("Modelbus-Version", "1")
		msg.Header.Set("Modelbus-Prediction", "left")
		msg.Header.Set("Modelbus-Score", "0.75")
		msg.Data = []byte(`{"features":[2,2],"label":"` + label + `"}`) // the model itself says right
		ack, err := d.js.PublishMsg(t.Context(), msg)
		if err != nil {
			t.Fatal(err)
		}
		last = ack.Sequence
	}
	live := d.live(t, counted(last))
	if live.Examples != 4 || *live.Value != 0.75 {
		t.Errorf("the live record is %s, want an accuracy of 0.75 of 4 examples", text(t, live))
	}
	want := -(3*math.Log(0.75) + math.Log(0.25)) / 4
	if got := live.Scores[0].Values["log_loss"]; math.Abs(got-want) > 1e-9 {
		t.Errorf("log loss %v, want %v", got, want)
	}
}

func TestLiveScoresOfNumbers(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, `
name: iris
features:
  - {name: x, type: number}
label: {name: y, type: number}
training: {epochs: 30, batch_size: 16, seed: 7}
optimizer: {Adam: {learning_rate: 0.05}}
retrain: {every: 200, on: [drift]}
`)
	line := func(n int, slope float64) {
		rnd := rand.New(rand.NewPCG(1, 1))
		for range n / 10 {
			var body struct {
				Instances [][1]float64 `json:"instances"`
				Labels    []float64    `json:"labels"`
			}
			for range 10 {
				x := rnd.NormFloat64()
				body.Instances = append(body.Instances, [1]float64{x})
				body.Labels = append(body.Labels, slope*x+rnd.NormFloat64()/10)
			}
			d.publish(t, "iris", text(t, body))
		}
	}
	line(200, 3)
	d.version(t)
	d.live(t, func(l *wire.Live) bool { return l.Champion == 1 })
	line(190, 3) // on which it is scored
	d.live(t, func(l *wire.Live) bool { return l.Examples == 190 })
	line(100, -3)
	var drift wire.ScoreDrift
	for drift.Source == "" {
		if e := d.next(t); e.Kind == "drift" {
			decode(t, e.Data, &drift)
		}
	}
	if drift.Error != "absolute" || !(drift.After > drift.Before) {
		t.Errorf("drift %+v, want one of absolute errors", drift)
	}
	live := d.live(t, func(l *wire.Live) bool { return l.Champion > 0 })
	if live.Metric != "mse" || live.Mean == nil || live.Majority != nil {
		t.Errorf("the live record is %s, want mse beside that of the mean", text(t, live))
	}
}
