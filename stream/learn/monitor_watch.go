package learn

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/modelbus/modelbus/model/gate"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// watchExamples is how many examples a watch needs before it can end in a rollback, if
// the watch is not shorter. Its test holds however early it is looked at.
const watchExamples = 100

// A watch is a promotion that may be undone: the version before is scored beside the
// champion, as if it were a challenger.
type watch struct {
	Version uint64         `json:"version"`
	Before  uint64         `json:"before"`
	From    wire.LivePlace `json:"from"`
	Seen    int64          `json:"seen"` // examples
	Rounds  int            `json:"rounds,omitempty"`
	Duel    *duel          `json:"duel"`

	Verdict *wire.Verdict `json:"verdict,omitempty"` // what was decided and is to be done
}

// refresh takes notice of the aliases, the newest version and drift events.
func (m *monitor) refresh(ctx context.Context) error {
	if err := m.finish(ctx); err != nil {
		return err
	}
	aliases, err := m.reg.Aliases(ctx, m.name)
	if errors.Is(err, registry.ErrNotFound) {
		return nil // it was deleted: whoever runs us is about to know
	}
	if err != nil {
		return err
	}
	if m.newest, _, err = m.reg.Newest(ctx, m.name, trainedHere); err != nil {
		return err
	}
	if m.answered, err = m.trainedTo(ctx, &m.newest); err != nil {
		return err
	}
	st := &m.state
	champion, challenger := aliases[registry.Champion], aliases[registry.Challenger]
	if st.Newest != m.newest.Number {
		st.Newest, st.Fresh, st.Below, m.dirty = m.newest.Number, 0, nil, true
	}
	st.Challenger = challenger.To
	if champion.Number != st.Move || champion.To != st.Champion {
		if err := m.crown(champion); err != nil {
			return err
		}
	}
	if err := m.followTrial(ctx, champion, challenger); err != nil {
		return err
	}
	return m.lookForDrift(ctx)
}

// trainedHere accepts versions that were trained from the stream.
func trainedHere(v *registry.Version) bool { return v.Lineage.LastSeq > 0 }

// finish does what was decided before and may not have been done.
func (m *monitor) finish(ctx context.Context) error {
	if t := m.state.Trial; t != nil && t.Verdict != nil {
		if err := m.carryOutTrial(ctx); err != nil {
			return err
		}
	}
	if w := m.state.Watch; w != nil && w.Verdict != nil {
		return m.rollBack(ctx)
	}
	return nil
}

// crown notes that another version is the champion, and watches it if it was promoted
// over one.
func (m *monitor) crown(mv registry.Move) error {
	st := &m.state
	known := st.Move != 0 || st.Champion != 0
	if w := st.Watch; w != nil {
		m.log.Info().Uint64("version", w.Version).Str("because", moved(mv)).Msg("a watch has ended: there is another champion")
	}
	st.Watch, st.Champion, st.Move, st.Fresh, st.Below = nil, mv.To, mv.Number, 0, nil
	m.dirty = true
	if m.continues(mv) {
		m.detector.hand()
	} else {
		st.Scale = scale{}
		m.detector.Reset()
	}
	if st.Again == 0 {
		st.Pace = 0
	}
	examples := m.spec.Retrain.Watch
	if !known || examples == 0 || mv.Rollback || mv.From == 0 || mv.To == 0 {
		return nil
	}
	w := &watch{Version: mv.To, Before: mv.From, From: wire.LivePlace{Seq: st.Seq, Time: st.Time}}
	if err := m.nextRound(w); err != nil {
		return err
	}
	st.Watch = w
	m.log.Info().Uint64("version", mv.To).Uint64("before", mv.From).Int("examples", examples).Msg("a promotion is watched")
	return nil
}

// continues reports whether the champion does what the one before did, a little better, other
// than while a drift is learned: its errors go on about where those of the one before end.
func (m *monitor) continues(mv registry.Move) bool {
	if mv.Rollback || mv.From == 0 || mv.To < mv.From {
		return false
	}
	return m.state.Pace == 0 || !m.spec.Retrain.Online() && m.state.Pace > 2*relayExamples
}

// nextRound compares from here on. When the champion has proved better, what it is worth
// from then on is another question. Each round has half the alpha of the one before, so
// that all together have no more than the gate's.
func (m *monitor) nextRound(w *watch) (err error) {
	o := gate.StreamOptions{Alpha: defaultAlpha, MinExamples: min(watchExamples, m.spec.Retrain.Watch)}
	if g := m.live(); g != nil {
		o.Alpha, o.Margin = cmp.Or(g.Alpha, defaultAlpha), g.Margin
	}
	w.Rounds++
	o.Alpha = math.Ldexp(o.Alpha, -w.Rounds)
	w.Duel, err = newDuel(o)
	m.dirty = true
	return err
}

// compareWatch adds the grades of an arrival to the watch.
func (m *monitor) compareWatch(grades map[uint64][]grade, labels []truth) error {
	w := m.state.Watch
	if w == nil || w.Verdict != nil || grades[w.Version] == nil || grades[w.Before] == nil {
		return nil
	}
	for i, l := range labels {
		w.Seen++
		if _, err := w.Duel.add(grades[w.Version][i], grades[w.Before][i], l, m.squared()); err != nil {
			return err
		}
	}
	return nil
}

// judgeWatch rolls back if the version before has proved better, and ends a watch that
// is over.
func (m *monitor) judgeWatch(ctx context.Context) error {
	w := m.state.Watch
	if w == nil {
		return nil
	}
	if w.Verdict != nil {
		return m.rollBack(ctx)
	}
	end := func(why string) error {
		m.log.Info().Uint64("version", w.Version).Str("because", why).Msg("a watch has ended")
		m.state.Watch, m.dirty = nil, true
		return nil
	}
	if c := m.loaded[w.Before]; c != nil && c.broken != nil {
		return end(fmt.Sprintf("version %d cannot be scored: %v", w.Before, c.broken))
	}
	outcome := w.Duel.stream.Outcome()
	switch over := w.Seen >= int64(m.spec.Retrain.Watch); {
	case outcome == gate.Worse && !over:
		return m.nextRound(w)
	case outcome != gate.Better && !over:
		return nil
	case outcome != gate.Better:
		return end(fmt.Sprintf("version %d did not prove better within %d examples", w.Before, w.Seen))
	}
	c := w.Duel.stream.Compare()
	why := fmt.Sprintf("rolled back: version %d scores %.4f and version %d %.4f on %d examples since its promotion: worse at alpha %v",
		w.Version, c.Champion.Mean, w.Before, c.Challenger.Mean, c.Examples, c.Alpha)
	w.Verdict = &wire.Verdict{
		Version: w.Before, Champion: w.Version, Metric: m.metric(), Promoted: true, Why: why,
		Challenger: m.scoresOf(w.Before), Before: m.scoresOf(w.Version),
		Gate: &gate.Verdict{Outcome: gate.Promote, Reason: why, Comparison: &c},
	}
	m.dirty = true
	if err := m.save(ctx); err != nil {
		return err
	}
	return m.rollBack(ctx)
}

// scoresOf returns the scores of a version on about the last 1,000 examples.
func (m *monitor) scoresOf(version uint64) map[string]float64 {
	if t := m.state.Versions[version]; t != nil {
		return finite(t.recent.Result().Values)
	}
	return nil
}

// rollBack makes the version before the champion again, which may have been done.
func (m *monitor) rollBack(ctx context.Context) error {
	w := m.state.Watch
	data, err := json.Marshal(w.Verdict)
	if err != nil {
		return err
	}
	p := registry.Promotion{Alias: registry.Champion, If: w.Version, Who: who, Why: w.Verdict.Why, Rollback: true}
	aliases, err := m.reg.Aliases(ctx, m.name)
	if now := aliases[registry.Champion]; err == nil && now.To == w.Version && now.Number != m.state.Move {
		err = fmt.Errorf("%w: version %d was made the champion again: %s", registry.ErrConflict, w.Version, moved(now))
	}
	if err == nil {
		_, err = m.reg.PromoteIf(ctx, m.name, w.Before, p, data)
	}
	switch {
	case errors.Is(err, registry.ErrConflict), errors.Is(err, registry.ErrNotFound):
		m.log.Info().Err(err).Uint64("version", w.Before).Msg("the champion was changed by hand: nothing is rolled back")
	case err != nil:
		return err
	default:
		m.log.Warn().Uint64("version", w.Version).Uint64("before", w.Before).Str("why", w.Verdict.Why).Msg("a promotion was rolled back")
	}
	m.state.Watch, m.dirty = nil, true
	m.wake()
	return m.save(ctx)
}

// decide does what the scores ask for.
func (m *monitor) decide(ctx context.Context) error {
	for _, judge := range []func(context.Context) error{m.judgeTrial, m.judgeWatch, m.judgeScores} {
		if err := judge(ctx); err != nil {
			return err
		}
	}
	m.pull()
	return nil
}
