package nn

import (
	"math"
	"slices"

	"github.com/modelbus/modelbus/model/kernel"
)

// StepOptions are optional parameters of [Trainer.Learn].
type StepOptions struct {
	Seed           uint64  // what dropout draws from, with the number of the step
	GlobalClipNorm float64 // as in [FitOptions]
}

// Check returns what keeps the trainer from working with o.
func (o StepOptions) Check(t *Trainer) error {
	if o.GlobalClipNorm > 0 && t.settings.clip != (Clip{}) {
		return &ConfigError{Name: "fit", Key: "global_clipnorm", Msg: "must not be set beside the optimizer's own clipping"}
	}
	return nil
}

// Learn is [Trainer.Step] for a training that never ends, which one bad example must not
// spoil. It also returns [ErrDiverged], with the network as it was, if the sum of the
// squared derivatives is no float32, as the optimizers' moments would not survive that, or
// if the batch makes a moving average infinite, which would stay so. It does not say why
// in words, which would take longer than many a step.
func (t *Trainer) Learn(x, y, w []float32, rows int, o StepOptions) (loss float64, err error) {
	t.online = minibatch{x: x, y: y, w: w, rows: rows}
	loss = t.differentiate(&t.online, o.Seed)
	if !finite(loss) || !(kernel.SumSquares(t.trained.grad) <= math.MaxFloat32) || slices.ContainsFunc(t.moving, infiniteParam) {
		t.undo()
		return 0, ErrDiverged
	}
	clip := t.settings.clip
	if o.GlobalClipNorm > 0 {
		clip = Clip{GlobalNorm: o.GlobalClipNorm}
	}
	t.descend(t.settings.rate(t.steps+1), clip)
	return loss, nil
}

func infiniteParam(p *Param) bool { return !kernel.Finite(p.Value) }

// Targets returns how many numbers the loss takes as the target of a row.
func (t *Trainer) Targets() int { return t.loss.targets(t.network.Outputs()) }
