package nn

import (
	"context"
	"fmt"
	"math"
	"runtime"
)

// validationRows is how many validation rows are computed at once; fixed, so
// that a score does not depend on the batch size.
const validationRows = 256

// A validation scores a network on rows it is not trained on.
type validation struct {
	trainer   *Trainer
	data      Data
	metrics   func(outputs, targets, weights []float32) map[string]float64
	predictor *Predictor

	x, y, w []float32 // one batch, or with metrics all targets and weights
	outputs []float32 // of all rows, nil without metrics
	rows    []int
}

func (t *Trainer) newValidation(data Data, metrics func(outputs, targets, weights []float32) map[string]float64) *validation {
	batch := min(validationRows, data.Len())
	kept := batch
	v := &validation{trainer: t, data: data, metrics: metrics, predictor: t.network.NewPredictor()}
	if metrics != nil {
		kept = data.Len()
		v.outputs = make([]float32, kept*t.network.Outputs())
	}
	v.predictor.gemm.Threads = runtime.GOMAXPROCS(0)
	v.x = make([]float32, batch*t.network.Inputs())
	v.y = make([]float32, kept*t.loss.targets(t.network.Outputs()))
	v.w = make([]float32, kept)
	v.rows = make([]int, batch)
	return v
}

// score sets the validation loss and metrics of e.
func (v *validation) score(ctx context.Context, e *Epoch) error {
	inputs, width := v.trainer.network.Inputs(), v.trainer.network.Outputs()
	perRow := v.trainer.loss.targets(width)
	total, sum := v.data.Len(), 0.0
	for start := 0; start < total; start += len(v.rows) {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("stopped while scoring: %w", err)
		}
		n := min(len(v.rows), total-start)
		for i := range n {
			v.rows[i] = start + i
		}
		at := 0
		if v.outputs != nil {
			at = start
		}
		x, y, w := v.x[:n*inputs], v.y[at*perRow:(at+n)*perRow], v.w[at:at+n]
		if err := v.data.Gather(x, y, w, v.rows[:n]); err != nil {
			return fmt.Errorf("reading the validation rows: %w", err)
		}
		z := v.predictor.run(x, n, v.trainer.fromLogits)[:n*width]
		sum += v.trainer.loss.gradient(nil, z, y, w, n, width)
		if v.outputs != nil {
			copy(v.outputs[start*width:], v.finish(z, n))
		}
	}
	loss := sum/float64(total) + v.trainer.network.penalty()
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return fmt.Errorf("%w: step %d: the validation loss is %v; lower the learning rate or scale the features",
			ErrDiverged, v.trainer.steps, loss)
	}
	e.ValLoss = &loss
	if v.metrics != nil {
		e.Metrics = v.metrics(v.outputs, v.y, v.w)
	}
	return nil
}

// finish applies the last activation to z if it was left to the loss.
func (v *validation) finish(z []float32, rows int) []float32 {
	if !v.trainer.fromLogits {
		return z
	}
	last := len(v.predictor.memories) - 1
	return v.trainer.network.operators[last].infer(&v.predictor.memories[last], z, rows)[:len(z)]
}
