package model_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
)

// onlineSpec has a feature of each kind whose state has to be kept.
const onlineSpec = `
name: stream
features:
  - {name: a, type: number, missing: mean, indicator: true}
  - {name: b, type: number, scale: [log1p, robust], missing: median}
  - {name: place, type: category, unknown: zeros, missing: category}
  - {name: user, type: category, encode: hashing, buckets: 8}
  - {name: on, type: boolean, missing: constant, fill: false}
  - {name: image, type: vector, size: 3, scale: [rescale], missing: constant, fill: 0}
label: {name: y, type: category}
network: [{Dense: {units: 6, activation: relu}}, {Dropout: {rate: 0.1}}]
optimizer: {Adam: {learning_rate: 0.01}}
training: {seed: 3, class_weight: balanced}
retrain: {mode: online, every: 100, batch: 1, replay: {rows: 20, batches: 2, size: 4}}
`

// learnRows are rows of onlineSpec with missing values and categories that are not seen
// at first.
func learnRows(tb testing.TB, s *feature.Schema, n int) *feature.Frame {
	tb.Helper()
	rnd := rand.New(rand.NewPCG(5, 6))
	f := feature.NewFrame(s, true)
	for i := range n {
		a := rnd.NormFloat64()
		number := func(x float64) feature.Value {
			if rnd.IntN(8) == 0 {
				return feature.Value{}
			}
			return feature.Value{Kind: feature.KindNumber, Num: x}
		}
		text := func(words int) feature.Value {
			return feature.Value{Kind: feature.KindText, Text: fmt.Sprintf("w%d", rnd.IntN(words))}
		}
		row := feature.Row{
			Values: []feature.Value{
				number(a), number(rnd.ExpFloat64()), text(3 + i/40), text(20),
				{Kind: feature.KindBool, Num: float64(rnd.IntN(2))},
				{Kind: feature.KindVector, Vector: []float32{float32(a), float32(rnd.IntN(5)), 1}},
			},
			Label:  feature.Value{Kind: feature.KindText, Text: "no"},
			Weight: 1 + float64(i%3),
		}
		if rnd.IntN(10) == 0 {
			row.Values[2], row.Values[4], row.Values[5] = feature.Value{}, feature.Value{}, feature.Value{}
		}
		if a+rnd.NormFloat64()/3 > 0 {
			row.Label.Text = "yes"
		}
		if err := f.Append(row); err != nil {
			tb.Fatal(err)
		}
	}
	return f
}

func retrain(s *model.Spec, batch int, r model.Replay) {
	s.Retrain.Batch, s.Retrain.Replay = batch, &r
}

// TestLearnerResumes interrupts a learner at random places: what comes of it has the same
// bits as without.
func TestLearnerResumes(t *testing.T) {
	text, rows := onlineSpec, learnRows(t, &mustParse(t, onlineSpec).Schema, 400)
	tb := t
	rapid.Check(t, func(t *rapid.T) {
		s := mustParse(tb, text)
		retrain(s, rapid.IntRange(1, 5).Draw(t, "batch"), model.Replay{
			Rows: rapid.SampledFrom([]int{0, 1, 7, 300}).Draw(t, "rows"), Batches: rapid.IntRange(1, 3).Draw(t, "batches"), Size: rapid.IntRange(1, 6).Draw(t, "size"),
		})
		if s.Retrain.Replay.Rows == 0 {
			s.Retrain.Replay = &model.Replay{}
		}
		s.Retrain.Fading = rapid.SampledFrom([]float64{0, 0.01, 0.5}).Draw(t, "fading")
		f := rows
		straight, err := model.NewLearner(s, f.Range(0, 100))
		if err != nil {
			t.Fatal(err)
		}
		broken, err := model.NewLearner(s, f.Range(0, 100))
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < f.Len(); {
			n := min(rapid.SampledFrom([]int{1, 1, 1, 2, 9, 70}).Draw(t, "message"), f.Len()-at)
			message := f.Range(at, at+n)
			at += n
			want, err := straight.Learn(message)
			if err != nil {
				t.Fatal(err)
			}
			got, err := broken.Learn(message)
			if err != nil {
				t.Fatal(err)
			}
			if got.Tested.Rows != n || len(got.Tested.Probs) != len(want.Tested.Probs) {
				t.Fatalf("predictions of %d rows = %+v, want %+v", n, got.Tested, want.Tested)
			}
			for i, p := range want.Tested.Probs {
				if got.Tested.Probs[i] != p {
					t.Fatalf("probability %d before row %d = %v, want %v", i, at, got.Tested.Probs[i], p)
				}
			}
			if broken.Clean() && rapid.IntRange(0, 9).Draw(t, "cut") == 0 {
				broken = again(tb, s, broken)
			}
		}
		if err := errors.Join(straight.Flush(), broken.Flush()); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(stored(tb, straight), stored(tb, broken)) {
			t.Fatal("an interrupted learner differs from one that was not")
		}
		if got := broken.Examples(); got != 400 {
			t.Fatalf("examples = %d, want 400", got)
		}
	})
}

// stored returns the artifact of a snapshot.
func stored(tb testing.TB, l *model.Learner) []byte {
	tb.Helper()
	m, err := l.Snapshot()
	if err != nil {
		tb.Fatal(err)
	}
	return encode(tb, m)
}

// again returns a learner that goes on from what l stored.
func again(tb testing.TB, s *model.Spec, l *model.Learner) *model.Learner {
	tb.Helper()
	next, err := model.ResumeLearner(s, decode(tb, stored(tb, l)), 0)
	if err != nil {
		tb.Fatal(err)
	}
	return next
}

func TestLearnerPredictsBeforeItLearns(t *testing.T) {
	s := mustParse(t, onlineSpec)
	f := learnRows(t, &s.Schema, 60)
	l, err := model.NewLearner(s, f)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		if _, err := l.Learn(f.Range(i, i+1)); err != nil {
			t.Fatal(err)
		}
	}
	m, err := l.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	before := stored(t, l)
	want, err := m.NewPredictor().Predict(f.Range(50, 51))
	if err != nil {
		t.Fatal(err)
	}
	got, err := l.Learn(f.Range(50, 51))
	if err != nil {
		t.Fatal(err)
	}
	if got.Tested.Rows != 1 || got.Tested.Probs[0] != want.Probs[0] {
		t.Errorf("the learner predicts %v of a row before it learns it, its snapshot %v", got.Tested.Probs, want.Probs)
	}
	if bytes.Equal(before, stored(t, l)) {
		t.Error("learning a row changed nothing")
	}
	if !bytes.Equal(before, encode(t, m)) {
		t.Error("learning on changed a snapshot")
	}
}

func TestLearnerRefuses(t *testing.T) {
	s := mustParse(t, `
name: strict
features: [{name: a, type: number}, {name: c, type: category, vocabulary: [u, v]}]
label: {name: y, type: category, classes: [no, yes]}
retrain: {mode: online, every: 10}
`)
	if !s.Schema.Closed() {
		t.Error("Closed() = false for a schema that fixes everything")
	}
	l, err := model.NewLearner(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	loose := s.Schema // a frame that lists classes takes no others
	loose.Label.Classes = nil
	f := feature.NewFrame(&loose, true)
	for _, r := range []struct {
		a    float64
		c, y string
	}{{1, "u", "no"}, {2, "v", "yes"}, {3, "w", "no"}, {4, "u", "maybe"}, {1e300, "u", "no"}, {5, "v", "no"}} {
		if err := f.Append(feature.Row{Values: []feature.Value{number(r.a), text(r.c)}, Label: text(r.y)}); err != nil {
			t.Fatal(err)
		}
	}
	lesson, err := l.Learn(f)
	if err != nil {
		t.Fatal(err)
	}
	if lesson.Tested.Rows != 3 || l.Examples() != 3 || len(lesson.Refused) != 3 {
		t.Fatalf("of 6 rows %d were predicted, %d learned, %d refused, want 3 of each", lesson.Tested.Rows, l.Examples(), len(lesson.Refused))
	}
	for i, want := range []struct {
		row  int
		says string
	}{{2, `"w"`}, {3, `"maybe"`}, {4, "1e+300"}} {
		if e := lesson.Refused[i]; e.Row != want.row || !errors.Is(e, feature.ErrInvalid) || !strings.Contains(e.Error(), want.says) {
			t.Errorf("refused[%d] = row %d: %v, want row %d and %s", i, e.Row, e, want.row, want.says)
		}
	}
}

func TestLearnerSkipsWhatIsNotFinite(t *testing.T) {
	s := mustParse(t, `
name: wild
features: [{name: a, type: number, scale: none}]
label: {name: y, type: number}
network: [{Dense: {units: 3, activation: relu}}]
retrain: {mode: online, every: 10}
`)
	l, err := model.NewLearner(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	learn := func(a, y float64) {
		t.Helper()
		f := feature.NewFrame(&s.Schema, true)
		if err := f.Append(feature.Row{Values: []feature.Value{number(a)}, Label: number(y)}); err != nil {
			t.Fatal(err)
		}
		if lesson, err := l.Learn(f); err != nil || len(lesson.Refused) > 0 {
			t.Fatalf("Learn(%v, %v) = %+v, %v", a, y, lesson, err)
		}
	}
	for i := range 20 {
		learn(float64(i%5), float64(i%5))
	}
	m, err := l.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	learn(1e25, -1e25)
	if l.Skipped() != 1 {
		t.Errorf("skipped steps = %d after an example whose squared error is infinite, want 1", l.Skipped())
	}
	for i := range 20 {
		learn(float64(i%5), float64(i%5))
	}
	after, err := l.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := after.Steps()-m.Steps(), int64(2+20*3); got != want {
		t.Errorf("%d steps from the bad example on, want %d: all but its own", got, want)
	}
	if l.Skipped() != 1 {
		t.Errorf("skipped steps = %d at the end, want 1: the bad example is not replayed", l.Skipped())
	}
}

// TestLearnerLearns learns a border that moves: running scales and the replay follow it.
func TestLearnerLearns(t *testing.T) {
	s := mustParse(t, `
name: border
features: [{name: a, type: number}, {name: b, type: number}]
label: {name: y, type: category, classes: ["0", "1"]}
network: [{Dense: {units: 16, activation: relu}}]
optimizer: {Adam: {learning_rate: 0.01}}
retrain: {mode: online, every: 1000, replay: {rows: 100}}
`)
	l, err := model.NewLearner(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	f := feature.NewFrame(&s.Schema, true)
	right := 0
	const rows = 6000
	for i := range rows {
		a, b := 1e4+1e3*rnd.NormFloat64(), 1e-3*rnd.NormFloat64()
		turn := math.Sin(float64(i) / 1500)
		y := "0"
		if (a-1e4)/1e3*turn+b*1e3*(1-math.Abs(turn)) > 0 {
			y = "1"
		}
		f.Reset()
		if err := f.Append(feature.Row{Values: []feature.Value{number(a), number(b)}, Label: text(y)}); err != nil {
			t.Fatal(err)
		}
		lesson, err := l.Learn(f)
		if err != nil {
			t.Fatal(err)
		}
		if lesson.Tested.Classes[lesson.Tested.Label(0)] == y {
			right++
		}
	}
	// One class as often as the other, and no label tells of the next.
	if got := float64(right) / rows; got < 0.9 {
		t.Errorf("prequential accuracy %.4f, want 0.9 at least", got)
	}
}

func TestResumeLearner(t *testing.T) {
	s := mustParse(t, onlineSpec)
	f := learnRows(t, &s.Schema, 300)
	window := mustParse(t, onlineSpec)
	window.Retrain, window.Training.Epochs = nil, 2
	m, _ := fit(t, window, f.Range(0, 200), model.FitOptions{})
	l, err := model.ResumeLearner(s, m, 200)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Learn(f.Range(200, 300)); err != nil {
		t.Fatal(err)
	}
	if l.Examples() != 300 {
		t.Errorf("examples = %d, want 300", l.Examples())
	}
	next, err := l.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if next.Steps() <= m.Steps() {
		t.Errorf("steps = %d after %d, want more", next.Steps(), m.Steps())
	}

	s.Retrain.Batch = 64
	l, err = model.ResumeLearner(s, next, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Learn(f.Range(0, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Snapshot(); !errors.Is(err, feature.ErrInvalid) {
		t.Errorf("a snapshot amid a batch: error = %v, want one", err)
	}
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Snapshot(); err != nil {
		t.Errorf("a snapshot after Flush: %v", err)
	}
	other := mustParse(t, strings.Replace(onlineSpec, "units: 6", "units: 7", 1))
	if _, err := model.ResumeLearner(other, next, 0); !errors.Is(err, feature.ErrInvalid) {
		t.Errorf("going on with another network: error = %v, want one", err)
	}
	if _, err := model.NewLearner(s, nil); !errors.Is(err, feature.ErrInvalid) || !strings.Contains(err.Error(), "place") {
		t.Errorf("starting without rows to show the categories: error = %v, want one that names the feature", err)
	}
}

// A number so large that the variance of a batch normalization would be infinite, of
// which no gradient tells, costs its step and nothing else.
func TestLearnerKeepsMovingAverages(t *testing.T) {
	s := mustParse(t, `
name: stream
features: [{name: x, type: number, scale: none}]
label: {name: y, type: number}
network: [{BatchNormalization: {}}, {Dense: {units: 4, activation: relu}}]
retrain: {mode: online, every: 100, batch: 2}
`)
	l, err := model.NewLearner(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := feature.NewFrame(&s.Schema, true)
	for _, x := range []float64{1, 2, 3, 1e30, 4, 5, 6, 7} {
		row := feature.Row{Values: []feature.Value{{Kind: feature.KindNumber, Num: x}}, Label: feature.Value{Kind: feature.KindNumber, Num: 1}}
		if err := f.Append(row); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Learn(f); err != nil {
		t.Fatal(err)
	}
	m, err := l.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Encode(); err != nil {
		t.Errorf("Encode() = %v, want a version that can be stored", err)
	}
	if l.Skipped() != 1 {
		t.Errorf("%d steps were left out, want the one with 1e30", l.Skipped())
	}
}

func TestLearnRefusesOtherRows(t *testing.T) {
	s := mustParse(t, onlineSpec)
	rows := learnRows(t, &s.Schema, 40)
	l, err := model.NewLearner(s, rows)
	if err != nil {
		t.Fatal(err)
	}
	other := flowers(t, smallModel(t).Schema(), 3, 1)
	for name, f := range map[string]*feature.Frame{"another schema": other, "no labels": feature.NewFrame(&s.Schema, false)} {
		if lesson, err := l.Learn(f); lesson != nil || !errors.Is(err, feature.ErrInvalid) {
			t.Errorf("%s: Learn() = %+v, %v, want an error", name, lesson, err)
		}
	}
	if _, err := l.Learn(rows); err != nil || l.Examples() != 40 {
		t.Errorf("then %d examples are learned, %v, want 40", l.Examples(), err)
	}
}
