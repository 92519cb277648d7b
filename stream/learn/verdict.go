package learn

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/metric"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// A champion is what a challenger is compared with.
type champion struct {
	registry.Version // Number 0: there is none

	model  *model.Model // nil if there is none or it cannot be used
	broken error        // why it cannot be used
}

// A contest decides whether a challenger replaces the champion:
//
//   - the first version is promoted;
//   - with no held-out rows there is nothing to compare on: the newer one is promoted;
//   - a champion whose artifact is gone or damaged cannot be served: the challenger
//     is promoted;
//   - a champion that cannot score the held-out rows, as after a change of the
//     features, loses if the spec changed since: its author wants the new one. With
//     the same spec nothing shows that the challenger is as good: it is rejected;
//   - else the spec's metric decides, on the rows that both can score.
//
// If the spec has a gate with thresholds, it decides in place of all that: on a first
// version, or one whose champion cannot be compared, by the values alone.
//
// A training that was asked not to promote never does.
type contest struct {
	spec       *model.Spec
	specDigest string
	noPromote  bool
	last       uint64 // sequence of the last example that the challenger was trained on

	challenger  *model.Model
	train, held *feature.Frame
}

// An outcome is a verdict with the challenger's scores on all it could score.
type outcome struct {
	wire.Verdict

	metrics map[string]float64
	promote *registry.Promotion // of a stream gate: as the champion, or to be on trial
}

// judge compares the challenger with c. An error means that the challenger itself
// cannot be evaluated.
func (t *contest) judge(c *champion) (outcome, error) {
	out := outcome{Verdict: wire.Verdict{Champion: c.Number}}
	rows, own, err := score(t.challenger, t.held)
	if err != nil {
		return out, fmt.Errorf("evaluating the new version: %w", err)
	}
	out.metrics = scoreMap(own)
	out.Challenger = out.metrics
	both := pair{rows: rows}
	out.Promoted, out.Why = t.decide(&out, c, &both)
	if err := t.gate(&out, c, &both); err != nil {
		return out, fmt.Errorf("evaluating the new version: %w", err)
	}
	if t.noPromote {
		out.Promoted, out.Why = false, "it was asked not to promote"
	}
	return out, nil
}

// A pair is held-out rows as the challenger and as the champion reads them.
type pair struct {
	rows *feature.Frame
	seen *feature.Frame // nil if the champion cannot score them
}

// decide fills in the scores of both and says who wins and why, and what both can score.
func (t *contest) decide(out *outcome, c *champion, both *pair) (promoted bool, why string) {
	switch {
	case c.Number == 0:
		return true, "it is the first version"
	case t.held.Len() == 0 && t.last > c.Lineage.LastSeq:
		return true, "there are no held-out rows to compare on: the newer version saw more"
	case t.held.Len() == 0:
		return true, "there are no held-out rows to compare on"
	case c.broken != nil:
		return true, fmt.Sprintf("version %d cannot be used: %v", c.Number, c.broken)
	}
	ours, theirs, err := compare(t.challenger, c.model, both)
	if err != nil {
		if t.specDigest != c.Lineage.SpecDigest {
			return true, fmt.Sprintf("the spec changed since version %d, which cannot score the held-out rows: %v", c.Number, err)
		}
		return false, fmt.Sprintf("it cannot be compared with version %d: %v", c.Number, err)
	}
	out.Challenger, out.Before = scoreMap(ours), scoreMap(theirs)
	name, a, b, ok := t.decisive(ours, theirs)
	if !ok {
		return false, fmt.Sprintf("it cannot be compared with version %d: %s is not defined on the %d held-out rows",
			c.Number, name, ours.Rows)
	}
	out.Metric = name
	promoted, why = better(name, a, b, t.spec.Training.MinDelta)
	why += fmt.Sprintf(" of version %d", c.Number)
	if n := t.held.Len() - ours.Rows; n > 0 {
		why += fmt.Sprintf(" (%d of %d held-out rows cannot be scored by both)", n, t.held.Len())
	}
	return promoted, why
}

// decisive returns the metric that decides and both its values: the spec's, or the
// default one where the spec's is not defined on these rows.
func (t *contest) decisive(ours, theirs metric.Scores) (name string, a, b float64, ok bool) {
	fallback := "accuracy"
	if t.challenger.Classes() == nil {
		fallback = "mse"
	}
	for _, name = range []string{t.spec.Training.Metric, fallback} {
		a, okA := ours.Values[name]
		b, okB := theirs.Values[name]
		if okA && okB && !math.IsNaN(a) && !math.IsNaN(b) {
			return name, a, b, true
		}
	}
	return name, 0, 0, false
}

// better reports whether score a of a challenger is good enough to replace score b:
// not worse, or, with a minDelta, better by that much.
func better(name string, a, b, minDelta float64) (ok bool, why string) {
	wins, known := metric.Better(name, a, b)
	loses, _ := metric.Better(name, b, a)
	switch {
	case !known:
		return false, fmt.Sprintf("nobody knows which %s is better, %.6g or the %.6g", name, a, b)
	case loses:
		return false, fmt.Sprintf("%s %.6g is worse than the %.6g", name, a, b)
	case minDelta > 0 && (!wins || math.Abs(a-b) < minDelta):
		return false, fmt.Sprintf("%s %.6g is not better by %.6g than the %.6g", name, a, minDelta, b)
	case wins:
		return true, fmt.Sprintf("%s %.6g is better than the %.6g", name, a, b)
	}
	return true, fmt.Sprintf("%s %.6g equals that", name, a)
}

// compare scores both on the rows of the pair that both can score, which it leaves
// there.
func compare(challenger, champion *model.Model, both *pair) (ours, theirs metric.Scores, err error) {
	seen, err := project(both.rows, champion.Schema())
	if err != nil {
		return ours, theirs, err
	}
	theirs, err = champion.Evaluate(seen)
	if errors.Is(err, feature.ErrInvalid) {
		keep := scorable(champion, seen)
		if len(keep) == 0 {
			return ours, theirs, err
		}
		seen = pick(seen, keep)
		if theirs, err = champion.Evaluate(seen); err == nil {
			both.rows = pick(both.rows, keep)
		}
	}
	if err != nil {
		return ours, theirs, err
	}
	both.seen = seen
	ours, err = challenger.Evaluate(both.rows)
	return ours, theirs, err
}

// score evaluates m on the rows it can score, and returns them: a held-out row may
// hold a category that no training row did.
func score(m *model.Model, held *feature.Frame) (*feature.Frame, metric.Scores, error) {
	if held.Len() == 0 {
		return held, metric.Scores{}, nil
	}
	scores, err := m.Evaluate(held)
	if !errors.Is(err, feature.ErrInvalid) {
		return held, scores, err
	}
	keep := scorable(m, held)
	if len(keep) == 0 {
		return nil, scores, err
	}
	rows := pick(held, keep)
	scores, err = m.Evaluate(rows)
	return rows, scores, err
}

// scorable returns the rows of f that m has an answer for.
func scorable(m *model.Model, f *feature.Frame) []int {
	var keep []int
	p := m.NewPredictor()
	for i := range f.Len() {
		if _, err := p.Predict(f.Range(i, i+1)); err == nil {
			keep = append(keep, i)
		}
	}
	return keep
}

// pick copies rows of f.
func pick(f *feature.Frame, rows []int) *feature.Frame {
	out := feature.NewFrame(f.Schema(), true)
	for _, i := range rows {
		if err := out.Append(f.Row(i)); err != nil {
			panic(fmt.Sprintf("learn: row %d of a frame does not fit its own schema: %v", i, err))
		}
	}
	return out
}

// project returns the rows of f as rows of another schema, by the names of the
// features: f itself if the schemas are the same.
func project(f *feature.Frame, to *feature.Schema) (*feature.Frame, error) {
	from := f.Schema()
	if same(from, to) {
		return f, nil
	}
	if from.Label.Type != to.Label.Type {
		return nil, fmt.Errorf("%w: the label was a %s and is a %s", feature.ErrInvalid, to.Label.Type, from.Label.Type)
	}
	place := make([]int, len(to.Features))
	for i, want := range to.Features {
		at, ok := from.Index(want.Name)
		if !ok {
			return nil, fmt.Errorf("%w: there is no feature %q any more", feature.ErrInvalid, want.Name)
		}
		if have := from.Features[at]; have.Type != want.Type || have.Size != want.Size {
			return nil, fmt.Errorf("%w: feature %q has another type or size", feature.ErrInvalid, want.Name)
		}
		place[i] = at
	}
	out := feature.NewFrame(to, true)
	values := make([]feature.Value, len(place))
	for i := range f.Len() {
		row := f.Row(i)
		for j, at := range place {
			values[j] = row.Values[at]
		}
		row.Values = values
		if err := out.Append(row); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// same reports whether two values have the same JSON form.
func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// scoreMap returns the scores as events and records carry them; what always
// guessing the same would reach stands beside them as baseline_….
func scoreMap(s metric.Scores) map[string]float64 {
	out := make(map[string]float64, len(s.Values)+len(s.Baseline))
	maps.Copy(out, s.Values)
	for name, v := range s.Baseline {
		out["baseline_"+name] = v
	}
	return finite(out)
}

// finite removes what JSON cannot express.
func finite(scores map[string]float64) map[string]float64 {
	for name, v := range scores {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			delete(scores, name)
		}
	}
	if len(scores) == 0 {
		return nil
	}
	return scores
}
