package main

import (
	. "github.com/mmcloughlin/avo/build"

	"github.com/modelbus/modelbus/model/kernel/gen/machine"
)

// slopes writes the derivatives of activations: dx, dy and the function's results, or what
// it was applied to.
func slopes(m machine.Machine, c constants) {
	each(m, c, "maskPositive", 3, 0, func(l *loop) {
		dy, y, zero := l.load(1), l.load(2), l.Vector()
		l.Zero(zero)
		l.Select(machine.Greater, y, zero, dy, zero, dy)
		l.store(dy, 0)
	})
	each(m, c, "sigmoidSlope", 3, 0, func(l *loop) {
		y, t := l.load(2), l.set(l.float(1))
		VSUBPS(y, t, t)
		VMULPS(y, t, t)
		VMULPS(l.load(1), t, t)
		l.store(t, 0)
	})
	each(m, c, "tanhSlope", 3, 0, func(l *loop) {
		y, t := l.load(2), l.set(l.float(1))
		VFNMADD231PS(y, y, t)
		VMULPS(l.load(1), t, t)
		l.store(t, 0)
	})
	each(m, c, "geluSlope", 3, 0, geluSlope)
	each(m, c, "softplusSlope", 3, 0, func(l *loop) {
		s := l.sigmoid(l.load(2))
		VMULPS(l.load(1), s, s)
		l.store(s, 0)
	})
	each(m, c, "leakySlope", 3, 1, func(l *loop) {
		dy, x, t, zero := l.load(1), l.load(2), l.Vector(), l.Vector()
		VMULPS(l.scalars[0], dy, t)
		l.Zero(zero)
		l.Select(machine.Greater, x, zero, dy, t, dy)
		l.store(dy, 0)
	})
	each(m, c, "eluSlope", 3, 1, func(l *loop) {
		dy, y, t, zero := l.load(1), l.load(2), l.Vector(), l.Vector()
		VADDPS(l.scalars[0], y, t)
		VMULPS(dy, t, t)
		l.Zero(zero)
		l.Select(machine.Greater, y, zero, dy, t, dy)
		l.store(dy, 0)
	})
}

// geluSlope is dy·(Φ(x) + x·φ(x)); Φ as in gelu, φ(x) = e^(-x²/2)/√2π.
func geluSlope(l *loop) {
	x := l.load(2)
	t := l.magnitude(x)
	l.atMost(15, t)
	square, low := l.Vector(), l.Vector()
	VMULPS(t, t, square)
	VMOVAPS(square, low)
	VFMSUB231PS(t, t, low)
	VMULPS(l.float(-0.5), low, low)
	VMULPS(l.float(-0.5), square, square)
	k, m := l.reduce(square, low)
	tail := l.mills(t, m)
	scale := l.power(k)
	scale.scale(tail)
	VADDPS(l.float(1), m, m)
	scale.scale(m)
	VMULPS(l.float(normalPeak), m, m)
	VMULPS(t, m, m) // t·φ
	zero, slope := l.Vector(), l.set(l.float(1))
	l.Zero(zero)
	VSUBPS(tail, slope, slope)
	VADDPS(m, slope, slope)
	VSUBPS(m, tail, tail)
	l.Select(machine.Less, x, zero, tail, slope, slope)
	VMULPS(l.load(1), slope, slope)
	l.store(slope, 0)
}
