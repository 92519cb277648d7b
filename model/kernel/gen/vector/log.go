package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/modelbus/modelbus/model/kernel/gen/machine"
)

// log returns ln x.
func (l *loop) log(x reg.VecVirtual) reg.VecVirtual {
	zero, y := l.Vector(), l.Vector()
	l.Zero(zero)
	least, shift := l.set(l.bits(0x00800000)), l.set(l.float(23))
	VMULPS(l.float(1<<23), x, y)
	l.Select(machine.Less, x, least, y, x, y) // denormals become normal
	l.Select(machine.Less, x, least, shift, zero, shift)
	p := l.logNormal(y, shift)

	// Infinity and NaN are themselves, zero is -infinity, negative numbers NaN.
	infinity, minus, nan := l.set(l.bits(0x7f800000)), l.set(l.bits(0xff800000)), l.set(l.bits(0x7fc00000))
	l.Select(machine.Less, x, infinity, p, x, p)
	l.Select(machine.NotEqual, x, zero, p, minus, p)
	l.Select(machine.Less, x, zero, nan, p, p)
	return p
}

// logNormal returns ln y - shift·ln 2, which is n·ln 2 + ln(1+f) with 1+f in [√½, √2], for
// normal positive numbers. It destroys y.
func (l *loop) logNormal(y, shift reg.VecVirtual) reg.VecVirtual {
	n, f := l.Vector(), l.Vector()
	VPSUBD(l.bits(0x3f3504f3), y, n) // the bits of √½
	VPSRAD(Imm(23), n, n)
	VPSLLD(Imm(23), n, f)
	VPSUBD(f, y, f)
	VSUBPS(l.float(1), f, f)
	VCVTDQ2PS(n, n)
	if shift != nil {
		VSUBPS(shift, n, n)
	}
	p, square := l.horner(f, logPolynomial()), y
	VFMADD213PS(l.float(-0.5), f, p)
	VMULPS(f, f, square)
	VMULPS(square, p, p)
	VFMADD231PS(l.float(ln2Low), n, p) // small parts first
	VADDPS(f, p, p)
	VFMADD231PS(l.float(ln2), n, p)
	return p
}

// softplus returns max(x, 0) + ln(1+e) for e = e^-|x|, where ln(1+e) is that of the rounded
// sum and what its rounding lost.
func (l *loop) softplus(x reg.VecVirtual) reg.VecVirtual {
	e := l.exp(l.negative(x))
	d, low := l.sum(l.float(1), e)
	VDIVPS(d, low, low)
	p := l.logNormal(d, nil)
	VADDPS(low, p, p)
	zero := l.Vector()
	l.Zero(zero)
	VMAXPS(x, zero, x) // NaN stays, being the second source
	VADDPS(x, p, p)
	return p
}

// elu returns alpha·(eˣ-1) for negative x, else x.
func (l *loop) elu(x, alpha reg.VecVirtual) reg.VecVirtual {
	y, zero, less := l.Vector(), l.Vector(), l.Vector()
	l.Zero(zero)
	VMINPS(x, zero, y)
	l.atLeast(-20, y)
	k, e := l.reduce(y, nil)
	l.exponent(k)
	VSUBPS(l.float(1), k, less)
	VFMADD213PS(less, k, e)
	VMULPS(alpha, e, e)
	l.Select(machine.Less, x, zero, e, x, e)
	return e
}
