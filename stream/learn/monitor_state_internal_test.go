package learn

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/gate"
)

// A rig is a monitor of fitted versions without a registry.
type rig struct {
	spec   *model.Spec
	models map[uint64]*model.Model
}

func newRig(t *testing.T, text string) *rig {
	t.Helper()
	spec, err := model.ParseSpec([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{spec: spec, models: map[uint64]*model.Model{}}
	for n := range uint64(3) {
		m, _, err := model.Fit(t.Context(), spec, r.rows(t, 200, 100+n), model.FitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		r.models[n+1] = m
	}
	return r
}

// rows draws examples: of which class, or what number, depends on x and noise.
func (r *rig) rows(t *testing.T, n int, seed uint64) *feature.Frame {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 1))
	f := feature.NewFrame(&r.spec.Schema, true)
	for range n {
		x := rnd.NormFloat64()
		y := x + rnd.NormFloat64()
		label := feature.Value{Kind: feature.KindNumber, Num: y}
		if r.spec.Schema.Label.Type == feature.Category {
			label = feature.Value{Kind: feature.KindText, Text: [...]string{"a", "b", "c"}[min(max(int(y+1), 0), 2)]}
		}
		day := [...]string{"mon", "tue"}[rnd.IntN(2)]
		row := feature.Row{Values: []feature.Value{{Kind: feature.KindNumber, Num: x}, {Kind: feature.KindText, Text: day}}, Label: label}
		if err := f.Append(row); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func (r *rig) monitor(t *testing.T) *monitor {
	t.Helper()
	detector, err := newRelay(r.spec.Retrain.Detector)
	if err != nil {
		t.Fatal(err)
	}
	m := &monitor{spec: r.spec, name: "iris", detector: detector, loaded: map[uint64]*contender{}, ground: ground{last: 1 << 40}}
	m.state.Versions = map[uint64]*tally{}
	for n, fitted := range r.models {
		m.loaded[n] = &contender{
			number: n, schema: fitted.Schema(), same: true, classes: places(fitted.Classes()), predictor: fitted.NewPredictor(),
		}
	}
	return m
}

// begin puts version 1 on the throne, version 2 on trial, and version 3 before version 1.
func (r *rig) begin(t *testing.T, m *monitor) {
	t.Helper()
	st := &m.state
	st.Champion, st.Move = 1, 1
	d, err := newDuel(m.live().Stream())
	if err != nil {
		t.Fatal(err)
	}
	st.Trial = &trial{Version: 2, Champion: 1, Duel: d, Ours: newBoard(), Theirs: newBoard()}
	if st.Trial.Groups, err = newSlicing(&r.spec.Schema, m.live().Slices); err != nil {
		t.Fatal(err)
	}
	st.Watch = &watch{Version: 1, Before: 3}
	if err := m.nextRound(st.Watch); err != nil {
		t.Fatal(err)
	}
}

func (m *monitor) countAll(t *testing.T, r *rig, from, to uint64) {
	t.Helper()
	for seq := from; seq <= to; seq++ {
		a := arrival{seq: seq, time: time.Unix(int64(seq), 0).UTC(), rows: r.rows(t, 7, seq)}
		if err := m.count(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		m.state.Seq, m.state.Time = a.seq, a.time
	}
}

func stateOf(t *testing.T, m *monitor) (record liveRecord) {
	t.Helper()
	data, err := m.encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &record); err != nil {
		t.Fatal(err)
	}
	return record
}

// Whoever goes on from a stored state comes to the same bits as one that was never
// interrupted, wherever it was: while groups are made, compared, or before.
func TestStateGoesOnExactly(t *testing.T) {
	t.Parallel()
	const features = "name: iris\nfeatures: [{name: x, type: number}, {name: day, type: category}]\ntraining: {epochs: 1}\n"
	for name, text := range map[string]string{
		"classes": features + "label: {name: y, type: category}\nretrain: {watch: 10000, on: [drift], gate: {kind: stream, change: {accuracy: 1}, slices: [x, day]}}\n",
		"numbers": features + "label: {name: y, type: number}\nretrain: {watch: 10000, on: [drift], detector: {KSWIN: {}}, gate: {kind: stream, change: {mse: 1}, slices: [x, day]}}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, text)
			whole := r.monitor(t)
			r.begin(t, whole)
			whole.countAll(t, r, 1, 60)
			want := stateOf(t, whole)

			m := r.monitor(t)
			r.begin(t, m)
			at := uint64(0)
			for _, stop := range []uint64{1, 10, 30, 50, 60} {
				m.countAll(t, r, at+1, stop)
				at = stop
				stored := stateOf(t, m)
				m.countAll(t, r, stop+1, stop+3) // and it dies before it has saved that
				m = r.monitor(t)
				if err := m.adopt(t.Context(), stored.State); err != nil {
					t.Fatal(err)
				}
			}
			got := stateOf(t, m)
			if string(got.State) != string(want.State) || !reflect.DeepEqual(got.Live, want.Live) {
				t.Errorf("the state is\n%s, want\n%s", got.State, want.State)
			}
			if want.Live.Trial.Comparison.Examples != 420 || len(whole.state.Trial.Ours.Scorecard().Slices) < 5 {
				t.Errorf("the trial is %+v with %d groups", want.Live.Trial, len(whole.state.Trial.Ours.Scorecard().Slices))
			}
		})
	}
}

// What was scored before the label became a number is no part of the scores of numbers.
func TestLabelBecomesANumber(t *testing.T) {
	t.Parallel()
	r := newRig(t, "name: iris\nfeatures: [{name: x, type: number}, {name: day, type: category}]\ntraining: {epochs: 1}\n"+
		"label: {name: y, type: number}\nretrain: {on: [drift]}\n")
	m := r.monitor(t)
	st := &m.state
	st.Champion, st.Served = 1, newTally()
	st.Served.add(grade{ok: true, right: true, probability: 1}, truth{class: "a"})
	var err error
	if st.Guesses, err = newGuesses(false, []string{"a"}); err != nil {
		t.Fatal(err)
	}
	m.countAll(t, r, 1, 2)
	if got := m.report(); got.Metric != "mse" || got.Value == nil || got.Examples != 14 {
		t.Errorf("the live record is %+v, want a mean squared error of 14 examples", got)
	}
}

// A champion of numbers that can score nothing does not keep a challenger waiting.
func TestTrialBesideAChampionThatCannotScore(t *testing.T) {
	t.Parallel()
	r := newRig(t, "name: iris\nfeatures: [{name: x, type: number}, {name: day, type: category}]\ntraining: {epochs: 1}\n"+
		"label: {name: y, type: number}\nretrain: {gate: {kind: stream, min_examples: 10, thresholds: {mse: 1000}, change: {mse: 1}, slices: [day]}}\n")
	m := r.monitor(t)
	r.begin(t, m)
	m.loaded[1].broken = ErrPanic
	m.countAll(t, r, 1, 2)
	tr := m.state.Trial
	if tr.Seen != 14 || tr.Lone != 14 || tr.Duel.stream.Outcome() != gate.Undecided {
		t.Fatalf("seen %d, alone %d, want 14", tr.Seen, tr.Lone)
	}
	if v := m.live().Judge(tr.Ours.Scorecard(), nil); v.Outcome != gate.Promote {
		t.Errorf("the verdict is %+v, want it promoted", v)
	}
}

// What callers got is scored apart from the learner of an online model, which nobody asks.
func TestScoreOfWhatWasServed(t *testing.T) {
	t.Parallel()
	r := newRig(t, "name: iris\nfeatures: [{name: x, type: number}, {name: day, type: category}]\ntraining: {epochs: 1}\n"+
		"label: {name: y, type: number}\nretrain: {mode: online, every: 100}\n")
	m := r.monitor(t)
	learner := r.models[2].NewPredictor()
	count := func(seq uint64) {
		t.Helper()
		a := arrival{seq: seq, time: time.Unix(int64(seq), 0).UTC(), rows: r.rows(t, 7, seq)}
		tested, err := learner.Predict(a.rows)
		if err != nil {
			t.Fatal(err)
		}
		for i := range tested.Values { // it is far off
			tested.Values[i] += 100
		}
		a.tested = tested
		if err := m.count(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}

	count(1)
	got := m.report()
	if got.Value != nil || got.Recent.Value != nil || got.Learner == nil || *got.Learner < 5000 || got.Mean == nil || got.Examples != 7 {
		t.Errorf("without a champion the live record is %+v, want the learner's score of 7 examples alone", got)
	}
	m.state.Champion, m.loaded = 1, r.monitor(t).loaded
	count(2)
	got = m.report()
	switch {
	case got.Value == nil || *got.Value > 100 || got.Examples != 7 || got.Since.Seq != 2 || *got.Mean > 100:
		t.Errorf("the live record is %+v, want the champion's score of the 7 examples from message 2 on", got)
	case *got.Learner < 5000 || *got.Recent.Learner < 5000 || *got.Recent.Value > 100:
		t.Errorf("the live record is %+v, recently %+v, want the learner's error far above the champion's", got, got.Recent)
	case got.Scores[0].Version != 0 || got.Scores[0].Examples != 14:
		t.Errorf("the scores are %+v, want those of the learner on 14 examples first", got.Scores)
	}

	m.state.Form = 0 // as it was stored when what was served was taken to be the learner's
	text, err := json.Marshal(&m.state)
	if err != nil {
		t.Fatal(err)
	}
	m = r.monitor(t)
	if err := m.adopt(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	if got = m.report(); got.Value != nil || got.Learner == nil || got.Mean != nil {
		t.Errorf("an older state is read as %+v, want the learner's score alone", got)
	}
}
