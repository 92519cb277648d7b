package kernel

// stretch is how many numbers an assembly loop works on at once: it cannot be
// interrupted, and the garbage collector stops all goroutines now and then.
const stretch = 1 << 16

// head returns the first stretch of v, nil of nil.
func head(v []float32) []float32 {
	if v == nil {
		return nil
	}
	return v[:stretch:len(v)]
}

// rest returns what follows the first stretch of v, nil of nil.
func rest(v []float32) []float32 {
	if v == nil {
		return nil
	}
	return v[stretch:]
}

// The functions below are one step of an optimizer each, for weights x with gradients g
// and what the optimizer keeps for each weight, all of the same length. Products are
// rounded before they are added, in Go by a conversion, so that all instruction sets and
// architectures agree.

// Decay shrinks x by its product with factor.
func Decay(x []float32, factor float32) {
	for len(x) > stretch {
		Decay(head(x), factor)
		x = rest(x)
	}
	if l := active.loops(); l != nil {
		if len(x) > 0 {
			l.decay(len(x), &x[0], factor)
		}
		return
	}
	for i, v := range x {
		x[i] = v - float32(v*factor)
	}
}

// Descend subtracts rate·g from x.
func Descend(x, g []float32, rate float32) {
	for len(x) > stretch {
		Descend(head(x), head(g), rate)
		x, g = rest(x), rest(g)
	}
	g = g[:len(x):len(g)]
	if l := active.loops(); l != nil {
		if len(x) > 0 {
			l.descend(len(x), &x[0], &g[0], rate)
		}
		return
	}
	for i := range x {
		x[i] -= float32(rate * g[i])
	}
}

// Momentum sets m to momentum·m - rate·g and adds it to x; with nesterov it adds
// momentum·m - rate·g once more, of the new m, instead.
func Momentum(x, m, g []float32, rate, momentum float32, nesterov bool) {
	for len(x) > stretch {
		Momentum(head(x), head(m), head(g), rate, momentum, nesterov)
		x, m, g = rest(x), rest(m), rest(g)
	}
	m, g = m[:len(x):len(m)], g[:len(x):len(g)]
	if l := active.loops(); l != nil {
		switch {
		case len(x) == 0:
		case nesterov:
			l.nesterov(len(x), &x[0], &m[0], &g[0], rate, momentum)
		default:
			l.momentum(len(x), &x[0], &m[0], &g[0], rate, momentum)
		}
		return
	}
	for i := range x {
		d := float32(rate * g[i])
		m[i] = float32(momentum*m[i]) - d
		if nesterov {
			x[i] += float32(momentum*m[i]) - d
		} else {
			x[i] += m[i]
		}
	}
}

// Adam moves m towards g by c1 and v towards g² by c2, and subtracts
// rate·m/(√v + epsilon) from x. If top is not nil, it is raised to v and used in its
// place (AMSGrad).
func Adam(x, m, v, g, top []float32, c1, c2, rate, epsilon float32) {
	for len(x) > stretch {
		Adam(head(x), head(m), head(v), head(g), head(top), c1, c2, rate, epsilon)
		x, m, v, g, top = rest(x), rest(m), rest(v), rest(g), rest(top)
	}
	m, v, g = m[:len(x):len(m)], v[:len(x):len(v)], g[:len(x):len(g)]
	if l := active.loops(); l != nil {
		switch {
		case len(x) == 0:
		case top != nil:
			l.amsgrad(len(x), &x[0], &m[0], &v[0], &g[0], &top[:len(x):len(top)][0], c1, c2, rate, epsilon)
		default:
			l.adam(len(x), &x[0], &m[0], &v[0], &g[0], c1, c2, rate, epsilon)
		}
		return
	}
	for i := range x {
		m[i] += float32((g[i] - m[i]) * c1)
		v[i] += float32((float32(g[i]*g[i]) - v[i]) * c2)
		second := v[i]
		if top != nil {
			if top[i] > second {
				second = top[i]
			}
			top[i] = second
		}
		x[i] -= rate * m[i] / (sqrt(second) + epsilon)
	}
}

// Nadam moves m and v as Adam does and subtracts rate·(a·m + b·g)/(√(c·v) + epsilon)
// from x.
func Nadam(x, m, v, g []float32, c1, c2, a, b, c, rate, epsilon float32) {
	for len(x) > stretch {
		Nadam(head(x), head(m), head(v), head(g), c1, c2, a, b, c, rate, epsilon)
		x, m, v, g = rest(x), rest(m), rest(v), rest(g)
	}
	m, v, g = m[:len(x):len(m)], v[:len(x):len(v)], g[:len(x):len(g)]
	if l := active.loops(); l != nil {
		if len(x) > 0 {
			l.nadam(len(x), &x[0], &m[0], &v[0], &g[0], c1, c2, a, b, c, rate, epsilon)
		}
		return
	}
	for i := range x {
		m[i] += float32((g[i] - m[i]) * c1)
		v[i] += float32((float32(g[i]*g[i]) - v[i]) * c2)
		x[i] -= rate * (float32(a*m[i]) + float32(b*g[i])) / (sqrt(v[i]*c) + epsilon)
	}
}

// RMSprop sets v to rho·v + c·g² and moves x by s = rate·g/√(v + epsilon) against the
// gradient. If mean is not nil, it moves towards g by c, and v less its square stands for
// v in s. If m is not nil, it is set to momentum·m + s, which stands for s.
func RMSprop(x, v, g, m, mean []float32, rho, c, rate, epsilon, momentum float32) {
	for len(x) > stretch {
		RMSprop(head(x), head(v), head(g), head(m), head(mean), rho, c, rate, epsilon, momentum)
		x, v, g, m, mean = rest(x), rest(v), rest(g), rest(m), rest(mean)
	}
	v, g = v[:len(x):len(v)], g[:len(x):len(g)]
	if m != nil {
		m = m[:len(x):len(m)]
	}
	if mean != nil {
		mean = mean[:len(x):len(mean)]
	}
	if l := active.loops(); l != nil {
		switch n := len(x); {
		case n == 0:
		case m != nil && mean != nil:
			l.rmspropMomentumCentered(n, &x[0], &v[0], &g[0], &m[0], &mean[0], rho, c, rate, epsilon, momentum)
		case m != nil:
			l.rmspropMomentum(n, &x[0], &v[0], &g[0], &m[0], rho, c, rate, epsilon, momentum)
		case mean != nil:
			l.rmspropCentered(n, &x[0], &v[0], &g[0], &mean[0], rho, c, rate, epsilon, momentum)
		default:
			l.rmsprop(n, &x[0], &v[0], &g[0], rho, c, rate, epsilon, momentum)
		}
		return
	}
	for i := range x {
		v[i] = float32(rho*v[i]) + float32(c*g[i]*g[i])
		d := v[i]
		if mean != nil {
			mean[i] += float32(c * (g[i] - mean[i]))
			d = max(0, d-float32(mean[i]*mean[i])) // rounding must not make a variance negative
		}
		s := rate * g[i] / sqrt(d+epsilon)
		if m != nil {
			m[i] = float32(momentum*m[i]) + s
			s = m[i]
		}
		x[i] -= s
	}
}

// Adagrad adds g² to sum and subtracts rate·g/√(sum + epsilon) from x.
func Adagrad(x, sum, g []float32, rate, epsilon float32) {
	for len(x) > stretch {
		Adagrad(head(x), head(sum), head(g), rate, epsilon)
		x, sum, g = rest(x), rest(sum), rest(g)
	}
	sum, g = sum[:len(x):len(sum)], g[:len(x):len(g)]
	if l := active.loops(); l != nil {
		if len(x) > 0 {
			l.adagrad(len(x), &x[0], &sum[0], &g[0], rate, epsilon)
		}
		return
	}
	for i := range x {
		sum[i] += float32(g[i] * g[i])
		x[i] -= rate * g[i] / sqrt(sum[i]+epsilon)
	}
}

// Lion moves x by rate against the sign of b1·m + c1·g, and sets m to b2·m + c2·g.
func Lion(x, m, g []float32, rate, b1, c1, b2, c2 float32) {
	for len(x) > stretch {
		Lion(head(x), head(m), head(g), rate, b1, c1, b2, c2)
		x, m, g = rest(x), rest(m), rest(g)
	}
	m, g = m[:len(x):len(m)], g[:len(x):len(g)]
	if l := active.loops(); l != nil {
		if len(x) > 0 {
			l.lion(len(x), &x[0], &m[0], &g[0], rate, b1, c1, b2, c2)
		}
		return
	}
	for i := range x {
		switch d := float32(b1*m[i]) + float32(c1*g[i]); {
		case d > 0:
			x[i] -= rate
		case d < 0:
			x[i] += rate
		}
		m[i] = float32(b2*m[i]) + float32(c2*g[i])
	}
}
