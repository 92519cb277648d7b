package learn

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/drift"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// mostWaiting bounds the rows that wait for a learner to start.
const mostWaiting = 100_000

// A delivery is a message of the training stream, decoded.
type delivery struct {
	seq      uint64
	time     time.Time
	msg      jetstream.Msg
	rows     *feature.Frame
	places   []int // of rows in the message
	err      error // why it could not be read at all
	problems []wire.RowProblem
}

// decode reads msg into d, whose frame is reused.
func (d *delivery) decode(schema *feature.Schema, by *wire.ExampleDecoder, msg jetstream.Msg, meta *jetstream.MsgMetadata) {
	d.seq, d.time, d.msg = meta.Sequence.Stream, meta.Timestamp, msg
	if d.rows == nil || d.rows.Schema() != schema {
		d.rows = feature.NewFrame(schema, true)
	}
	d.rows.Reset()
	d.places = d.places[:0]
	_, d.problems, d.err = by.Decode(schema, msg.Headers(), msg.Data(), func(row int, r feature.Row) error {
		if err := d.rows.Append(r); err != nil {
			return err
		}
		d.places = append(d.places, row)
		return nil
	})
}

// A pupil is a learner with what it has learned since the newest version. If the spec
// does not fix all categories, it first waits for some rows to show them.
type pupil struct {
	spec    *model.Spec
	learner *model.Learner // nil: it has not started

	waiting []*delivery // before the start
	rows    int         // of them
	need    int         // to try again to start

	stretch   stretch
	reference *drift.Reference                              // of the version before; nil if that has none
	refused   func(d *delivery) error                       // told of each message that is wrong, or has rows that are
	done      func(d *delivery, lesson *model.Lesson) error // told of each message that was learned
}

// A stretch is the part of the stream since a version.
type stretch struct {
	first, last uint64    // sequences of the first and last message
	stored      time.Time // when the last one was
	examples    int
	rejected    int
	skipped     int64 // the learner's count when it began
	sum         hash.Hash
	scores      *onlineScores
	listed      []int             // scratch
	said        drift.Predictions // scratch
	sketch      *drift.Sketch     // of the rows, and of what was predicted before they were learned
}

// leastSketched is how many rows of a stretch say how rows are distributed; of fewer, a
// version is compared with what the one before it was.
const leastSketched = 500

// newPupil returns a pupil that goes on from a version's model, or, if that is nil, from
// nothing.
func newPupil(spec *model.Spec, from *model.Model, line *registry.Lineage) (*pupil, error) {
	p := &pupil{spec: spec, need: startRows(spec)}
	var err error
	switch {
	case from != nil:
		p.learner, err = model.ResumeLearner(spec, from, int64(line.Examples-line.Held))
	case spec.Schema.Closed():
		p.learner, err = model.NewLearner(spec, nil)
	}
	if err == nil && from != nil {
		p.reference, err = from.Reference()
	}
	if err != nil {
		return nil, err
	}
	return p, p.begin()
}

// startRows is how many rows show the categories to start with: no more than lie before
// the first version, whose lineage has to name them all.
func startRows(spec *model.Spec) int {
	if n, _ := spec.Retrain.When(true); n > 0 {
		return min(n, model.StartRows)
	}
	return model.StartRows
}

// begin begins a stretch.
func (p *pupil) begin() error {
	p.stretch = stretch{sum: sha256.New()}
	if p.learner == nil {
		return nil
	}
	p.stretch.skipped = p.learner.Skipped()
	return p.measure()
}

// measure has the rows of the stretch scored and sketched.
func (p *pupil) measure() (err error) {
	if p.stretch.sketch, err = drift.NewSketch(p.learner.Schema(), drift.Options{Seed: p.spec.Training.Seed}); err != nil {
		return err
	}
	p.stretch.scores, err = newOnlineScores(p.learner.Classes())
	return err
}

// snapshot returns the learner's model with the reference of the stretch, which the next
// version of a short stretch keeps.
func (p *pupil) snapshot() (*model.Model, error) {
	m, err := p.learner.Snapshot()
	if err != nil {
		return nil, err
	}
	if p.reference == nil || p.stretch.examples >= leastSketched {
		p.reference = p.stretch.sketch.Reference()
	}
	out, err := m.WithReference(p.reference)
	if errors.Is(err, drift.ErrInvalid) { // it is too large, of a very wide schema
		p.reference = nil
		return m, nil
	}
	return out, err
}

// schema returns the schema to decode messages with.
func (p *pupil) schema() *feature.Schema {
	if p.learner == nil {
		return &p.spec.Schema
	}
	return p.learner.Schema()
}

// take learns a message, or keeps it until the learner can start: then kept is true. One
// with nothing to learn is never kept: there may be any number of them.
func (p *pupil) take(d *delivery) (kept bool, err error) {
	p.stretch.note(d)
	switch {
	case p.learner != nil:
		return false, p.learn(d)
	case d.rows.Len() == 0:
		return false, p.reject(d)
	}
	p.waiting = append(p.waiting, d)
	if p.rows += d.rows.Len(); p.rows < p.need {
		return true, nil
	}
	if why := p.start(); why != nil {
		if p.need = 2 * p.rows; p.need > mostWaiting {
			return true, fmt.Errorf("starting to learn: %w", why)
		}
		return true, nil // further rows may show what is missing
	}
	return true, p.catchUp()
}

// start starts the learner with what the waiting rows show.
func (p *pupil) start() error {
	first := feature.NewFrame(&p.spec.Schema, true)
	for _, d := range p.waiting {
		for i := range d.rows.Len() {
			if err := first.AppendFrom(d.rows, i); err != nil {
				return err
			}
		}
	}
	l, err := model.NewLearner(p.spec, first)
	if err != nil {
		return err
	}
	p.learner = l
	if err := p.measure(); err != nil {
		p.learner = nil
		return err
	}
	return nil
}

// catchUp learns the messages that waited.
func (p *pupil) catchUp() error {
	for _, d := range p.waiting {
		if err := p.learn(d); err != nil {
			return err
		}
	}
	p.waiting, p.rows = nil, 0
	return nil
}

// hurry starts with what there is, for a version that ends there. If it is not enough to
// start with, why says so; after an err some rows are not learned, and the pupil is of
// no use any more.
func (p *pupil) hurry() (why, err error) {
	if p.learner != nil {
		return nil, nil
	}
	if p.rows == 0 {
		return ErrNoExamples, nil
	}
	if why := p.start(); why != nil {
		return why, nil
	}
	if err := p.catchUp(); err != nil {
		return nil, err
	}
	return nil, p.learner.Flush()
}

func (p *pupil) learn(d *delivery) error {
	lesson, err := p.learner.Learn(d.rows)
	if err != nil {
		return err
	}
	if len(lesson.Refused) > 0 {
		if err := d.drop(lesson.Refused); err != nil {
			return err
		}
	}
	p.stretch.examples += d.rows.Len()
	if err := p.reject(d); err != nil {
		return err
	}
	p.stretch.scores.add(d.rows, lesson.Tested)
	if err := p.stretch.draw(d.rows, lesson.Tested); err != nil {
		return err
	}
	if p.done == nil {
		return nil
	}
	return p.done(d, lesson)
}

// reject counts what is wrong with a message.
func (p *pupil) reject(d *delivery) error {
	p.stretch.rejected += len(d.problems)
	if d.err != nil {
		p.stretch.rejected++
	}
	if p.refused == nil || d.err == nil && len(d.problems) == 0 {
		return nil
	}
	return p.refused(d)
}

// draw adds rows and what was predicted of them to the sketch.
func (s *stretch) draw(rows *feature.Frame, tested *model.Output) error {
	s.listed, s.said = s.listed[:0], drift.Predictions{Numbers: s.said.Numbers[:0], Classes: s.said.Classes[:0], Scores: s.said.Scores[:0]}
	for i := range rows.Len() {
		s.listed = append(s.listed, i)
		tested.AppendPrediction(&s.said, i)
	}
	if err := s.sketch.Add(rows, s.listed); err != nil {
		return err
	}
	return s.sketch.AddPredictions(s.said)
}

// drop makes problems of rows that the learner refused.
func (d *delivery) drop(refused []*feature.RowError) error {
	kept := feature.NewFrame(d.rows.Schema(), true)
	at := 0
	bad := make(map[int]error, len(refused))
	for _, e := range refused {
		bad[e.Row] = e.Err
	}
	for i := range d.rows.Len() {
		if err, ok := bad[i]; ok {
			d.problems = append(d.problems, wire.RowProblem{Row: d.places[i], Err: err})
			continue
		}
		if err := kept.AppendFrom(d.rows, i); err != nil {
			return err
		}
		d.places[at] = d.places[i]
		at++
	}
	d.rows, d.places = kept, d.places[:at]
	return nil
}

// note adds a message to the stretch's range and digest.
func (s *stretch) note(d *delivery) {
	if s.first == 0 {
		s.first = d.seq
	}
	s.last, s.stored = d.seq, d.time
	addPayload(s.sum, d.msg.Data())
}

func (s *stretch) digest() string { return hex.EncodeToString(s.sum.Sum(nil)) }
