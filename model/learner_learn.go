package model

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/modelbus/modelbus/model/feature"
)

// Learn predicts and learns the rows of one message, in order. The lesson is valid until
// the next call. An error, which wraps [feature.ErrInvalid], is for rows that are not
// labelled or of another schema; then nothing was learned.
func (l *Learner) Learn(message *feature.Frame) (*Lesson, error) {
	if err := l.check(message); err != nil {
		return nil, err
	}
	l.lesson.begin()
	n := message.Len()
	if n > 1 {
		if err := l.close(); err != nil {
			return nil, err
		}
	}
	for i := range n {
		if err := l.read(message, i); err != nil {
			l.lesson.refuse(i, err)
			continue
		}
		if l.pending+len(l.waiting) < l.batch {
			continue
		}
		if err := l.test(message); err != nil {
			return nil, err
		}
		if l.pending == l.batch {
			if err := l.close(); err != nil {
				return nil, err
			}
		}
	}
	if err := l.test(message); err != nil {
		return nil, err
	}
	if n > 1 {
		if err := l.close(); err != nil {
			return nil, err
		}
	}
	return &l.lesson, nil
}

// check returns an error if no row of the message can be learned.
func (l *Learner) check(message *feature.Frame) error {
	if !message.Labeled() {
		return fmt.Errorf("%w: the rows have no labels to learn", feature.ErrInvalid)
	}
	return l.live().Gather(nil, message, nil) // of another schema
}

func (s *Lesson) begin() {
	s.Tested.Rows, s.Tested.Values, s.Tested.Probs = 0, s.Tested.Values[:0], s.Tested.Probs[:0]
	s.Refused = s.Refused[:0]
}

func (s *Lesson) refuse(row int, err error) {
	if e, ok := errors.AsType[*feature.RowError](err); ok {
		err = e.Err
	}
	s.Refused = append(s.Refused, &feature.RowError{Row: row, Err: err})
}

// read transforms row i of the message, to be predicted.
func (l *Learner) read(message *feature.Frame, i int) error {
	var target [1]float32
	if err := l.live().Targets(target[:], message, i, i+1); err != nil {
		return err
	}
	at := len(l.waiting) * l.width
	l.inputs = extend(l.inputs, at+l.width)
	if err := l.live().Transform(l.inputs[at:at+l.width], message, i, i+1); err != nil {
		return err
	}
	l.waiting, l.aims = append(l.waiting, i), append(l.aims, target[0])
	return nil
}

// test predicts the rows that wait for it and remembers them.
func (l *Learner) test(message *feature.Frame) error {
	n := len(l.waiting)
	if n == 0 {
		return nil
	}
	l.out = extend(l.out, n*l.outputs)
	y := l.out[:n*l.outputs]
	l.predictor.Predict(y, l.inputs[:n*l.width], n)
	for k, i := range l.waiting {
		if err := l.lesson.add(l.live(), y[k*l.outputs:(k+1)*l.outputs]); err != nil {
			l.lesson.refuse(i, err)
			continue
		}
		if err := l.memory.add(message, i, l.aims[k], l.pending); err != nil {
			return err
		}
		l.pending++
	}
	l.waiting, l.aims = l.waiting[:0], l.aims[:0]
	return nil
}

// add takes the network's output of one row.
func (s *Lesson) add(p *feature.Pipeline, y []float32) error {
	o := s.Tested
	if o.Classes == nil {
		p.Unscale(y)
	}
	for _, v := range y {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("%w: the prediction is %v: its values are too far from those seen before", feature.ErrInvalid, v)
		}
	}
	o.Rows++
	switch {
	case o.Classes == nil:
		o.Values = append(o.Values, y...)
	case len(y) == 1:
		o.Probs = append(o.Probs, 1-y[0], y[0])
	default:
		o.Probs = append(o.Probs, y...)
	}
	return nil
}

// Flush learns the rows of a batch that is not full yet, as if it were. It is part of what
// a learner's numbers follow from: one that is to give the same has to do it at the same
// place.
func (l *Learner) Flush() error { return l.close() }

// close learns the pending rows.
func (l *Learner) close() error {
	n, frame := l.pending, l.memory.frame
	if n == 0 {
		return nil
	}
	first := frame.Len() - n
	if err := l.running.Learn(frame, first, frame.Len()); err != nil {
		return err
	}
	l.pending = 0
	l.counts.Examples += int64(n)
	l.rows = l.rows[:0]
	for i := range n {
		l.rows = append(l.rows, first+i)
	}
	l.weigh(l.memory.classes[first:])
	if !l.descend() || l.memory.tooLong(first) {
		l.memory.truncate(first) // not to be replayed
	}
	newest := min(l.replay.Rows, frame.Len())
	if newest == 0 {
		return nil
	}
	for k := range l.replay.Batches {
		l.pcg.Seed(l.step.Seed, uint64(l.counts.Examples)<<16+uint64(k)) //nolint:gosec // not negative
		l.rows = l.rows[:0]
		for range l.replay.Size {
			l.rows = append(l.rows, frame.Len()-newest+l.random.IntN(newest))
		}
		l.descend()
	}
	return nil
}

// weigh counts the classes of new rows, and weighs them anew if that is by frequency.
func (l *Learner) weigh(classes []float32) {
	count := l.counts.classes
	if len(count) == 0 {
		return
	}
	for _, k := range classes {
		count[int(k)]++
	}
	if !l.balance {
		return
	}
	total := 0.0
	for _, c := range count {
		total += c
	}
	for k, c := range count {
		l.weights[k] = total / (float64(len(count)) * max(c, 1))
	}
}

// descend makes a step on l.rows of the memory and reports whether it did. Rows that
// cannot be transformed any more are left out.
func (l *Learner) descend() bool {
	l.x, l.y, l.w = extend(l.x, len(l.rows)*l.width), extend(l.y, len(l.rows)*l.targets), extend(l.w, len(l.rows))
	rows := l.aim()
	n := len(rows)
	if l.live().Gather(l.x[:n*l.width], l.memory.frame, rows) != nil {
		rows = slices.DeleteFunc(rows, func(r int) bool {
			return l.live().Transform(l.x[:l.width], l.memory.frame, r, r+1) != nil
		})
		l.rows = rows
		rows = l.aim()
		if n = len(rows); l.live().Gather(l.x[:n*l.width], l.memory.frame, rows) != nil {
			n = 0
		}
	}
	if n > 0 {
		if _, err := l.trainer.Learn(l.x[:n*l.width], l.y[:n*l.targets], l.w[:n], n, l.step); err == nil {
			return true
		}
	}
	l.counts.Skipped++
	return false
}

// aim sets targets and weights of l.rows, and returns those that have any.
func (l *Learner) aim() []int {
	frame, pipeline := l.memory.frame, l.live()
	n := 0
	for _, r := range l.rows {
		t := l.memory.classes[r]
		if len(l.counts.classes) == 0 {
			if pipeline.Targets(l.w[n:n+1], frame, r, r+1) != nil { // a place to put it
				continue
			}
			t = l.w[n]
		}
		l.w[n] = float32(frame.Weight(r))
		if l.weights != nil {
			l.w[n] *= float32(l.weights[int(t)])
		}
		y := l.y[n*l.targets : (n+1)*l.targets]
		if l.targets == 1 {
			y[0] = t
		} else {
			clear(y)
			y[int(t)] = 1
		}
		l.rows[n] = r
		n++
	}
	return l.rows[:n]
}

// extend returns b with at least n elements, those there kept.
func extend(b []float32, n int) []float32 {
	if n <= len(b) {
		return b
	}
	larger := make([]float32, max(n, 2*len(b)))
	copy(larger, b)
	return larger
}
