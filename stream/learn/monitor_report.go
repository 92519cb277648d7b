package learn

import (
	"cmp"
	"slices"

	"github.com/modelbus/modelbus/model/gate"
	"github.com/modelbus/modelbus/stream/wire"
)

// report returns what others read.
func (m *monitor) report() *wire.Live {
	st := &m.state
	live := &wire.Live{
		Metric: m.metric(), Examples: st.Served.examples(),
		Since: st.Since, Last: wire.LivePlace{Seq: st.Seq, Time: st.Time}, Champion: st.Champion,
		Scores: []wire.LiveScore{},
		Drift:  st.Drift, Cut: st.Cut, Trigger: st.Trigger, Next: m.next,
	}
	if st.Served == nil {
		live.Examples = st.Learner.examples()
	}
	if st.Served != nil || st.Learner != nil {
		recent := &wire.LiveRecent{}
		live.Value, recent.Value = valuesOf(st.Served, live.Metric)
		live.Learner, recent.Learner = valuesOf(st.Learner, live.Metric)
		if g := st.Guesses; g != nil {
			all, late := g.all.Results(), g.recent.Results()
			live.Majority, recent.Majority = valueOf(all[gate.Majority], live.Metric), valueOf(late[gate.Majority], live.Metric)
			live.Mean, recent.Mean = valueOf(all[gate.Mean], live.Metric), valueOf(late[gate.Mean], live.Metric)
			live.NoChange, recent.NoChange = valueOf(all[gate.NoChange], live.Metric), valueOf(late[gate.NoChange], live.Metric)
		}
		live.Recent = recent
	}
	if st.Learner != nil {
		live.Scores = append(live.Scores, liveScore(0, st.Learner))
	}
	for n, t := range st.Versions {
		if t == nil {
			continue // nothing of it could be scored
		}
		live.Scores = append(live.Scores, liveScore(n, t))
	}
	slices.SortFunc(live.Scores, func(a, b wire.LiveScore) int {
		if a.Version == 0 || b.Version == 0 {
			return cmp.Compare(a.Version, b.Version)
		}
		return cmp.Compare(b.Version, a.Version)
	})
	if t := st.Trial; t != nil {
		limit := int64(trialLimit * defaultMinExamples)
		if g := m.live(); g != nil {
			limit = trialLimit * int64(cmp.Or(g.MinExamples, defaultMinExamples))
		}
		live.Trial = liveDuel(t.Version, t.Champion, t.From, limit-t.Seen-t.Blind, t.Duel)
	}
	if w := st.Watch; w != nil {
		live.Watch = liveDuel(w.Version, w.Before, w.From, int64(m.spec.Retrain.Watch)-w.Seen, w.Duel)
	}
	return live
}

func liveDuel(version, against uint64, since wire.LivePlace, left int64, d *duel) *wire.LiveDuel {
	return &wire.LiveDuel{Version: version, Against: against, Since: since, Left: max(left, 0), Comparison: d.stream.Compare()}
}

func liveScore(version uint64, t *tally) wire.LiveScore {
	all := t.all.Result()
	return wire.LiveScore{
		Version: version, Examples: int64(all.Rows),
		Values: finite(all.Values), Recent: finite(t.recent.Result().Values),
	}
}

// valuesOf returns a score of all examples and of the recent ones, nil if it is not
// defined.
func valuesOf(t *tally, name string) (all, recent *float64) {
	if t == nil {
		return nil, nil
	}
	return valueOf(t.all.Result(), name), valueOf(t.recent.Result(), name)
}

// valueOf returns a score, nil if it is not defined.
func valueOf(r gate.Result, name string) *float64 {
	x, ok := r.Values[name]
	if !ok || len(finite(map[string]float64{name: x})) == 0 {
		return nil
	}
	return &x
}
