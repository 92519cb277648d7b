package model

import (
	"fmt"
	"math"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/nn"
)

// predictRows is how many rows are transformed and computed at once, which
// bounds a predictor's scratch memory. A row's result does not depend on it.
const predictRows = 512

// Output is what a model says of a batch of rows.
type Output struct {
	Rows int

	// Values is (Rows, 1) predictions in label units for a regression.
	Values []float32

	// Probs is (Rows, len(Classes)) probabilities for a classification.
	Probs   []float32
	Classes []string
}

// Label returns the index of row i's most probable class (the first of equals).
func (o *Output) Label(i int) int {
	n := len(o.Classes)
	return argmax(o.Probs[i*n : (i+1)*n])
}

func argmax(v []float32) int {
	best := 0
	for i := range v {
		if v[i] > v[best] {
			best = i
		}
	}
	return best
}

// A Predictor predicts with scratch memory of its own. It is not safe for
// concurrent use.
type Predictor struct {
	model   *Model
	network *nn.Predictor
	width   int // outputs a row
	x, y    []float32
	out     Output
}

// NewPredictor returns a predictor of m.
func (m *Model) NewPredictor() *Predictor {
	return &Predictor{
		model: m, network: m.network.NewPredictor(), width: m.network.Outputs(),
		out: Output{Classes: m.Classes()},
	}
}

// Predict returns the model's output for all rows of f, valid until the next
// call. An error wraps [feature.ErrInvalid] and names row, column and value.
// Rows do not influence each other.
func (p *Predictor) Predict(f *feature.Frame) (*Output, error) {
	return p.PredictInPieces(f, predictRows, nil)
}

// PredictInPieces is Predict that computes at most so many rows at once (never more
// than 512), and calls pause in between, unless it is nil, so that work of others is not
// held up by many rows.
func (p *Predictor) PredictInPieces(f *feature.Frame, rows int, pause func()) (*Output, error) {
	n := f.Len()
	rows = max(1, min(rows, predictRows))
	p.x = grow(p.x, min(n, rows)*p.model.pipeline.Width())
	p.y = grow(p.y, n*p.width)
	for lo := 0; lo < n; lo += rows {
		if lo > 0 && pause != nil {
			pause()
		}
		hi := min(lo+rows, n)
		x := p.x[:(hi-lo)*p.model.pipeline.Width()]
		if err := p.model.pipeline.Transform(x, f, lo, hi); err != nil {
			return nil, err
		}
		p.network.Predict(p.y[lo*p.width:hi*p.width], x, hi-lo)
	}
	p.out.Rows = n
	return &p.out, p.finish(n)
}

// finish turns the network's outputs into the answer.
func (p *Predictor) finish(n int) error {
	switch {
	case p.out.Classes == nil:
		p.model.pipeline.Unscale(p.y)
		p.out.Values = p.y
	case p.width == 1:
		p.out.Probs = grow(p.out.Probs, 2*n)
		bothClasses(p.out.Probs, p.y)
	default:
		p.out.Probs = p.y
	}
	for i, v := range p.y {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("%w: row %d: the prediction is %v: its values are too far from those trained on",
				feature.ErrInvalid, i/p.width, v)
		}
	}
	return nil
}

// bothClasses sets prob (rows, 2) from the probabilities of the second class.
func bothClasses(prob, second []float32) {
	for i, p := range second {
		prob[2*i], prob[2*i+1] = 1-p, p
	}
}

// grow returns b with length n, allocating if it is too small.
func grow(b []float32, n int) []float32 {
	if cap(b) < n {
		return make([]float32, n)
	}
	return b[:n]
}
