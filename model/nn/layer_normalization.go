package nn

import (
	"math"

	"github.com/modelbus/modelbus/model/kernel"
)

// LayerNormalization normalizes every row to mean 0 and variance 1, then scales
// each column by gamma and adds beta (Ba, Kiros and Hinton, Layer Normalization,
// 2016, §3).
type LayerNormalization struct {
	Epsilon  float64 // added to the variance, default 0.001
	NoCenter bool    // without beta
	NoScale  bool    // without gamma

	BetaInitializer  Initializer // default zeros
	GammaInitializer Initializer // default ones
	BetaRegularizer  Regularizer
	GammaRegularizer Regularizer
}

// Config implements [Layer].
func (l LayerNormalization) Config() Config {
	return newConfig("LayerNormalization",
		"epsilon", l.Epsilon,
		"beta_initializer", l.BetaInitializer.config().nested(),
		"gamma_initializer", l.GammaInitializer.config().nested(),
		"beta_regularizer", l.BetaRegularizer.config().nested(),
		"gamma_regularizer", l.GammaRegularizer.config().nested(),
	).withoutDefault("center", !l.NoCenter).withoutDefault("scale", !l.NoScale)
}

func parseLayerNormalization(a *arguments) LayerNormalization {
	l := LayerNormalization{
		Epsilon:          a.float("epsilon", 0, positive()),
		NoCenter:         !a.boolean("center", true),
		NoScale:          !a.boolean("scale", true),
		BetaInitializer:  a.initializer("beta_initializer"),
		GammaInitializer: a.initializer("gamma_initializer"),
		BetaRegularizer:  a.regularizer("beta_regularizer"),
		GammaRegularizer: a.regularizer("gamma_regularizer"),
	}
	a.lastAxis()
	a.refuse("beta_constraint", "gamma_constraint", "rms_scaling")
	return l
}

func (l LayerNormalization) check() error {
	const name = "LayerNormalization"
	return firstError(
		inRange(name, "epsilon", l.Epsilon, nonNegative()),
		l.BetaInitializer.check(name, "beta_initializer"),
		l.GammaInitializer.check(name, "gamma_initializer"),
		l.BetaRegularizer.check(name, "beta_regularizer"),
		l.GammaRegularizer.check(name, "gamma_regularizer"),
	)
}

func (l LayerNormalization) build(in int, b *builder) ([]operator, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	o := &layerNormalizationOperator{in: in, epsilon: orDefault(l.Epsilon, 1e-3)}
	if !l.NoScale {
		o.gamma = b.param("gamma", l.GammaInitializer.or("ones"), l.GammaRegularizer, in)
	}
	if !l.NoCenter {
		o.beta = b.param("beta", l.BetaInitializer.or("zeros"), l.BetaRegularizer, in)
	}
	return []operator{o}, nil
}

type layerNormalizationOperator struct {
	in          int
	epsilon     float64
	gamma, beta *Param // nil if left out
}

func (o *layerNormalizationOperator) width() int       { return o.in }
func (o *layerNormalizationOperator) params() []*Param { return present(o.gamma, o.beta) }

func (o *layerNormalizationOperator) infer(m *memory, x []float32, rows int) []float32 {
	return o.forward(m, x, rows)
}

// forward keeps the normalized inputs, then 1/√(variance+ε) of every row, in
// m.keep.
func (o *layerNormalizationOperator) forward(m *memory, x []float32, rows int) []float32 {
	n := rows * o.in
	m.y, m.keep = grow(m.y, n), grow(m.keep, n+rows)
	for i := range rows {
		row, normalized := x[i*o.in:][:o.in], m.keep[i*o.in:][:o.in]
		mean := kernel.Sum(row) / float64(o.in)
		variance := 0.0
		for _, v := range row {
			d := float64(v) - mean
			variance += d * d
		}
		inverse := 1 / math.Sqrt(variance/float64(o.in)+o.epsilon)
		for j, v := range row {
			normalized[j] = float32((float64(v) - mean) * inverse)
		}
		m.keep[n+i] = float32(inverse)
		scaleAndShift(m.y[i*o.in:][:o.in], normalized, o.gamma, o.beta)
	}
	return m.y
}

func (o *layerNormalizationOperator) backward(m *memory, dy []float32, rows int) []float32 {
	n := rows * o.in
	normalized, inverse := m.keep[:n], m.keep[n:n+rows]
	m.sums = grow(m.sums, 2*o.in)
	clear(m.sums)
	sums, products := m.sums[:o.in], m.sums[o.in:]
	for i := range rows {
		for j, d := range dy[i*o.in:][:o.in] {
			sums[j] += float64(d)
			products[j] += float64(d) * float64(normalized[i*o.in+j])
		}
	}
	setGradient(o.gamma, products)
	setGradient(o.beta, sums)
	if !m.inputGradient {
		return nil
	}
	for i := range rows {
		o.differentiate(dy[i*o.in:][:o.in], normalized[i*o.in:][:o.in], inverse[i])
	}
	return dy
}

// differentiate turns the derivative d by the outputs of a row into that by its
// inputs.
func (o *layerNormalizationOperator) differentiate(d, normalized []float32, inverse float32) {
	if o.gamma != nil {
		kernel.Multiply(d, o.gamma.Value)
	}
	var sum, product float64
	for j, g := range d {
		sum += float64(g)
		product += float64(g) * float64(normalized[j])
	}
	for j, g := range d {
		d[j] = float32(float64(g)-(sum+float64(normalized[j])*product)/float64(o.in)) * inverse
	}
}
