package model

import (
	"github.com/modelbus/modelbus/model/feature"
)

// materialized is the largest matrix, in bytes, that is computed once before
// training instead of batch by batch: small data trains faster, large data is
// not held twice.
const materialized = 32 << 20

// rows is the part of a frame that a network is trained or scored on. It
// implements [nn.Data].
type rows struct {
	pipeline *feature.Pipeline
	frame    *feature.Frame
	index    []int // rows of frame

	targets []float32 // by place in index
	weights []float32
	matrix  []float32 // (len(index), width), nil if batches are computed as they come
	batch   []int
}

// newRows returns the rows of f listed in index. An error names the row that
// cannot be used.
func newRows(p *feature.Pipeline, f *feature.Frame, index []int) (*rows, error) {
	d := &rows{
		pipeline: p, frame: f, index: index,
		targets: make([]float32, len(index)), weights: make([]float32, len(index)),
	}
	for i, r := range index {
		if err := p.Targets(d.targets[i:i+1], f, r, r+1); err != nil {
			return nil, err
		}
		d.weights[i] = float32(f.Weight(r))
	}
	if n := len(index) * p.Width(); n <= materialized/4 {
		d.matrix = make([]float32, n)
		if err := p.Gather(d.matrix, f, index); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// weigh multiplies the weights by those of the classes.
func (d *rows) weigh(classes []float64) {
	if classes == nil {
		return
	}
	for i, y := range d.targets {
		d.weights[i] *= float32(classes[int(y)])
	}
}

// Len implements [nn.Data].
func (d *rows) Len() int { return len(d.index) }

// Gather implements [nn.Data]. Where y has room for more than one number a row,
// targets are class indices that it holds as one-hot vectors.
func (d *rows) Gather(x, y, w []float32, list []int) error {
	for i, r := range list {
		w[i] = d.weights[r]
	}
	if width := len(y) / max(len(list), 1); width == 1 {
		for i, r := range list {
			y[i] = d.targets[r]
		}
	} else {
		clear(y)
		for i, r := range list {
			y[i*width+int(d.targets[r])] = 1
		}
	}
	if d.matrix != nil {
		width := d.pipeline.Width()
		for i, r := range list {
			copy(x[i*width:(i+1)*width], d.matrix[r*width:])
		}
		return nil
	}
	d.batch = d.batch[:0]
	for _, r := range list {
		d.batch = append(d.batch, d.index[r])
	}
	return d.pipeline.Gather(x, d.frame, d.batch)
}
