package learn

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/registry"
)

const (
	// reused is the largest payload of a delivery whose memory is used again.
	reused = 64 << 10

	// atATime is how many rows are learned before what else happens is heeded, if there are
	// as many.
	atATime = 32
)

// errCaughtUp ends a session that was made for one wish alone.
var errCaughtUp = errors.New("caught up")

// A session learns from one version on, until something ends it.
type session struct {
	*online

	parent registry.Version // the newest online version, or the one that learning goes on from
	warm   bool             // learning goes on from parent
	pupil  *pupil
	begin  position // behind the last message that the session does not read
	at     uint64   // sequence of the last message taken
	last   uint64   // sequence of the last message that the newest version learned, in this stream
	due    *due
	wakes  bool // a wish or trigger may be due, but for clean

	monitor *monitor
	dead    *deadLetters
	intake  *intake
	left    []*delivery // taken from the intake, to be learned
	learnt  []*delivery // of them, their memory to be used again
	broken  chan error
	stored  chan stored // what came of the version that is being stored
	busy    bool        // there is one
}

// learn makes a session and runs it until ctx is done or something fails.
func (o *online) learn(ctx context.Context) error {
	s := &session{
		online: o,
		intake: newIntake(), broken: make(chan error, 1), stored: make(chan stored, 1),
		dead: &deadLetters{js: o.js, stream: o.opts.Subjects.Stream("DEAD"), subject: o.opts.Subjects.Dead(o.name)},
	}
	if err := s.open(ctx); err != nil {
		return err
	}
	s.monitor = &monitor{Trainer: o.Trainer, name: o.name, created: o.created, spec: o.spec, log: o.log, cutter: o}
	if err := s.monitor.open(ctx, o.rouse); err != nil {
		return err
	}
	defer s.monitor.close(ctx)
	sub, err := o.listenForWishes()
	if err != nil {
		return err
	}
	defer sub.Unsubscribe() //nolint:errcheck // fails only on a closed connection, which ended it
	inner, stop := context.WithCancel(ctx)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer stop()
	schema := s.pupil.schema()
	reading.Go(func() { s.broken <- s.safely(func() error { return s.read(inner, schema) }) })
	defer func() {
		if s.busy {
			s.tell(ctx, <-s.stored)
		}
	}()
	return s.run(ctx)
}

// run takes what comes.
func (s *session) run(ctx context.Context) error {
	c := clock{timer: time.NewTimer(time.Until(s.due.earliest())), tick: time.NewTicker(saveEvery)}
	defer c.timer.Stop()
	defer c.tick.Stop()
	s.wakes = true
	for rows := 0; ; {
		if s.wakes {
			if err := s.look(ctx); err != nil {
				return err
			}
		}
		next, err := s.consider(ctx, time.Now())
		if err != nil {
			return err
		}
		c.wake(next)
		if rows < atATime && s.another() {
			d := s.left[0]
			s.left = s.left[1:]
			rows += max(d.rows.Len(), 1)
			err = s.take(d)
		} else {
			rows = 0
			err = s.heed(ctx, &c)
		}
		if err != nil {
			return err
		}
	}
}

// A clock says when to look at what is due.
type clock struct {
	timer *time.Timer
	set   time.Time // when it fires, if it has not
	tick  *time.Ticker
}

// wake has the timer fire at a time, unless that is zero or it fires earlier.
func (c *clock) wake(at time.Time) {
	if !at.IsZero() && (c.set.IsZero() || at.Before(c.set)) {
		c.set = at
		c.timer.Reset(time.Until(at))
	}
}

// heed waits for a message, or for something else, and deals with that.
func (s *session) heed(ctx context.Context, c *clock) error {
	select {
	case <-s.messages():
		return nil
	case <-c.timer.C:
		s.wakes, c.set = true, time.Time{}
		return nil
	case <-s.awake:
		s.wakes = true
		return s.monitor.tick(ctx)
	case <-c.tick.C:
		s.monitor.next = s.due.next(s.pupil.stretch.examples + s.pupil.rows)
		return s.monitor.tick(ctx)
	case <-s.changed:
		s.monitor.wake()
		return s.monitor.tick(ctx)
	case done := <-s.stored:
		s.busy = false
		return s.settle(ctx, done)
	case err := <-s.broken:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// another reports whether there is another message to be learned, and has it in s.left.
func (s *session) another() bool {
	if len(s.left) > 0 {
		return true
	}
	s.left = s.intake.take(s.learnt)
	s.learnt = s.learnt[:0]
	return len(s.left) > 0
}

// messages holds a value if there is another message, or as soon as there is one.
func (s *session) messages() <-chan struct{} {
	if s.another() {
		signal(s.intake.arrived)
	}
	return s.intake.arrived
}

func (s *session) take(d *delivery) error {
	kept, err := s.pupil.take(d)
	s.at = d.seq
	if err == nil && !kept && len(d.msg.Data()) <= reused {
		s.learnt = append(s.learnt, d)
	}
	return err
}

// learned has a message scored.
func (s *session) learned(ctx context.Context, d *delivery, l *model.Lesson) error {
	return s.monitor.observe(ctx, arrival{seq: d.seq, time: d.time, header: d.msg.Headers(), rows: d.rows, tested: l.Tested})
}

// look finds out up to where new wishes ask to learn, and whether there is anything left
// for the others to wait for: a purge may have removed it.
func (s *session) look(ctx context.Context) error {
	s.wakes = false
	stream, subject := s.opts.Subjects.Stream("TRAIN"), s.opts.Subjects.Train(s.name)
	for w := s.wanted(true, 0); w != nil; w = s.wanted(true, 0) {
		end, err := sequenceOf(ctx, s.js, stream, place{Last: subject})
		if err != nil {
			return err
		}
		s.mu.Lock()
		w.end, w.known = end, true
		s.mu.Unlock()
	}
	if !s.waited() {
		return nil
	}
	next, err := sequenceOf(ctx, s.js, stream, place{Seq: s.at + 1, Next: subject})
	if err != nil {
		return err
	}
	s.shorten(s.at, next)
	return nil
}

// consider cuts a version if that is due. It returns when to look at the clock again, zero
// if only messages can make it due.
func (s *session) consider(ctx context.Context, now time.Time) (next time.Time, err error) {
	if w := s.wanted(false, s.at); w != nil {
		return time.Time{}, s.fulfil(ctx, w)
	}
	if s.waited() {
		next = now.Add(quiet)
	}
	if s.pupil.learner == nil && (s.pupil.rows == 0 || len(s.left) > 0 || !s.intake.empty()) || s.pupil.learner != nil && !s.pupil.learner.Clean() {
		return next, nil
	}
	rows := s.pupil.stretch.examples + s.pupil.rows
	why, at := s.due.why(rows, s.signal(), now)
	if !at.IsZero() && (next.IsZero() || at.Before(next)) {
		next = at
	}
	if why == "" {
		return next, nil
	}
	if few, err := s.pupil.hurry(); few != nil || err != nil {
		return now.Add(quiet), err // few: the rows up to now do not show all categories
	}
	if s.pupil.stretch.examples == 0 {
		return next, nil // all of them were refused
	}
	s.trigger(true)
	return next, s.cut(ctx, why, nil)
}

// signal returns why a trigger asks for a version, empty if none does. One that was noticed at an
// example which is learned again, as the stored state is ahead of the learner, does so from there on.
func (s *session) signal() string {
	why := s.trigger(false)
	if why == "" {
		return ""
	}
	if t := s.monitor.state.Trigger; t != nil && t.Kind != triggerSchedule && t.Seq > s.at {
		return ""
	}
	return why
}

// fulfil cuts the version that was asked for.
func (s *session) fulfil(ctx context.Context, w *wish) error {
	few, err := s.pupil.hurry()
	switch {
	case err != nil:
		return err
	case few != nil:
		s.refuse(w, few)
		return s.ended(w.id)
	}
	if err := s.pupil.learner.Flush(); err != nil {
		return err
	}
	if s.pupil.stretch.examples == 0 {
		if err := s.wait(ctx); err != nil {
			return err
		}
		s.refuse(w, fmt.Errorf("%w since version %d", ErrNoExamples, s.parent.Number))
		return s.ended(w.id)
	}
	s.grant(w)
	defer func() {
		if !s.busy { // it is not being stored
			s.forgo(w)
		}
	}()
	return s.cut(ctx, "", w)
}

func (s *session) refuse(w *wish, err error) {
	s.answer(w, nil, fmt.Errorf("learning %s: %w", s.name, err))
}

// ended ends a session that was for one wish.
func (s *session) ended(id string) error {
	if s.once != "" && s.once == id {
		return errCaughtUp
	}
	return nil
}
