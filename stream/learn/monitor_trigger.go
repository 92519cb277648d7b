package learn

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/modelbus/modelbus/model/drift"
	"github.com/modelbus/modelbus/model/metric"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

const kindDrift = "drift"

// The kinds of triggers.
const (
	triggerDrift    = "drift"
	triggerScore    = "score_below"
	triggerSchedule = "schedule"
)

const (
	// scoreExamples is how many examples a score must be of to be too low.
	scoreExamples = 200

	// calmExamples is for how many examples after a drift the detector sees none: one
	// change is one event, and a new version has time to come.
	calmExamples = 200

	// After a drift further versions of an online model are cut when so many examples more
	// have been learned, and twice as many again, up to the last: by then about 2,000 show
	// what has changed.
	firstRelearned = 250
	lastRelearned  = 1000

	// scaleExamples is how many errors of a regression are looked at to know how large
	// they are, before the detector sees one.
	scaleExamples = 100
)

// A scale brings the absolute errors of a regression into [0, 1).
type scale struct {
	Sum  float64 `json:"sum,omitempty"`
	Rows int64   `json:"rows,omitempty"`
}

// of returns e/(e+m), where m is the mean of the errors before; ok is false before there
// are enough of them.
func (s *scale) of(e float64) (x float64, ok bool) {
	mean := s.Sum / float64(max(s.Rows, 1))
	ok = s.Rows >= scaleExamples
	s.Sum, s.Rows = s.Sum+e, s.Rows+1
	if e == 0 {
		return 0, ok
	}
	return e / (e + mean), ok
}

// detect shows the detector an error of the champion.
func (m *monitor) detect(a arrival, g grade, l truth) {
	st := &m.state
	x, kind := 1-score01(g), wire.ErrorWrong
	if l.isNumber {
		kind = wire.ErrorAbsolute
		var ok bool
		if x, ok = st.Scale.of(min(math.Abs(g.value-l.number), math.MaxFloat32)); !ok {
			return
		}
	}
	if st.Calm > 0 {
		st.Calm--
		return
	}
	st.Trail.note(a.seq, a.time)
	if m.detector.Update(x) != drift.Drift {
		return
	}
	st.Calm = calmExamples
	e := m.detector.Estimate()
	st.Drift = &wire.ScoreDrift{
		Source: wire.SourceScore, Detector: m.detectorName(), Version: st.Champion, Seq: a.seq,
		Error: kind, Before: e.Before, After: e.Mean, Rows: e.Rows,
	}
	if seq, at, ok := st.Trail.back(e.Rows); ok {
		st.Drift.SinceSeq, st.Drift.Since = seq, at
	}
	st.Announced = false
	m.detector.Reset()
}

func (m *monitor) detectorName() string {
	d := m.spec.Retrain.Detector
	if d.IsZero() {
		return "ADWIN"
	}
	return d.Config().Name
}

// driftID names the event of a drift: one of a message, and of a version, as a stream that was
// made anew has other messages of the same sequences.
func driftID(d *wire.ScoreDrift) string {
	return fmt.Sprintf("%s-%d-%d", wire.SourceScore, d.Version, d.Seq)
}

// judgeScores announces drift, and notes what makes a training due.
func (m *monitor) judgeScores(ctx context.Context) error {
	st := &m.state
	if st.Drift != nil && !st.Announced {
		id := driftID(st.Drift)
		if st.Seen != id {
			st.Seen = id
			m.heed(st.Drift, st.Drift.Rows)
		}
		m.dirty = true
		if err := m.save(ctx); err != nil {
			return err
		}
		if err := m.announce(ctx, kindDrift, id, st.Drift); err != nil {
			return err
		}
		m.log.Info().Str("what", driftWords(st.Drift)).Msg("drift")
		st.Announced, m.dirty = true, true
	}
	return m.judgeLow(ctx)
}

func driftWords(d *wire.ScoreDrift) string {
	return fmt.Sprintf("drift: %s of version %d went from %.4f to %.4f in the last %d examples", d.Measure(), d.Version, d.Before, d.After, d.Rows)
}

// judgeLow makes a training due if a score of the champion is worse than the spec allows:
// once, until a new version has come or the score was good again.
func (m *monitor) judgeLow(ctx context.Context) error {
	st := &m.state
	limits := m.spec.Retrain.On.ScoreBelow
	t := st.Versions[st.Champion]
	if len(limits) == 0 || t == nil || st.Fresh < scoreExamples {
		return nil
	}
	scores := t.recent.Result().Values
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		x, known := scores[name]
		if worse, _ := metric.Better(name, limits[name], x); !known || !worse {
			delete(st.Below, name)
			continue
		}
		if st.Below[name] {
			continue
		}
		if st.Below == nil {
			st.Below = map[string]bool{}
		}
		st.Below[name], st.Fresh = true, 0
		m.trigger(triggerScore, fmt.Sprintf("%s of version %d is %.4f on the last examples, worse than %.4g", name, st.Champion, x, limits[name]), st.Seq)
		return m.save(ctx)
	}
	return nil
}

// trigger notes that a training is due.
func (m *monitor) trigger(kind, why string, seq uint64) {
	m.state.Trigger = &wire.LiveTrigger{Kind: kind, Why: why, Seq: seq, Time: time.Now().UTC()}
	m.dirty = true
	if kind != triggerSchedule {
		m.log.Info().Str("because", why).Msg("a training is due")
	}
}

// pending returns why a training is due by drift or by a score that was noticed after the
// example of that sequence, if one is.
func (m *monitor) pending(after uint64) string {
	t := m.state.Trigger
	if t == nil || t.Kind == triggerSchedule || t.Seq <= after {
		return ""
	}
	return t.Why
}

// pull has a version cut of an online model if one is due, once.
func (m *monitor) pull() {
	if m.cutter == nil {
		return
	}
	why := m.pending(m.answered)
	gap := time.Duration(m.spec.Retrain.MinGap)
	if why == "" || m.cutAt == m.state.Trigger.Seq || younger(m.newest.Created, gap) {
		return
	}
	m.cutAt = m.state.Trigger.Seq
	m.cutter.cut(why)
}

// younger reports whether less than d has passed since t. What is in the future is of a clock
// that is ahead.
func younger(t time.Time, d time.Duration) bool {
	age := time.Since(t)
	return age >= 0 && age < d
}

// lookForDrift makes a training due if the last drift event of the model, whoever
// announced it, is newer than the newest version and was not looked at before.
func (m *monitor) lookForDrift(ctx context.Context) error {
	st := &m.state
	if !m.spec.Retrain.On.Drift {
		return nil
	}
	e, ok, err := m.reg.LastEvent(ctx, m.name, kindDrift)
	if err != nil || !ok || e.ID == st.Seen {
		return err
	}
	st.Seen, m.dirty = e.ID, true
	var d wire.ScoreDrift
	if json.Unmarshal(e.Data, &d) == nil && d.Source == wire.SourceScore {
		m.learnOf(&d, e.Time)
	} else if why, due := m.asks(e); due {
		m.trigger(triggerDrift, why, max(st.Seq, m.answered+1))
		m.again(0)
	}
	return m.save(ctx)
}

// asks reports whether a drift event of something else than errors is one that no version
// answers yet, and why.
func (m *monitor) asks(e registry.Event) (why string, due bool) {
	var d struct{ Source string }
	if !e.Time.After(m.newest.Created) || !e.Time.After(m.created) || recovered(e) {
		return "", false
	}
	if json.Unmarshal(e.Data, &d) != nil || d.Source == "" {
		return "drift", true
	}
	return "drift of its " + d.Source, true
}

// recovered reports whether an event says that there is no drift any more.
func recovered(e registry.Event) bool {
	var d struct {
		Drifted *bool `json:"drifted"`
	}
	return json.Unmarshal(e.Data, &d) == nil && d.Drifted != nil && !*d.Drifted
}
