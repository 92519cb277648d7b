package nn

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/modelbus/modelbus/model/kernel"
)

// ErrDiverged is returned when a loss or gradient is not finite.
var ErrDiverged = errors.New("training diverged")

// A Trainer trains one network. It keeps the optimizer's state between fits. It
// is not safe for concurrent use.
type Trainer struct {
	network    *Network
	loss       Loss
	settings   settings
	stepper    stepper
	fromLogits bool // loss takes the outputs before the last activation

	trained *weights
	crew    kernel.Crew
	update  func(i, worker int) // updateChunk
	rate    float64             // of the step in hand
	moving  []*Param            // state that a forward pass changes
	before  [][]float32         // the values of moving before the step in hand

	work   *workspace
	online minibatch // of the step that Learn is at
	dz     []float32
	steps  int64
}

// NewTrainer returns a trainer of n; a nil opt is Adam{}. The network belongs to
// it until training is over; its trainable parameters move to memory of the
// trainer's, so that slices of them taken before are stale. An optimizer or loss that cannot train n is a
// [*ConfigError].
func NewTrainer(n *Network, loss Loss, opt Optimizer) (*Trainer, error) {
	if opt == nil {
		opt = Adam{}
	}
	fromLogits, err := checkTraining(n, loss, opt)
	if err != nil {
		return nil, err
	}
	t := &Trainer{
		network: n, loss: loss, settings: opt.settings(), fromLogits: fromLogits, work: newWorkspace(n, 0),
	}
	trained, moving := n.divide()
	t.moving = moving
	for _, p := range moving {
		t.before = append(t.before, make([]float32, len(p.Value)))
	}
	t.trained = newWeights(trained)
	t.stepper = opt.new(t.trained)
	t.update = t.updateChunk
	return t, nil
}

// checkTraining returns whether loss takes n's outputs before its last activation,
// or what keeps loss and opt from training n.
func checkTraining(n *Network, loss Loss, opt Optimizer) (fromLogits bool, err error) {
	if loss == nil {
		return false, &ConfigError{Name: "trainer", Key: "loss", Msg: "is required"}
	}
	if _, err := ParseOptimizer(opt.Config()); err != nil {
		return false, fmt.Errorf("making a trainer: %w", err)
	}
	if fromLogits, err = n.fromLogits(loss); err != nil {
		return false, fmt.Errorf("making a trainer: %w", err)
	}
	if trained, _ := n.divide(); len(trained) == 0 {
		return false, &ConfigError{Name: "network", Msg: "has no parameters to train; add a layer such as Dense"}
	}
	return fromLogits, nil
}

// divide returns the parameters that are trained and the state that moves with
// them.
func (n *Network) divide() (trained, moving []*Param) {
	for _, p := range n.params {
		if p.Trainable() {
			trained = append(trained, p)
		} else {
			moving = append(moving, p)
		}
	}
	return trained, moving
}

// StateShapes returns what [Trainer.State] of a trainer of n would, with names and
// shapes alone and at no cost in memory. Its errors are those of [NewTrainer].
func StateShapes(n *Network, loss Loss, opt Optimizer) ([]*Param, error) {
	if opt == nil {
		opt = Adam{}
	}
	if _, err := checkTraining(n, loss, opt); err != nil {
		return nil, err
	}
	trained, _ := n.divide()
	return opt.new(&weights{params: trained}).state(), nil
}

// Step runs one mini-batch forward and back and updates the weights: x is
// (rows, Inputs), y is (rows, Outputs), or (rows, 1) for a sparse loss, w is
// (rows) or nil. It returns the batch's mean loss, penalties included, or
// [ErrDiverged] with the network as it was. Dropout draws from seed 0.
func (t *Trainer) Step(x, y, w []float32, rows int) (float64, error) {
	b := &minibatch{x: x, y: y, w: w, rows: rows}
	return t.step(b, 0, t.settings.rate(t.steps+1), t.settings.clip)
}

// A minibatch is the data of one step.
type minibatch struct {
	x, y, w []float32
	rows    int
}

func (t *Trainer) step(b *minibatch, seed uint64, rate float64, clip Clip) (float64, error) {
	loss := t.differentiate(b, seed)
	if !finite(loss) {
		return 0, t.diverged(b, rate, fmt.Sprintf("the loss is %v", loss))
	}
	if !kernel.Finite(t.trained.grad) {
		return 0, t.diverged(b, rate, t.infinite())
	}
	t.descend(rate, clip)
	return loss, nil
}

// differentiate runs the batch forward and, if its loss is finite, back.
func (t *Trainer) differentiate(b *minibatch, seed uint64) (loss float64) {
	n, width := t.network, t.network.Outputs()
	checkShape("Step: y", b.y, b.rows, t.loss.targets(width))
	if b.rows < 1 {
		panic(fmt.Sprintf("nn: Step: %d rows", b.rows))
	}
	for i, p := range t.moving {
		copy(t.before[i], p.Value)
	}
	t.work.seed, t.work.step = seed, t.steps+1
	z := n.forward(t.work, b.x, b.rows, t.fromLogits)
	t.dz = grow(t.dz, b.rows*width)
	loss = t.loss.gradient(t.dz, z, b.y, b.w, b.rows, width)/float64(b.rows) + n.penalty()
	if finite(loss) {
		n.backward(t.work, t.dz, b.rows)
		n.addPenaltyGradients()
	}
	return loss
}

const (
	chunkWeights = 1 << 14 // weights that are updated at once: with their moments a part of the L2 cache
	chunksEach   = 4       // chunks that are worth handing to another goroutine
)

// descend updates the weights from their gradients.
func (t *Trainer) descend(rate float64, clip Clip) {
	clip.apply(t.trained)
	t.rate = rate
	t.stepper.begin(rate, t.steps+1)
	chunks := (len(t.trained.value) + chunkWeights - 1) / chunkWeights
	t.crew.Run(min(t.work.gemm.Threads, chunks/chunksEach), chunks, t.update)
	t.steps++
}

// updateChunk takes the step in hand for a chunk of the weights.
func (t *Trainer) updateChunk(i, _ int) {
	lo := i * chunkWeights
	hi := min(lo+chunkWeights, len(t.trained.value))
	t.settings.decay(t.trained.value[lo:hi], t.rate)
	t.stepper.update(lo, hi)
}

// undo takes back what the batch in hand has changed.
func (t *Trainer) undo() {
	for i, p := range t.moving {
		copy(p.Value, t.before[i])
	}
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// infinite names the first parameter whose gradient is not finite.
func (t *Trainer) infinite() string {
	i := slices.IndexFunc(t.trained.params, func(p *Param) bool { return !kernel.Finite(p.Grad) })
	return fmt.Sprintf("the gradient of %s is not finite", t.trained.params[i].Name)
}

// diverged undoes what the step in hand has changed and says what was seen.
func (t *Trainer) diverged(b *minibatch, rate float64, seen string) error {
	t.undo()
	hint := "lower the learning rate, clip the gradients or scale the features"
	inputs := b.x[:b.rows*t.network.Inputs()]
	targets := b.y[:b.rows*t.loss.targets(t.network.Outputs())]
	if !kernel.Finite(inputs) {
		hint = "the batch's features are not finite themselves"
	} else if !kernel.Finite(targets) || !kernel.Finite(b.w) {
		hint = "the batch's labels or weights are not finite themselves"
	}
	return fmt.Errorf("%w: step %d: %s (learning rate %.3g, largest feature %.3g, largest label %.3g); %s",
		ErrDiverged, t.steps+1, seen, rate, largest(inputs), largest(targets), hint)
}

// checkState returns [ErrDiverged] unless all weights and the optimizer's state
// are finite.
func (t *Trainer) checkState() error {
	for _, p := range slices.Concat(t.network.Params(), t.stepper.state()) {
		if !kernel.Finite(p.Value) {
			return fmt.Errorf("%w: step %d: %s is not finite; lower the learning rate, clip the gradients or scale the features and the label",
				ErrDiverged, t.steps, p.Name)
		}
	}
	return nil
}

// State returns the optimizer's state, by reference, and the number of steps
// done. With the network's parameters that is all a training is: one that goes
// on from it gives the same bits as one that was never stopped.
func (t *Trainer) State() (params []*Param, steps int64) { return t.stepper.state(), t.steps }

// Restore sets what State returned; names and shapes must match. If they do
// not, nothing is changed.
func (t *Trainer) Restore(params []*Param, steps int64) error {
	if steps < 0 {
		return fmt.Errorf("restoring the optimizer: steps must not be negative, got %d", steps)
	}
	state := t.stepper.state()
	if len(params) != len(state) {
		return fmt.Errorf("restoring the optimizer: want %d tensors, got %d; it was saved by another optimizer or network",
			len(state), len(params))
	}
	saved := make(map[string]*Param, len(params))
	for _, p := range params {
		saved[p.Name] = p
	}
	for _, s := range state {
		p, ok := saved[s.Name]
		if !ok {
			return fmt.Errorf("restoring the optimizer: there is no %q; it was saved by another optimizer or network", s.Name)
		}
		if !slices.Equal(p.Shape, s.Shape) || len(p.Value) != len(s.Value) {
			return fmt.Errorf("restoring the optimizer: %q must have the shape %v, got %v with %d values",
				s.Name, s.Shape, p.Shape, len(p.Value))
		}
	}
	for _, s := range state {
		copy(s.Value, saved[s.Name].Value)
	}
	t.steps = steps
	return nil
}

// largest returns the greatest magnitude in v, NaN if one is NaN.
func largest(v []float32) float64 {
	var top float64
	for _, f := range v {
		top = max(top, math.Abs(float64(f)))
	}
	return top
}
