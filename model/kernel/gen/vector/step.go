package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/reg"

	"github.com/modelbus/modelbus/model/kernel/gen/machine"
)

// steps writes the steps of the optimizers. Products are rounded before they are added,
// as in the loops in Go.
func steps(m machine.Machine, c constants) {
	each(m, c, "decay", 1, 1, func(l *loop) {
		x, d := l.load(0), l.Vector()
		VMULPS(l.scalars[0], x, d)
		VSUBPS(d, x, x)
		l.store(x, 0)
	})
	each(m, c, "descend", 2, 1, func(l *loop) { // x, g; rate
		x, g := l.load(0), l.load(1)
		VMULPS(l.scalars[0], g, g)
		VSUBPS(g, x, x)
		l.store(x, 0)
	})
	momentum(m, c, "momentum", false)
	momentum(m, c, "nesterov", true)
	adam(m, c, "adam", false)
	adam(m, c, "amsgrad", true)
	nadam(m, c)
	rmsprop(m, c, "rmsprop", false, false)
	rmsprop(m, c, "rmspropMomentum", true, false)
	rmsprop(m, c, "rmspropCentered", false, true)
	rmsprop(m, c, "rmspropMomentumCentered", true, true)
	each(m, c, "adagrad", 3, 2, func(l *loop) { // x, sum, g; rate, epsilon
		x, sum, g, t := l.load(0), l.load(1), l.load(2), l.Vector()
		VMULPS(g, g, t)
		VADDPS(t, sum, sum)
		l.store(sum, 1)
		l.descend(x, g, sum, l.scalars[0], l.scalars[1])
		l.store(x, 0)
	})
	lion(m, c)
}

// descend subtracts rate·g/√(v+epsilon) from x.
func (l *loop) descend(x, g, v, rate, epsilon reg.VecVirtual) {
	root := l.Vector()
	VADDPS(epsilon, v, root)
	VSQRTPS(root, root)
	VMULPS(rate, g, g)
	VDIVPS(root, g, g)
	VSUBPS(g, x, x)
}

// momentum: x, m, g; rate, momentum.
func momentum(mc machine.Machine, c constants, name string, nesterov bool) {
	each(mc, c, name, 3, 2, func(l *loop) {
		x, m, g := l.load(0), l.load(1), l.load(2)
		VMULPS(l.scalars[0], g, g)
		VMULPS(l.scalars[1], m, m)
		VSUBPS(g, m, m)
		l.store(m, 1)
		if nesterov {
			VMULPS(l.scalars[1], m, m)
			VSUBPS(g, m, m)
		}
		VADDPS(m, x, x)
		l.store(x, 0)
	})
}

// moments moves m and v, at pointers 1 and 2, towards g and g² by the scalars 0 and 1.
func (l *loop) moments(g reg.VecVirtual) (m, v reg.VecVirtual) {
	m, v = l.load(1), l.load(2)
	d := l.Vector()
	VSUBPS(m, g, d)
	VMULPS(l.scalars[0], d, d)
	VADDPS(d, m, m)
	l.store(m, 1)
	VMULPS(g, g, d)
	VSUBPS(v, d, d)
	VMULPS(l.scalars[1], d, d)
	VADDPS(d, v, v)
	l.store(v, 2)
	return m, v
}

// adam: x, m, v, g and, with amsgrad, the greatest v; 1-β₁, 1-β₂, rate, epsilon.
func adam(mc machine.Machine, c constants, name string, amsgrad bool) {
	pointers := 4
	if amsgrad {
		pointers = 5
	}
	each(mc, c, name, pointers, 4, func(l *loop) {
		m, v := l.moments(l.load(3))
		if amsgrad {
			top := l.load(4)
			VMAXPS(v, top, top)
			l.store(top, 4)
			v = top
		}
		x, root := l.load(0), l.Vector()
		VSQRTPS(v, root)
		VADDPS(l.scalars[3], root, root)
		VMULPS(l.scalars[2], m, m)
		VDIVPS(root, m, m)
		VSUBPS(m, x, x)
		l.store(x, 0)
	})
}

// nadam: x, m, v, g; 1-β₁, 1-β₂, a, b, c, rate, epsilon.
func nadam(mc machine.Machine, c constants) {
	each(mc, c, "nadam", 4, 7, func(l *loop) {
		g := l.load(3)
		m, v := l.moments(g)
		VMULPS(l.scalars[2], m, m)
		VMULPS(l.scalars[3], g, g)
		VADDPS(g, m, m)
		VMULPS(l.scalars[5], m, m)
		VMULPS(l.scalars[4], v, v)
		VSQRTPS(v, v)
		VADDPS(l.scalars[6], v, v)
		VDIVPS(v, m, m)
		x := l.load(0)
		VSUBPS(m, x, x)
		l.store(x, 0)
	})
}

// rmsprop: x, v, g and, if they are kept, momentum and mean gradient; ρ, 1-ρ, rate,
// epsilon, momentum.
func rmsprop(mc machine.Machine, c constants, name string, momentum, centered bool) {
	pointers := 3
	if momentum {
		pointers++
	}
	if centered {
		pointers++
	}
	each(mc, c, name, pointers, 5, func(l *loop) {
		v, g, t := l.load(1), l.load(2), l.Vector()
		VMULPS(l.scalars[0], v, v)
		VMULPS(l.scalars[1], g, t)
		VMULPS(g, t, t)
		VADDPS(t, v, v)
		l.store(v, 1)
		if centered {
			l.centre(v, g, pointers-1)
		}
		VADDPS(l.scalars[3], v, v)
		VSQRTPS(v, v)
		VMULPS(l.scalars[2], g, g)
		VDIVPS(v, g, g)
		if momentum {
			m := l.load(3)
			VMULPS(l.scalars[4], m, m)
			VADDPS(g, m, m)
			l.store(m, 3)
			g = m
		}
		x := l.load(0)
		VSUBPS(g, x, x)
		l.store(x, 0)
	})
}

// centre moves the mean gradient, at pointer i, towards g by 1-ρ and subtracts its square
// from v, which rounding must not make negative.
func (l *loop) centre(v, g reg.VecVirtual, i int) {
	mean, t, zero := l.load(i), l.Vector(), l.Vector()
	VSUBPS(mean, g, t)
	VMULPS(l.scalars[1], t, t)
	VADDPS(t, mean, mean)
	l.store(mean, i)
	VMULPS(mean, mean, t)
	VSUBPS(t, v, v)
	l.Zero(zero)
	VMAXPS(v, zero, v)
}

// lion: x, m, g; rate, β₁, 1-β₁, β₂, 1-β₂.
func lion(mc machine.Machine, c constants) {
	each(mc, c, "lion", 3, 5, func(l *loop) {
		x, m, g := l.load(0), l.load(1), l.load(2)
		d, t, zero := l.Vector(), l.Vector(), l.Vector()
		VMULPS(l.scalars[1], m, d)
		VMULPS(l.scalars[2], g, t)
		VADDPS(t, d, d)
		VMULPS(l.scalars[3], m, m)
		VMULPS(l.scalars[4], g, g)
		VADDPS(g, m, m)
		l.store(m, 1)
		l.Zero(zero)
		l.Select(machine.Greater, d, zero, l.scalars[0], zero, t)
		VSUBPS(t, x, x)
		l.Select(machine.Less, d, zero, l.scalars[0], zero, t)
		VADDPS(t, x, x)
		l.store(x, 0)
	})
}
