package learn

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/gate"
	"github.com/modelbus/modelbus/model/metric"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// trialLimit is after how many times the least number of examples a trial ends undecided.
const trialLimit = 20

// The defaults of package gate.
const (
	defaultMinExamples = 500
	defaultAlpha       = 0.05
)

// A trial is a challenger that is scored beside the champion.
type trial struct {
	Version  uint64         `json:"version"`
	Champion uint64         `json:"champion"`
	Move     uint64         `json:"move"` // number of the challenger alias's move
	From     wire.LivePlace `json:"from"`

	Duel   *duel    `json:"duel"`
	Ours   *board   `json:"ours"`   // of the challenger
	Theirs *board   `json:"theirs"` // of the champion
	Groups *slicing `json:"groups,omitempty"`
	Seen   int64    `json:"seen"`            // examples that the challenger was scored on
	Lone   int64    `json:"lone,omitempty"`  // those that it alone could score
	Blind  int64    `json:"blind,omitempty"` // examples that it could not be compared on

	Verdict *wire.Verdict `json:"verdict,omitempty"` // what was decided and is to be done
}

// live returns the spec's stream gate, nil if it has none.
func (m *monitor) live() *gate.Config {
	if g := m.spec.Retrain.Gate; g != nil && g.Kind == gate.Live {
		return g
	}
	return nil
}

// metric returns the score that stands for a model: the spec's if it is known of examples
// one by one, else the first of its kind.
func (m *monitor) metric() string {
	known := []string{metric.Accuracy, metric.LogLoss}
	if m.spec.Schema.Label.Type == "number" {
		known = []string{metric.MSE, metric.MAE, metric.RMSE, metric.R2}
	}
	if name := m.spec.Training.Metric; slices.Contains(known, name) {
		return name
	}
	return known[0]
}

// followTrial brings the trial in line with what the aliases say.
func (m *monitor) followTrial(ctx context.Context, champion, challenger registry.Move) error {
	if m.state.Trial != nil {
		done, err := m.interrupt(ctx, champion, challenger)
		if done || err != nil {
			return err
		}
	}
	switch {
	case m.live() == nil || challenger.To == 0 || champion.To == 0:
		return nil
	case challenger.To == champion.To:
		return m.unalias(ctx, champion.To, fmt.Sprintf("version %d is the champion", champion.To))
	}
	return m.beginTrial(ctx, champion, challenger)
}

// interrupt ends the trial if it cannot go on as it was, and reports whether no other one is to
// begin yet.
func (m *monitor) interrupt(ctx context.Context, champion, challenger registry.Move) (done bool, err error) {
	t := m.state.Trial
	why, rejected := m.interruption(champion, challenger)
	if why == "" {
		return true, nil
	}
	if rejected {
		if err := m.dismiss(ctx, why); err != nil {
			return false, err
		}
	}
	m.log.Info().Uint64("version", t.Version).Str("because", why).Msg("a trial has ended")
	m.state.Trial, m.dirty = nil, true
	if champion.To == t.Version || rejected && challenger.To == t.Version {
		return true, m.unalias(ctx, t.Version, why)
	}
	return false, nil
}

// interruption says why the trial does not go on as it was, empty if it does, and whether that is
// its end without a promotion: else it begins again, or its version is the champion.
func (m *monitor) interruption(champion, challenger registry.Move) (why string, rejected bool) {
	t := m.state.Trial
	switch {
	case champion.To == t.Version:
		return fmt.Sprintf("version %d was promoted by hand: %s", t.Version, moved(champion)), false
	case challenger.To == 0:
		return fmt.Sprintf("the alias %s was removed from version %d", registry.Challenger, t.Version), true
	case challenger.To != t.Version:
		return fmt.Sprintf("version %d became the challenger in place of version %d: %s", challenger.To, t.Version, moved(challenger)), true
	case m.live() == nil:
		return "the spec has no gate of kind stream any more", true
	case champion.To != t.Champion:
		return fmt.Sprintf("the champion is version %d in place of version %d, it begins again: %s", champion.To, t.Champion, moved(champion)), false
	case !t.Groups.of(&m.spec.Schema, m.live().Slices):
		return "the groups that it looks at are others in the spec now: it begins again", false
	}
	return "", false
}

// dismiss announces that a trial has ended that nothing was decided of.
func (m *monitor) dismiss(ctx context.Context, why string) error {
	t := m.state.Trial
	c := t.Duel.stream.Compare()
	v := m.verdictOf(t, gate.Verdict{Outcome: gate.Reject, Reason: why, Comparison: &c})
	return m.announce(ctx, kindRejected, t.event(), v)
}

// event names the event that says that a version is rejected after its trial.
func (t *trial) event() string { return fmt.Sprintf("%d-%d", t.Version, t.Move) }

// moved says who moved an alias, and why.
func moved(mv registry.Move) string {
	return cmp.Or(mv.Who, "somebody") + ", " + cmp.Or(mv.Why, "for no reason given")
}

// unalias ends what was left of a trial by removing the alias of its challenger.
func (m *monitor) unalias(ctx context.Context, version uint64, why string) error {
	err := m.reg.RemoveAliasIf(ctx, m.name, registry.Challenger, version, who, why)
	if errors.Is(err, registry.ErrNotFound) || errors.Is(err, registry.ErrConflict) {
		return nil // it is another one's already
	}
	m.state.Challenger = 0
	return err
}

// beginTrial begins a trial.
func (m *monitor) beginTrial(ctx context.Context, champion, challenger registry.Move) error {
	d, err := newDuel(m.live().Stream())
	if err != nil {
		return err
	}
	t := &trial{
		Version: challenger.To, Champion: champion.To, Move: challenger.Number,
		From: wire.LivePlace{Seq: m.state.Seq, Time: m.state.Time}, Duel: d, Ours: newBoard(), Theirs: newBoard(),
	}
	if names := m.live().Slices; len(names) > 0 {
		if t.Groups, err = newSlicing(&m.spec.Schema, names); err != nil {
			return err
		}
	}
	m.state.Trial, m.dirty = t, true
	m.log.Info().Uint64("version", t.Version).Uint64("champion", t.Champion).Msg("a trial begins")
	back, err := m.rolledBack(ctx, m.name, t.Version)
	if err != nil || !back {
		return err
	}
	return m.conclude(ctx, gate.Verdict{
		Outcome: gate.Reject,
		Reason:  fmt.Sprintf("version %d was promoted and rolled back before: it is not promoted again by itself", t.Version),
	})
}

// rolledBack reports whether the champion of a model was rolled back from a version.
func (t *Trainer) rolledBack(ctx context.Context, model string, version uint64) (bool, error) {
	moves, err := t.reg.History(ctx, model, registry.Champion)
	if err != nil && !errors.Is(err, registry.ErrNotFound) { // there is no champion yet
		return false, err
	}
	return slices.ContainsFunc(moves, func(mv registry.Move) bool { return mv.Rollback && mv.From == version }), nil
}

// compareTrial adds the grades of an arrival to the trial.
func (m *monitor) compareTrial(a arrival, grades map[uint64][]grade, labels []truth) error {
	t := m.state.Trial
	if t == nil || t.Verdict != nil || grades[t.Version] == nil {
		return nil
	}
	ours, theirs := grades[t.Version], grades[t.Champion]
	if theirs == nil {
		if c := m.loaded[t.Champion]; c != nil && a.seq <= c.trained {
			return nil
		}
		theirs = make([]grade, len(labels))
	}
	view, err := t.Groups.view(a.rows)
	if err != nil {
		return err
	}
	for i, l := range labels {
		fought, err := t.Duel.add(theirs[i], ours[i], l, m.squared())
		if err != nil {
			return err
		}
		if err := t.count(pairOf{fought, ours[i], theirs[i]}, l, view, i); err != nil {
			return err
		}
	}
	return nil
}

// pairOf is what challenger and champion made of one example.
type pairOf struct {
	fought       bool // both could be compared
	ours, theirs grade
}

// count adds one example to the scores; view holds the features of row i that groups
// are made of.
func (t *trial) count(p pairOf, l truth, view *feature.Frame, i int) error {
	if !p.fought {
		if !p.ours.ok {
			t.Blind++
			return nil
		}
		t.Seen++
		t.Lone++
		t.Ours.add(nil, p.ours, l)
		return nil
	}
	groups, err := t.Groups.groups(view, i)
	if err != nil {
		return err
	}
	t.Seen++
	t.Ours.add(groups, p.ours, l)
	t.Theirs.add(groups, p.theirs, l)
	return nil
}

// squared reports whether numbers are compared by squared errors.
func (m *monitor) squared() bool { return m.metric() != metric.MAE }

// add compares one example and reports whether it could be: of numbers both must have
// predicted it, a class that was not predicted is a wrong one.
func (d *duel) add(champion, challenger grade, l truth, squared bool) (bool, error) {
	if l.isNumber {
		if !champion.ok || !challenger.ok {
			return false, nil
		}
		return true, d.stream.AddLosses(champion.loss(l, squared), challenger.loss(l, squared))
	}
	if !champion.ok && !challenger.ok {
		return false, nil
	}
	return true, d.stream.Add(score01(champion), score01(challenger))
}

func score01(g grade) float64 {
	if g.right {
		return 1
	}
	return 0
}

// judgeTrial decides the trial if that can be done.
func (m *monitor) judgeTrial(ctx context.Context) error {
	t := m.state.Trial
	if t == nil || m.live() == nil {
		return nil
	}
	if t.Verdict != nil {
		return m.carryOutTrial(ctx)
	}
	if c := m.loaded[t.Version]; c != nil && c.broken != nil {
		return m.conclude(ctx, gate.Verdict{Outcome: gate.Reject, Reason: fmt.Sprintf("it cannot be scored: %v", c.broken)})
	}
	least, seen := int64(cmp.Or(m.live().MinExamples, defaultMinExamples)), t.Seen
	if seen == 0 && t.Blind >= least {
		return m.conclude(ctx, gate.Verdict{
			Outcome: gate.Reject, Reason: fmt.Sprintf("version %d could not be scored on any of %d examples", t.Version, t.Blind),
		})
	}
	alone := seen > 0 && t.Lone == seen
	switch undecided := t.Duel.stream.Outcome() == gate.Undecided; {
	case undecided && alone && seen >= least: // the champion never answered
		v := m.live().Judge(t.Ours.Scorecard(), nil)
		if v.Outcome == gate.Promote {
			v.Reason = fmt.Sprintf("version %d could not be scored on any of %d examples", t.Champion, seen)
		}
		return m.conclude(ctx, v)
	case undecided && seen+t.Blind < trialLimit*least:
		return nil
	}
	theirs := t.Theirs.Scorecard()
	v := m.live().JudgeStream(t.Duel.stream.Compare(), t.Ours.Scorecard(), &theirs)
	if v.Outcome == gate.Wait {
		v.Outcome, v.Reason = gate.Reject, fmt.Sprintf("undecided after %d examples: %s", seen+t.Blind, v.Reason)
	}
	return m.conclude(ctx, v)
}

// conclude notes what was decided, and does it.
func (m *monitor) conclude(ctx context.Context, v gate.Verdict) error {
	t := m.state.Trial
	t.Verdict = m.verdictOf(t, v)
	m.dirty = true
	if err := m.save(ctx); err != nil {
		return err
	}
	return m.carryOutTrial(ctx)
}

// verdictOf returns the verdict of a trial that was decided so.
func (m *monitor) verdictOf(t *trial, v gate.Verdict) *wire.Verdict {
	return &wire.Verdict{
		Version: t.Version, Champion: t.Champion, Metric: m.metric(),
		Challenger: finite(t.Ours.Scorecard().Values), Before: finite(t.Theirs.Scorecard().Values),
		Promoted: v.Outcome == gate.Promote, Why: v.Reason, Gate: &v,
	}
}

// carryOutTrial does what was decided, which may have been done before.
func (m *monitor) carryOutTrial(ctx context.Context) error {
	t := m.state.Trial
	if t.Verdict.Promoted {
		data, err := json.Marshal(t.Verdict)
		if err != nil {
			return err
		}
		p := registry.Promotion{
			Alias: registry.Champion, If: t.Champion, Remove: registry.Challenger, Who: who, Why: t.Verdict.Why,
		}
		_, err = m.reg.PromoteIf(ctx, m.name, t.Version, p, data)
		switch {
		case errors.Is(err, registry.ErrConflict), errors.Is(err, registry.ErrNotFound):
			m.log.Info().Err(err).Uint64("version", t.Version).Msg("the aliases were changed by hand: the trial's verdict does not hold")
		case err != nil:
			return err
		}
	} else {
		if err := m.announce(ctx, kindRejected, t.event(), t.Verdict); err != nil {
			return err
		}
		if err := m.unalias(ctx, t.Version, t.Verdict.Why); err != nil {
			return err
		}
	}
	m.log.Info().Uint64("version", t.Version).Bool("promoted", t.Verdict.Promoted).Str("why", t.Verdict.Why).Msg("a trial has ended")
	m.state.Trial, m.dirty = nil, true
	m.wake()
	return m.save(ctx)
}
