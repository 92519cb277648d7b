package nn

// Dropout sets a share of its inputs to zero in training and scales the rest by
// 1/(1-Rate) (Srivastava et al., Dropout, 2014, §10). In prediction it changes
// nothing.
type Dropout struct {
	Rate float64 // in [0, 1)
}

// Config implements [Layer].
func (l Dropout) Config() Config {
	return Config{Name: "Dropout", Args: map[string]any{"rate": l.Rate}} // required, even if it is 0
}

func parseDropout(a *arguments) Dropout {
	l := Dropout{Rate: a.float("rate", 0, fraction())}
	if _, ok := a.config.Args["rate"]; !ok {
		a.fail("rate", "is missing; want the share of the inputs to drop, in %s", fraction())
	}
	a.ignore("seed") // draws come from the seed of the training
	a.refuse("noise_shape")
	return l
}

func (l Dropout) check() error { return inRange("Dropout", "rate", l.Rate, fraction()) }

func (l Dropout) build(in int, _ *builder) ([]operator, error) {
	if err := l.check(); err != nil || l.Rate == 0 {
		return nil, err
	}
	return []operator{&dropoutOperator{in: in, rate: l.Rate}}, nil
}

type dropoutOperator struct {
	in   int
	rate float64
}

func (o *dropoutOperator) width() int       { return o.in }
func (o *dropoutOperator) params() []*Param { return nil }

func (o *dropoutOperator) infer(_ *memory, x []float32, _ int) []float32 { return x }

// forward draws element i from number i of the SplitMix64 sequence that begins
// at m.stream: the mask follows from seed, step and place alone.
func (o *dropoutOperator) forward(m *memory, x []float32, rows int) []float32 {
	const increment = 0x9e3779b97f4a7c15
	n := rows * o.in
	m.y, m.keep = grow(m.y, n), grow(m.keep, n)
	scale, threshold := float32(1/(1-o.rate)), uint64(o.rate*(1<<53))
	for i, v := range x[:n] {
		if splitmix(m.stream+uint64(i)*increment)>>11 < threshold {
			m.keep[i], m.y[i] = 0, 0
			continue
		}
		m.keep[i], m.y[i] = scale, v*scale
	}
	return m.y
}

func (o *dropoutOperator) backward(m *memory, dy []float32, rows int) []float32 {
	if !m.inputGradient {
		return nil
	}
	for i, k := range m.keep[:rows*o.in] {
		dy[i] *= k
	}
	return dy
}
