package learn

import (
	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/drift"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/gate"
)

// gate puts the verdict of the spec's gate into out, and its decision in place of the
// metric's if it has thresholds.
func (t *contest) gate(out *outcome, c *champion, both *pair) error {
	cfg := &gate.Config{}
	if r := t.spec.Retrain; r != nil && r.Gate != nil {
		cfg = r.Gate
	}
	cut, err := t.slicer(cfg)
	if err != nil {
		return err
	}
	ours, err := scorecard(t.challenger, both.rows, both.rows, cut)
	if err != nil {
		return err
	}
	var before *gate.Scorecard
	if both.seen != nil {
		theirs, err := scorecard(c.model, both.seen, both.rows, cut)
		if err != nil {
			return err
		}
		before = &theirs
	}
	v := cfg.Judge(ours, before)
	out.Gate = &v
	if v.Outcome != gate.NoGate {
		out.Promoted, out.Why = v.Outcome == gate.Promote, v.Reason
	}
	return nil
}

// slicer returns what groups rows, nil if the gate looks at no groups. Numbers are
// grouped by the quarters of the training rows.
func (t *contest) slicer(cfg *gate.Config) (*gate.Slicer, error) {
	if len(cfg.Slices) == 0 {
		return nil, nil //nolint:nilnil // no groups were asked for
	}
	rows := make([]int, t.train.Len())
	for i := range rows {
		rows[i] = i
	}
	reference, err := drift.Fit(t.train, rows, drift.Predictions{}, drift.Options{})
	if err != nil {
		return nil, err
	}
	return gate.NewSlicer(t.train.Schema(), cfg.Slices, reference)
}

// scorecard scores m on f, and on each group that cut makes of rows, which are those of
// f as the challenger reads them.
func scorecard(m *model.Model, f, rows *feature.Frame, cut *gate.Slicer) (gate.Scorecard, error) {
	var card gate.Scorecard
	if f.Len() == 0 {
		return card, nil
	}
	scores, err := m.Evaluate(f)
	if err != nil {
		return card, err
	}
	card.Result = gate.Result{Rows: scores.Rows, Values: scores.Values}
	if cut == nil {
		return card, nil
	}
	all := make([]int, rows.Len())
	for i := range all {
		all[i] = i
	}
	card.Slices = map[string]gate.Result{}
	for _, group := range cut.Split(rows, all) {
		scores, err := m.Evaluate(pick(f, group.Rows))
		if err != nil {
			return card, err
		}
		card.Slices[group.Name] = gate.Result{Rows: scores.Rows, Values: scores.Values}
	}
	return card, nil
}
