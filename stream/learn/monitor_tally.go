package learn

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/gate"
)

const (
	// fading is by how much what is one example older counts less in a recent score:
	// about the last 1,000 count.
	fading = 0.999

	maxClasses = 1024 // that the baselines know; further ones are passed over
)

// A truth is the label of an example.
type truth struct {
	isNumber bool
	class    string
	number   float64
}

// truths returns the labels of rows, in the memory of out.
func truths(out []truth, rows *feature.Frame) []truth {
	out = slices.Grow(out[:0], rows.Len())[:rows.Len()]
	isNumber := rows.Schema().Label.Type == feature.Number
	for i := range out {
		v := rows.Label(i)
		out[i] = truth{isNumber: isNumber}
		switch {
		case isNumber:
			out[i].number = v.Num
		case v.Kind == feature.KindBool:
			out[i].class = [2]string{"false", "true"}[int(v.Num)]
		default:
			out[i].class = v.Text
		}
	}
	return out
}

// A grade is what came of one prediction.
type grade struct {
	ok          bool // there was one
	right       bool
	probability float64 // of the true class
	value       float64 // of a regression
}

// gradesOf grades the predictions of all rows in the memory of grades; classes are the
// places of the classes of out.
func gradesOf(grades []grade, out *model.Output, classes map[string]int, labels []truth) []grade {
	grades = slices.Grow(grades[:0], len(labels))[:len(labels)]
	for i := range grades {
		grades[i] = gradeOf(out, i, classes, labels[i])
	}
	return grades
}

func gradeOf(out *model.Output, i int, classes map[string]int, l truth) grade {
	if out.Classes == nil {
		return grade{ok: true, value: float64(out.Values[i])}
	}
	g := grade{ok: true}
	if at, known := classes[l.class]; known {
		g.probability = float64(out.Probs[i*len(out.Classes)+at])
		g.right = out.Label(i) == at
	}
	return g
}

// places returns the place of each class.
func places(classes []string) map[string]int {
	at := make(map[string]int, len(classes))
	for i, name := range classes {
		at[name] = i
	}
	return at
}

// loss returns the error of a regression's prediction, squared or absolute.
func (g grade) loss(l truth, squared bool) float64 {
	off := math.Abs(g.value - l.number)
	if squared {
		off *= off
	}
	if !(off <= math.MaxFloat32) {
		off = math.MaxFloat32
	}
	return off
}

// A tally is the prequential scores of one predictor, of all examples and of about the
// last 1,000.
type tally struct{ all, recent *gate.Prequential }

func newTally() *tally { return &tally{all: prequential(1), recent: prequential(fading)} }

func prequential(fading float64) *gate.Prequential {
	p, err := gate.NewPrequential(fading)
	if err != nil {
		panic("learn: " + err.Error()) // the fadings are constants in (0, 1]
	}
	return p
}

func (t *tally) add(g grade, l truth) {
	for _, p := range []*gate.Prequential{t.all, t.recent} {
		if l.isNumber {
			p.AddNumber(g.value, l.number)
		} else {
			p.AddClass(g.right, g.probability)
		}
	}
}

func (t *tally) examples() int64 {
	if t == nil {
		return 0
	}
	return int64(t.all.Result().Rows)
}

// parts are two states of one kind, stored.
type parts struct {
	All    json.RawMessage `json:"all"`
	Recent json.RawMessage `json:"recent"`
}

// encodeParts stores the states of all examples and of the recent ones.
func encodeParts(all, recent json.Marshaler) (parts, error) {
	var p parts
	var err, failed error
	p.All, err = all.MarshalJSON()
	p.Recent, failed = recent.MarshalJSON()
	return p, cmp.Or(err, failed)
}

func (p parts) decode(all, recent json.Unmarshaler) error {
	return cmp.Or(all.UnmarshalJSON(p.All), recent.UnmarshalJSON(p.Recent))
}

// MarshalJSON implements [json.Marshaler].
func (t *tally) MarshalJSON() ([]byte, error) {
	p, err := encodeParts(t.all, t.recent)
	if err != nil {
		return nil, err
	}
	return json.Marshal(p)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (t *tally) UnmarshalJSON(text []byte) error {
	var p parts
	if err := json.Unmarshal(text, &p); err != nil {
		return err
	}
	*t = *newTally()
	return p.decode(t.all, t.recent)
}

// guesses are the scores of guesses without a model on the examples that were scored.
type guesses struct {
	isNumber    bool
	classes     []string // in the order in which they came
	at          map[string]int
	all, recent *gate.Baseline
}

func newGuesses(isNumber bool, classes []string) (*guesses, error) {
	g := &guesses{isNumber: isNumber, classes: classes, at: places(classes)}
	n := max(len(classes), 1)
	if isNumber {
		n = 0
	}
	var err, failed error
	g.all, err = gate.NewBaseline(n, 1)
	g.recent, failed = gate.NewBaseline(n, fading)
	return g, cmp.Or(err, failed)
}

func (g *guesses) add(l truth) {
	if g.isNumber {
		g.all.AddNumber(l.number)
		g.recent.AddNumber(l.number)
		return
	}
	at, known := g.at[l.class]
	if !known {
		if at = len(g.classes); at == maxClasses {
			return
		}
		g.classes, g.at[l.class] = append(g.classes, l.class), at
		g.all.Grow(at + 1)
		g.recent.Grow(at + 1)
	}
	g.all.AddClass(at)
	g.recent.AddClass(at)
}

// storedGuesses is guesses as they are stored.
type storedGuesses struct {
	parts

	Number  bool     `json:"number,omitempty"`
	Classes []string `json:"classes,omitempty"`
}

// MarshalJSON implements [json.Marshaler].
func (g *guesses) MarshalJSON() ([]byte, error) {
	p, err := encodeParts(g.all, g.recent)
	if err != nil {
		return nil, err
	}
	return json.Marshal(storedGuesses{parts: p, Number: g.isNumber, Classes: g.classes})
}

// UnmarshalJSON implements [json.Unmarshaler].
func (g *guesses) UnmarshalJSON(text []byte) error {
	var s storedGuesses
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	fresh, err := newGuesses(s.Number, s.Classes)
	if err != nil {
		return err
	}
	*g = *fresh
	return s.decode(g.all, g.recent)
}
