package learn

import (
	"fmt"
	"time"

	"github.com/modelbus/modelbus/stream/wire"
)

const (
	// leastChanged is of how many examples after a change a window is, before it is cut
	// there: of fewer nothing is learned that could pass a gate.
	leastChanged = 200

	// mostChanged is up to how many examples after a change a model is trained anew each
	// time that their number has doubled, if its window is not of so many examples.
	mostChanged = 10_000
)

// heed has a change of the champion's errors answered, after which there have been so many
// examples.
//
// Online a version is cut, and further ones, before each of which what came since is learned
// again. Of mode window, examples from before it tell what is not so any more. The window is cut
// there as soon as there are enough after it, the model trained then, and again each time that
// their number has doubled, until the window is full. If it is not known where the change
// began, it is trained at once, and again when the window holds none from before it.
func (m *monitor) heed(d *wire.ScoreDrift, after int64) {
	st, r := &m.state, m.spec.Retrain
	known := d.SinceSeq > 0 && d.After > d.Before
	if r.Online() || !known {
		if r.On.Drift {
			m.trigger(triggerDrift, driftWords(d), d.Seq)
			m.again(after)
		}
		if r.Online() && known {
			st.Relearn = d.SinceSeq
		}
		return
	}
	if !r.On.Any() {
		return
	}
	least := int64(leastChanged)
	if n := int64(r.Window.Examples); n > 0 {
		least = min(least, n)
	}
	st.Pace = max(after, least)
	if st.Again = st.Pace - after; st.Again == 0 {
		m.relearn(d.Seq)
	}
}

// relearn has a model of mode window trained on what came after the change, and once more when
// that is twice as much.
func (m *monitor) relearn(seq uint64) {
	st, r := &m.state, m.spec.Retrain
	d := st.Drift
	why := fmt.Sprintf("%d examples have come since the drift", st.Pace)
	if st.Cut == nil || st.Cut.Seq != d.SinceSeq {
		why = driftWords(d)
		st.Cut = &wire.LivePlace{Seq: d.SinceSeq, Time: d.Since}
		m.log.Info().Uint64("message", d.SinceSeq).Msg("windows begin where the errors changed")
	}
	m.dirty = true
	if !r.On.Drift {
		st.Pace = 0
		return
	}
	m.trigger(triggerDrift, why, seq)
	most := int64(mostChanged)
	if n := r.Window.Examples; n > 0 {
		most = int64(n)
	}
	if st.Pace < most {
		st.Again, st.Pace = st.Pace, 2*st.Pace
	}
}

// relearned returns since which message examples are to be learned again when an online version
// is cut at an example and comes after one which saw the example last: 0 if none are, as no change
// of errors is to be answered. A state that was stored knows of changes that a learner which goes
// on from the last version has not come to.
func (m *monitor) relearned(last, at uint64) uint64 {
	t := m.state.Trigger
	if t == nil || t.Kind != triggerDrift || t.Seq <= last || t.Seq > at {
		return 0
	}
	return m.state.Relearn
}

// learnOf takes notice of a change of errors that another monitor announced.
func (m *monitor) learnOf(d *wire.ScoreDrift, at time.Time) {
	st := &m.state
	if at.Before(m.created) {
		return
	}
	if at.Before(m.ground.made) || d.SinceSeq > m.ground.last { // of another stream
		d.SinceSeq = 0
		d.Seq = min(d.Seq, max(m.ground.last, m.answered+1)) // so that the next version answers it
	}
	if d.Seq > m.answered {
		st.Drift, st.Announced = d, true
		m.heed(d, d.Rows)
		return
	}
	if st.Cut == nil && d.SinceSeq != 0 && d.After > d.Before && !m.spec.Retrain.Online() {
		st.Cut = &wire.LivePlace{Seq: d.SinceSeq, Time: d.Since}
	}
}

// again has a model be trained once more after a change, as what is trained at once has
// mostly seen examples from before it: when its window holds none of them, of which there
// have been so many after the change; online when more has been learned.
func (m *monitor) again(after int64) {
	st, r := &m.state, m.spec.Retrain
	switch n := int64(r.Window.Examples); {
	case r.Online():
		st.Again, st.Pace, st.Relearn = firstRelearned, firstRelearned, 0
	case n > 0:
		st.Again, st.Pace = max(n-after, 1), 0
	}
}

// countAgain counts the examples until a model is trained once more after a change.
func (m *monitor) countAgain(a arrival) {
	st := &m.state
	if st.Again == 0 {
		return
	}
	if st.Again -= int64(a.rows.Len()); st.Again > 0 {
		return
	}
	st.Again = 0
	switch {
	case m.spec.Retrain.Online():
	case st.Pace > 0:
		m.relearn(a.seq)
		return
	default:
		m.trigger(triggerDrift, fmt.Sprintf("the window of %d examples holds none from before the drift any more", m.spec.Retrain.Window.Examples), a.seq)
		return
	}
	m.trigger(triggerDrift, fmt.Sprintf("%d examples more were learned since the drift", st.Pace), a.seq)
	if st.Pace *= 2; st.Pace <= lastRelearned {
		st.Again = st.Pace
	}
}
