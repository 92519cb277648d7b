package model

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/nn"
)

// A Learner is a model that keeps learning, by the retrain section of its spec: each row
// is first predicted, then learned. Its numbers follow from the spec and from the messages
// given to [Learner.Learn], and from nothing else: a learner that goes on from a
// [Learner.Snapshot] gives the same bits as one that was never stopped.
//
// Rows are learned in batches of Retrain.Batch. First the running transforms learn them,
// then they are transformed anew and the optimizer makes one step, and then those of the
// replay, each on rows drawn, with the seed and the number of rows learned, from
// the newest Replay.Rows rows, which are transformed as the statistics are by then. A
// batch also ends before and after a message with more than one row, so that rows of
// different messages share a step only where each is one row.
//
// A step whose loss or gradient is not finite is left out and counted, and its rows are
// not remembered; nor are those of a batch with a row whose categories are too long for an
// artifact: all remembered ones may take 5 MiB, each row its share. A Learner belongs to one goroutine at a time.
type Learner struct {
	spec    *Spec
	running *feature.Running
	network *nn.Network
	trainer *nn.Trainer

	predictor *nn.Predictor
	width     int // numbers of a row of the matrix
	outputs   int // of the network
	targets   int // of the loss

	batch   int
	replay  Replay
	step    nn.StepOptions
	weights []float64 // of the classes, nil if all are 1
	balance bool      // weights are by frequency

	memory  memory
	pending int // newest rows of memory that are not learned yet
	counts  learned
	pcg     *rand.PCG
	random  *rand.Rand

	waiting []int     // rows of the message that are transformed, not predicted yet
	aims    []float32 // their targets
	inputs  []float32 // their matrix
	out     []float32 // of the network
	rows    []int     // of memory, of the step in hand
	x, y, w []float32 // likewise
	lesson  Lesson
}

// learned is what a learner counts.
type learned struct {
	Examples int64 // rows learned
	Skipped  int64 // steps left out because they were not finite
	classes  []float64
}

// A Lesson is what learning a message came to.
type Lesson struct {
	// Tested are the predictions of the rows, as they were before any of them was
	// learned with its batch, without those refused.
	Tested *Output

	// Refused are the rows that were not learned because they could not be predicted: a
	// category or class that is not known, or a number too far from those seen before.
	Refused []*feature.RowError
}

// StartRows is how many rows a learner should be started on: [NewLearner].
const StartRows = 200

// NewLearner returns a learner that has learned nothing. Categories and classes that the
// spec does not fix are those of the labelled frame first, which may be nil if it
// fixes all ([feature.Schema.Closed]); nothing else is taken from it, so that its rows are
// still to be learned. An error wraps [feature.ErrInvalid].
func NewLearner(spec *Spec, first *feature.Frame) (*Learner, error) {
	own, err := onlineSpec(spec)
	if err != nil {
		return nil, err
	}
	pipeline, err := feature.Start(&own.Schema, first)
	if err != nil {
		return nil, err
	}
	m := &Model{spec: own, pipeline: pipeline}
	if err := m.checkStorable(); err != nil {
		return nil, err
	}
	if err := m.build(); err != nil {
		return nil, err
	}
	running, err := feature.NewRunning(pipeline, 0, own.Retrain.running())
	if err != nil {
		return nil, err
	}
	return newLearner(m, running)
}

// ResumeLearner returns a learner of spec that goes on from m: where a learner has come to
// if m is a snapshot of one, else from what m was fitted to, on the given number of rows,
// with an empty replay. The spec may differ from m's in how to train, as that of
// [FitOptions].Parent may. m stays as it is.
func ResumeLearner(spec *Spec, m *Model, rows int64) (*Learner, error) {
	own, err := onlineSpec(spec)
	if err != nil {
		return nil, err
	}
	if err := checkParent(own, m); err != nil {
		return nil, err
	}
	next := &Model{spec: own, pipeline: m.pipeline, network: m.network.Clone(), steps: m.steps, epochs: m.epochs}
	if err := next.checkStorable(); err != nil {
		return nil, err
	}
	if m.online == nil {
		running, err := feature.NewRunning(m.pipeline, max(rows, 1), own.Retrain.running())
		if err != nil {
			return nil, err
		}
		l, err := newLearner(next, running)
		if err != nil {
			return nil, err
		}
		l.counts.Examples = rows
		return l, l.restore(m)
	}
	past, err := m.online.decode(m.file, m.pipeline, own.Retrain.running())
	if err != nil {
		return nil, fmt.Errorf("learning on from model %q: %w: %w", m.spec.Name, ErrArtifact, err)
	}
	l, err := newLearner(next, past.running)
	if err != nil {
		return nil, err
	}
	l.counts = past.counts
	for i := range past.replay.Len() {
		var target [1]float32
		if err := l.live().Targets(target[:], past.replay, i, i+1); err != nil {
			return nil, fmt.Errorf("learning on from model %q: %w: remembered row %d: %w", m.spec.Name, ErrArtifact, i, err)
		}
		if err := l.memory.add(past.replay, i, target[0], 0); err != nil {
			return nil, err
		}
		if last := l.memory.frame.Len() - 1; l.memory.tooLong(last) { // of a spec that remembers fewer rows
			l.memory.truncate(last)
		}
	}
	return l, l.restore(m)
}

func onlineSpec(spec *Spec) (*Spec, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	if !spec.Retrain.Online() {
		return nil, &SpecError{Msg: "retrain.mode: a learner needs mode online"}
	}
	return spec.clone()
}

func newLearner(m *Model, running *feature.Running) (*Learner, error) {
	done, err := m.completion()
	if err != nil {
		return nil, err
	}
	l := &Learner{
		spec: m.spec, running: running, network: m.network,
		batch: max(m.spec.Retrain.Batch, 1), replay: m.spec.Retrain.Remember(),
		step: nn.StepOptions{Seed: m.spec.Training.Seed, GlobalClipNorm: m.spec.Training.GlobalClipNorm},
		pcg:  rand.NewPCG(0, 0),
	}
	if l.trainer, err = nn.NewTrainer(l.network, done.loss, m.spec.Optimizer); err == nil {
		err = l.step.Check(l.trainer)
	}
	if err != nil {
		return nil, &SpecError{Msg: err.Error()}
	}
	l.random = rand.New(l.pcg)
	l.predictor = l.network.NewPredictor()
	l.width, l.outputs, l.targets = l.network.Inputs(), l.network.Outputs(), l.trainer.Targets()
	classes := l.live().Classes()
	l.lesson.Tested = &Output{Classes: classes}
	l.counts.classes = make([]float64, len(classes))
	if l.balance = isBalanced(m.spec.Training.ClassWeight); l.balance {
		l.weights = make([]float64, len(classes))
	} else if l.weights, err = classWeights(m.spec.Training.ClassWeight, classes, nil); err != nil {
		return nil, err
	}
	l.memory = newMemory(l.Schema(), l.replay.Rows)
	return l, nil
}

// restore takes on the state of m's optimizer.
func (l *Learner) restore(m *Model) error {
	if err := l.trainer.Restore(m.state, m.steps); err != nil {
		return fmt.Errorf("%w: %w", feature.ErrInvalid, err)
	}
	return nil
}

// Schema returns the schema of the learner's rows: frames of it are read the fastest.
func (l *Learner) Schema() *feature.Schema { return l.live().Schema() }

// Classes returns the classes of a classification in order, else nil.
func (l *Learner) Classes() []string { return l.live().Classes() }

// Examples returns how many rows were learned, those of the model that the learner went on
// from included.
func (l *Learner) Examples() int64 { return l.counts.Examples }

// Skipped returns how many steps were left out because loss or gradient was not finite.
func (l *Learner) Skipped() int64 { return l.counts.Skipped }

// Clean reports whether all rows that were given are learned or refused: a batch is not
// half full. Only then there is a [Learner.Snapshot].
func (l *Learner) Clean() bool { return l.pending == 0 }

func (l *Learner) live() *feature.Pipeline { return l.running.Live() }

// Snapshot returns the model as it stands, which shares no memory with the learner: to
// be served, stored, and to go on from. It fails if the learner is not [Learner.Clean], and
// if it has learned numbers so large that they cannot be stored.
func (l *Learner) Snapshot() (*Model, error) {
	if !l.Clean() {
		return nil, fmt.Errorf("%w: %d rows wait for their batch to be full", feature.ErrInvalid, l.pending)
	}
	pipeline, err := l.running.Snapshot()
	if err != nil {
		return nil, err
	}
	state, steps := l.trainer.State()
	m := &Model{spec: l.spec, pipeline: pipeline, network: l.network.Clone(), steps: steps}
	for _, p := range state {
		m.state = append(m.state, &nn.Param{Name: p.Name, Shape: p.Shape, Value: slices.Clone(p.Value)})
	}
	m.online, err = encodeOnline(pipeline.Schema(), l.running.State(), &l.counts, &l.memory)
	if err != nil {
		return nil, err
	}
	return m, nil
}
