package learn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

const (
	// saveEvery is how often the live record is saved while examples come.
	saveEvery = time.Second

	// keptScores is how many versions' scores a live record keeps, the newest.
	keptScores = 16
)

// A cutter cuts a version of an online model, for the reason given.
type cutter interface{ cut(why string) }

// A monitor scores versions of one model on its labelled examples as they come, and acts
// on what the scores say: it promotes or rejects a challenger on trial, goes back
// to the version before while a promotion is watched, announces drift, and says when a
// training is due by drift or by a score. Whoever holds the model's lease has it; it
// belongs to one goroutine, but for wake.
//
// Its state and the sequence of the last example counted are one record, put by
// compare-and-set: each example counts once, whoever goes on from there. What is
// decided is put before it is done, and done again by whoever finds it.
type monitor struct {
	*Trainer

	name    string
	created time.Time // of the model
	spec    *model.Spec
	log     zerolog.Logger
	cutter  cutter // nil: trainings are begun by the one that asks pending

	state    state
	revision uint64
	dirty    bool // there is more than was saved
	torn     bool // a message is half counted: this state is never saved
	saved    time.Time

	stale    atomic.Bool // versions, aliases or drift events may have changed
	detector *relay
	loaded   map[uint64]*contender
	newest   registry.Version // that was trained, a zero one if there is none
	answered uint64           // sequence of the last example that newest was trained on
	ground   ground           // the stream of examples, when it was last looked at
	cutAt    uint64           // sequence of the trigger that a version was cut for
	next     *wire.LiveNext
	sub      *nats.Subscription // of drift events
	memory   scratch
}

// open reads the state, or makes one, and begins to follow the registry. wake, which
// may be nil, is called when there is a drift event to look at.
func (m *monitor) open(ctx context.Context, wake func()) error {
	var err error
	if m.ground, err = m.Trainer.ground(ctx); err != nil {
		return err
	}
	if m.detector, err = newRelay(m.spec.Retrain.Detector); err != nil {
		return fmt.Errorf("making the detector of %s: %w", m.name, err)
	}
	m.loaded = map[uint64]*contender{}
	if err := m.restore(ctx); err != nil {
		return err
	}
	m.sub, err = m.nc.Subscribe(m.opts.Subjects.Event(m.name, kindDrift, "*"), func(*nats.Msg) {
		m.wake()
		if wake != nil {
			wake()
		}
	})
	if err != nil {
		return fmt.Errorf("listening for drift of %s: %w", m.name, err)
	}
	if err := m.refresh(ctx); err != nil {
		return errors.Join(err, m.sub.Unsubscribe())
	}
	return nil
}

// close saves the state. If that fails, whoever goes on does so from the last one saved.
func (m *monitor) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseRenew)
	defer cancel()
	var err error
	if !m.torn {
		err = m.save(ctx)
	}
	if gone := m.sub.Unsubscribe(); gone != nil && !errors.Is(gone, nats.ErrConnectionClosed) {
		err = errors.Join(err, gone)
	}
	if err != nil && !errors.Is(err, registry.ErrConflict) && !errors.Is(err, nats.ErrConnectionClosed) {
		m.log.Warn().Err(err).Msg("closing the live record")
	}
}

// wake has the monitor look at versions, aliases and drift events again. Any goroutine
// may call it.
func (m *monitor) wake() { m.stale.Store(true) }

// observe counts a message of examples. After an error the monitor is of no use any more:
// another one goes on from what was saved.
func (m *monitor) observe(ctx context.Context, a arrival) error {
	if a.seq <= m.state.Seq {
		return nil
	}
	if err := m.look(ctx); err != nil {
		return err
	}
	if a.rows != nil && a.rows.Len() > 0 {
		m.torn = true
		if err := m.count(ctx, a); err != nil {
			return err
		}
		m.torn = false
	}
	m.state.Seq, m.state.Time, m.dirty = a.seq, a.time, true
	if err := m.decide(ctx); err != nil {
		return err
	}
	if time.Since(m.saved) < saveEvery {
		return nil
	}
	return m.save(ctx)
}

// tick does what is due while no examples come.
func (m *monitor) tick(ctx context.Context) error {
	if err := m.look(ctx); err != nil {
		return err
	}
	if err := m.decide(ctx); err != nil {
		return err
	}
	if time.Since(m.saved) < saveEvery {
		return nil
	}
	return m.save(ctx)
}

// look takes notice of what changed in the registry.
func (m *monitor) look(ctx context.Context) error {
	if !m.stale.Swap(false) {
		return nil
	}
	var err error
	if m.ground, err = m.holds(ctx, m.state.at()); err != nil {
		return fmt.Errorf("following the examples of %s: %w", m.name, err)
	}
	if err := m.refresh(ctx); err != nil {
		return err
	}
	return m.save(ctx)
}

// count grades the predictions for the rows of a and adds them up.
func (m *monitor) count(ctx context.Context, a arrival) error {
	labels := truths(m.memory.labels, a.rows)
	m.memory.labels = labels
	if g := m.state.Guesses; g != nil && g.isNumber != labels[0].isNumber { // no score holds of both
		m.state.Guesses, m.state.Since, m.state.Served, m.state.Learner = nil, nil, nil, nil
	}
	grades, err := m.grades(ctx, a, labels)
	if err != nil {
		return err
	}
	st := &m.state
	champion := grades[st.Champion] // nil if it was trained on them
	var learner []grade
	if a.tested != nil {
		learner = gradesOf(m.memory.tested, a.tested, m.memory.placesOf(a.tested.Classes), labels)
		m.memory.tested = learner
		st.Learner = counted(st.Learner, learner, labels)
	}
	for i, l := range labels {
		served := champion != nil && champion[i].ok
		if served {
			if st.Served == nil { // guesses are compared with the learner no more
				st.Guesses, st.Since = nil, nil
			}
			st.Served = counted(st.Served, champion[i:i+1], labels[i:i+1])
			st.Fresh++
			m.detect(a, champion[i], l)
		}
		if served || st.Served == nil && learner != nil && learner[i].ok {
			if err := m.guess(a, l); err != nil {
				return err
			}
		}
	}
	for n, g := range grades {
		st.Versions[n] = counted(st.Versions[n], g, labels)
	}
	m.prune()
	m.countAgain(a)
	if err := m.compareWatch(grades, labels); err != nil {
		return err
	}
	return m.compareTrial(a, grades, labels)
}

// counted adds grades to t, which is made if there was none.
func counted(t *tally, grades []grade, labels []truth) *tally {
	for i, g := range grades {
		if !g.ok {
			continue
		}
		if t == nil {
			t = newTally()
		}
		t.add(g, labels[i])
	}
	return t
}

// guess counts what guesses would have scored on an example that was scored.
func (m *monitor) guess(a arrival, l truth) error {
	st := &m.state
	if st.Guesses == nil {
		g, err := newGuesses(l.isNumber, slices.Clone(m.spec.Schema.Label.Classes))
		if err != nil {
			return err
		}
		st.Guesses, st.Since = g, &wire.LivePlace{Seq: a.seq, Time: a.time}
	}
	st.Guesses.add(l)
	return nil
}

// grades returns the grades of the rows of a, by version, of all versions that are to be
// scored and were not trained on them. They are valid until the next call.
func (m *monitor) grades(ctx context.Context, a arrival, labels []truth) (map[uint64][]grade, error) {
	st := &m.state
	if m.memory.grades == nil {
		m.memory.grades = map[uint64][]grade{}
	}
	grades := m.memory.grades
	clear(grades)
	classes := len(m.spec.Schema.Label.Classes)
	if st.Guesses != nil {
		classes = max(classes, len(st.Guesses.classes))
	}
	known, g := recorded(a, labels, classes)
	if known != 0 {
		grades[known] = []grade{g}
	}
	for _, n := range m.wanted() {
		if n == known {
			continue
		}
		c, err := m.contender(ctx, n)
		if err != nil {
			return nil, err
		}
		if a.seq > c.trained {
			grades[n] = c.grade(a.rows, labels)
		}
	}
	return grades, nil
}

// wanted returns the versions to be scored, in order. The list is valid until the next call.
func (m *monitor) wanted() []uint64 {
	st := &m.state
	all := append(m.memory.wanted[:0], st.Champion, st.Challenger)
	if st.Watch != nil {
		all = append(all, st.Watch.Before)
	}
	if st.Trial != nil {
		all = append(all, st.Trial.Version)
	}
	m.memory.wanted = all
	slices.Sort(all)
	all = slices.Compact(all)
	if all[0] == 0 {
		all = all[1:]
	}
	return all
}

// prune forgets the scores of old versions, and versions that are not scored any more.
func (m *monitor) prune() {
	wanted := m.wanted()
	for n := range m.loaded {
		if !slices.Contains(wanted, n) {
			delete(m.loaded, n)
		}
	}
	if len(m.state.Versions) <= keptScores {
		return
	}
	for _, n := range slices.Sorted(maps.Keys(m.state.Versions)) {
		if len(m.state.Versions) > keptScores && !slices.Contains(wanted, n) {
			delete(m.state.Versions, n)
		}
	}
}

// save puts the record if there is something new in it.
func (m *monitor) save(ctx context.Context) error {
	if !m.dirty {
		return nil
	}
	data, err := m.encode()
	if err != nil {
		return err
	}
	revision, err := m.reg.PutLive(ctx, m.name, data, m.revision)
	if err != nil {
		return fmt.Errorf("saving the scores of %s: %w", m.name, err)
	}
	m.revision, m.dirty, m.saved = revision, false, time.Now()
	return nil
}

// announce stores an event, once.
func (m *monitor) announce(ctx context.Context, kind, id string, data any) error {
	body, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encoding event %s of %s: %w", kind, m.name, err)
	}
	return m.reg.Announce(ctx, registry.Event{Model: m.name, Kind: kind, ID: id, Time: time.Now().UTC(), Data: body})
}
