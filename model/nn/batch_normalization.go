package nn

import (
	"math"

	"github.com/modelbus/modelbus/model/kernel"
)

// BatchNormalization normalizes every column to mean 0 and variance 1 over the
// batch in training, and by moving averages of both in prediction, then scales
// by gamma and adds beta (Ioffe and Szegedy, Batch Normalization, 2015,
// algorithms 1 and 2). The variance is the biased one, as in Keras.
type BatchNormalization struct {
	Momentum float64 // of the moving averages, in (0, 1), default 0.99
	Epsilon  float64 // added to the variance, default 0.001
	NoCenter bool    // without beta
	NoScale  bool    // without gamma

	BetaInitializer  Initializer // default zeros
	GammaInitializer Initializer // default ones
	BetaRegularizer  Regularizer
	GammaRegularizer Regularizer
}

// Config implements [Layer].
func (l BatchNormalization) Config() Config {
	return newConfig("BatchNormalization",
		"momentum", l.Momentum,
		"epsilon", l.Epsilon,
		"beta_initializer", l.BetaInitializer.config().nested(),
		"gamma_initializer", l.GammaInitializer.config().nested(),
		"beta_regularizer", l.BetaRegularizer.config().nested(),
		"gamma_regularizer", l.GammaRegularizer.config().nested(),
	).withoutDefault("center", !l.NoCenter).withoutDefault("scale", !l.NoScale)
}

func parseBatchNormalization(a *arguments) BatchNormalization {
	l := BatchNormalization{
		Momentum:         a.float("momentum", 0, openFraction()),
		Epsilon:          a.float("epsilon", 0, positive()),
		NoCenter:         !a.boolean("center", true),
		NoScale:          !a.boolean("scale", true),
		BetaInitializer:  a.initializer("beta_initializer"),
		GammaInitializer: a.initializer("gamma_initializer"),
		BetaRegularizer:  a.regularizer("beta_regularizer"),
		GammaRegularizer: a.regularizer("gamma_regularizer"),
	}
	a.lastAxis()
	a.only("moving_mean_initializer", "zeros")
	a.only("moving_variance_initializer", "ones")
	a.ignore("synchronized", "fused")
	a.refuse("beta_constraint", "gamma_constraint", "renorm", "renorm_clipping", "virtual_batch_size", "adjustment")
	a.ignore("renorm_momentum")
	return l
}

func (l BatchNormalization) check() error {
	const name = "BatchNormalization"
	return firstError(
		inRange(name, "momentum", l.Momentum, fraction()),
		inRange(name, "epsilon", l.Epsilon, nonNegative()),
		l.BetaInitializer.check(name, "beta_initializer"),
		l.GammaInitializer.check(name, "gamma_initializer"),
		l.BetaRegularizer.check(name, "beta_regularizer"),
		l.GammaRegularizer.check(name, "gamma_regularizer"),
	)
}

func (l BatchNormalization) build(in int, b *builder) ([]operator, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	o := &batchNormalizationOperator{in: in, momentum: orDefault(l.Momentum, 0.99), epsilon: orDefault(l.Epsilon, 1e-3)}
	if !l.NoScale {
		o.gamma = b.param("gamma", l.GammaInitializer.or("ones"), l.GammaRegularizer, in)
	}
	if !l.NoCenter {
		o.beta = b.param("beta", l.BetaInitializer.or("zeros"), l.BetaRegularizer, in)
	}
	o.mean = b.state("moving_mean", Initializer{Name: "zeros"}, in)
	o.variance = b.state("moving_variance", Initializer{Name: "ones"}, in)
	return []operator{o}, nil
}

type batchNormalizationOperator struct {
	in                int
	momentum, epsilon float64
	gamma, beta       *Param // nil if left out
	mean, variance    *Param
}

func (o *batchNormalizationOperator) width() int { return o.in }

func (o *batchNormalizationOperator) params() []*Param {
	return append(present(o.gamma, o.beta), o.mean, o.variance)
}

func (o *batchNormalizationOperator) infer(m *memory, x []float32, rows int) []float32 {
	m.y, m.keep = grow(m.y, rows*o.in), grow(m.keep, o.in)
	for j, v := range o.variance.Value {
		m.keep[j] = float32(1 / math.Sqrt(float64(v)+o.epsilon))
	}
	for i := range rows {
		y, x := m.y[i*o.in:][:o.in], x[i*o.in:][:o.in]
		for j, v := range x {
			y[j] = (v - o.mean.Value[j]) * m.keep[j]
		}
		scaleAndShift(y, y, o.gamma, o.beta)
	}
	return m.y
}

// forward keeps the normalized inputs, then 1/√(variance+ε) of every column, in
// m.keep, and the mean and variance of the batch in m.sums.
func (o *batchNormalizationOperator) forward(m *memory, x []float32, rows int) []float32 {
	n := rows * o.in
	m.y, m.keep, m.sums = grow(m.y, n), grow(m.keep, n+o.in), grow(m.sums, 2*o.in)
	mean, variance, inverse := m.sums[:o.in], m.sums[o.in:], m.keep[n:]
	o.moments(mean, variance, x, rows)
	for j, v := range variance {
		inverse[j] = float32(1 / math.Sqrt(v+o.epsilon))
	}
	for i := range rows {
		normalized, x := m.keep[i*o.in:][:o.in], x[i*o.in:][:o.in]
		for j, v := range x {
			normalized[j] = float32(float64(v)-mean[j]) * inverse[j]
		}
		scaleAndShift(m.y[i*o.in:][:o.in], normalized, o.gamma, o.beta)
	}
	return m.y
}

// moments computes mean and biased variance of every column.
func (o *batchNormalizationOperator) moments(mean, variance []float64, x []float32, rows int) {
	clear(mean)
	clear(variance)
	for i := range rows {
		for j, v := range x[i*o.in:][:o.in] {
			mean[j] += float64(v)
		}
	}
	for j := range mean {
		mean[j] /= float64(rows)
	}
	for i := range rows {
		for j, v := range x[i*o.in:][:o.in] {
			d := float64(v) - mean[j]
			variance[j] += d * d
		}
	}
	for j := range variance {
		variance[j] /= float64(rows)
	}
}

// backward also moves the averages: a batch whose loss was not finite never gets
// this far, so it leaves no trace in them.
func (o *batchNormalizationOperator) backward(m *memory, dy []float32, rows int) []float32 {
	for j := range o.in {
		o.mean.Value[j] = o.move(o.mean.Value[j], m.sums[j])
		o.variance.Value[j] = o.move(o.variance.Value[j], m.sums[o.in+j])
	}
	n := rows * o.in
	normalized, inverse := m.keep[:n], m.keep[n:]
	sums, products := m.sums[:o.in], m.sums[o.in:]
	clear(m.sums)
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
		d := dy[i*o.in:][:o.in]
		for j := range d {
			h := float64(normalized[i*o.in+j])
			d[j] = float32(float64(d[j])-(sums[j]+h*products[j])/float64(rows)) * inverse[j]
		}
		if o.gamma != nil {
			kernel.Multiply(d, o.gamma.Value)
		}
	}
	return dy
}

// move returns the moving average after one more value.
func (o *batchNormalizationOperator) move(average float32, value float64) float32 {
	return float32(float64(average)*o.momentum + value*(1-o.momentum))
}

// scaleAndShift sets y to x·gamma + beta, both of which may be nil.
func scaleAndShift(y, x []float32, gamma, beta *Param) {
	copy(y, x)
	if gamma != nil {
		kernel.Multiply(y, gamma.Value)
	}
	if beta != nil {
		kernel.Add(y, beta.Value)
	}
}

// setGradient sets the gradient of p, which may be nil.
func setGradient(p *Param, gradient []float64) {
	if p == nil {
		return
	}
	for j, g := range gradient {
		p.Grad[j] = float32(g)
	}
}

// present returns the params that are not nil.
func present(params ...*Param) []*Param {
	var list []*Param
	for _, p := range params {
		if p != nil {
			list = append(list, p)
		}
	}
	return list
}
