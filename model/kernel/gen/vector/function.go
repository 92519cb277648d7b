package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/modelbus/modelbus/model/kernel/gen/machine"
)

// The polynomials below are minimax fits of ours, by iteratively reweighted least
// squares in float64, of (eʳ-1-r)/r² on ±ln 2/2; of (tanh x/x-1)/x² by x² up to 0.625²; of
// (ln(1+f)-f+f²/2)/f³ for 1+f in [√½, √2]; and of e^(t²)·erfc(t)/s by s = 1/(1+0.4t).

func expPolynomial() []float64 {
	return []float64{0.4999999403953552, 0.1666652113199234, 0.04166838899254799, 0.00836874544620514, 0.0013814539415761828}
}

func tanhPolynomial() []float64 {
	return []float64{-0.3333328068256378, 0.13331441581249237, -0.05373971536755562, 0.02063908614218235, -0.005704986397176981}
}

func logPolynomial() []float64 {
	return []float64{
		0.3333331346511841, -0.25000008940696716, 0.20002123713493347, -0.16668005287647247, 0.14219452440738678,
		-0.12405340373516083, 0.11888697743415833, -0.11677515506744385, 0.067477285861969,
	}
}

func erfcPolynomial() []float64 {
	return []float64{
		0.2257036715745926, 0.22501525282859802, 0.21439090371131897, 0.132155641913414, 0.26487624645233154,
		-0.2709278166294098, 0.5312324166297913, -0.4866328835487366, 0.19282373785972595, -0.02863716147840023,
	}
}

const (
	log2e  = 1.44269504088896340736
	ln2    = 0.693147182464599609375    // to float32
	ln2Low = -1.90465429995776804525e-9 // what is missing
)

// functions writes the transcendental functions.
func functions(m machine.Machine, c constants) {
	each(m, c, "exp", 2, 0, func(l *loop) { l.store(l.exp(l.load(1)), 0) })
	each(m, c, "expShifted", 2, 1, func(l *loop) {
		x := l.load(1)
		VSUBPS(l.scalars[0], x, x)
		l.store(l.exp(x), 0)
	})
	each(m, c, "sigmoid", 2, 0, func(l *loop) { l.store(l.sigmoid(l.load(1)), 0) })
	each(m, c, "tanh", 2, 0, func(l *loop) { l.store(l.tanh(l.load(1)), 0) })
	each(m, c, "gelu", 2, 0, func(l *loop) { l.store(l.gelu(l.load(1)), 0) })
	each(m, c, "log", 2, 0, func(l *loop) { l.store(l.log(l.load(1)), 0) })
}

// set returns a vector of a constant.
func (l *loop) set(m Mem) reg.VecVirtual {
	v := l.Vector()
	l.Load(m, v, false)
	return v
}

// horner returns the polynomial of x with these coefficients, the lowest first.
func (l *loop) horner(x reg.VecVirtual, coefficients []float64) reg.VecVirtual {
	last := len(coefficients) - 1
	p := l.set(l.float(coefficients[last]))
	for i := last - 1; i >= 0; i-- {
		VFMADD213PS(l.float(coefficients[i]), x, p)
	}
	return p
}

// exp returns eˣ and destroys x: 2ⁿ·eʳ with r = x - n·ln 2 (Cody and Waite, Software
// Manual for the Elementary Functions, 1980, chapter 6). 2ⁿ is applied in two halves, so
// that results may overflow and underflow gradually.
func (l *loop) exp(x reg.VecVirtual) reg.VecVirtual {
	bound := l.set(l.float(-104))
	VMAXPS(x, bound, x) // NaN stays, being the second source
	l.Load(l.float(89), bound, false)
	VMINPS(x, bound, x)
	n, whole := l.Vector(), l.Vector()
	VMULPS(l.float(log2e), x, n)
	VCVTPS2DQ(n, n)
	VCVTDQ2PS(n, whole)
	VFNMADD231PS(l.float(ln2), whole, x)
	VFNMADD231PS(l.float(ln2Low), whole, x)
	p := l.horner(x, expPolynomial())
	VMULPS(x, x, whole)
	VFMADD213PS(x, whole, p) // r + r²·p
	VADDPS(l.float(1), p, p)
	half := l.Vector()
	VPSRAD(Imm(1), n, half)
	VPSUBD(half, n, n)
	l.scaleByPower(half, p)
	l.scaleByPower(n, p)
	return p
}

// scaleByPower multiplies p by 2ⁿ, for n of -126 to 127, and destroys n.
func (l *loop) scaleByPower(n, p reg.VecVirtual) {
	VPADDD(l.bits(127), n, n)
	VPSLLD(Imm(23), n, n)
	VMULPS(n, p, p)
}

// magnitude returns |x|.
func (l *loop) magnitude(x reg.VecVirtual) reg.VecVirtual {
	v := l.Vector()
	VANDPS(l.bits(0x7fffffff), x, v)
	return v
}

// withSign gives v, which is not negative, the sign of x.
func (l *loop) withSign(x, v reg.VecVirtual) {
	sign := l.Vector()
	VANDPS(l.bits(0x80000000), x, sign)
	VORPS(sign, v, v)
}

// sigmoid returns 1/(1+e) or e/(1+e) with e = e^-|x|, by the sign of x.
func (l *loop) sigmoid(x reg.VecVirtual) reg.VecVirtual {
	e := l.Vector()
	VORPS(l.bits(0x80000000), x, e)
	e = l.exp(e)
	sum, zero := l.Vector(), l.Vector()
	one := l.set(l.float(1))
	VADDPS(one, e, sum)
	l.Zero(zero)
	l.Select(machine.Less, x, zero, e, one, e)
	VDIVPS(sum, e, e)
	// A NaN is not less than zero, but it is in the sum.
	return e
}

// tanh returns |x| + |x|³·P(x²) below 0.625, else 1 - 2/(e^2|x| + 1), with the sign of x.
func (l *loop) tanh(x reg.VecVirtual) reg.VecVirtual {
	size, cube := l.magnitude(x), l.Vector()
	VMULPS(size, size, cube)
	small := l.horner(cube, tanhPolynomial())
	VMULPS(size, cube, cube)
	VFMADD213PS(size, cube, small)
	large := l.Vector()
	VADDPS(size, size, large)
	large = l.exp(large)
	one := l.set(l.float(1))
	VADDPS(one, large, large)
	two := l.set(l.float(2))
	VDIVPS(large, two, large)
	VSUBPS(large, one, large)
	limit := l.set(l.float(0.625))
	l.Select(machine.Less, size, limit, small, large, small)
	l.withSign(x, small)
	return small
}

// gelu returns x·Φ(x), with Φ(-|x|) = erfc(t)/2, t = |x|/√2, and erfc(t) = e^(-t²)·s·Q(s).
// What rounding x² loses is put back into the exponential.
func (l *loop) gelu(x reg.VecVirtual) reg.VecVirtual {
	size, s := l.magnitude(x), l.set(l.float(1))
	VFMADD231PS(l.float(0.4*0.70710678118654752440), size, s)
	one := l.set(l.float(1))
	VDIVPS(s, one, s)
	tail := l.horner(s, erfcPolynomial())
	VMULPS(s, tail, tail)

	square, lost := l.Vector(), l.Vector()
	// From 14 on Φ(-|x|) is zero; larger squares would overflow.
	limit := l.set(l.float(15))
	VMINPS(size, limit, size)
	VMULPS(size, size, square)
	VMOVAPS(square, lost)
	VFMSUB231PS(size, size, lost) // x² - rounded, exactly
	VMULPS(l.float(-0.5), lost, lost)
	VMULPS(l.float(-0.5), square, square)
	e := l.exp(square)
	VFMADD231PS(lost, e, e)
	VMULPS(e, tail, tail)
	VMULPS(l.float(0.5), tail, tail)

	phi, zero := l.Vector(), l.Vector()
	VSUBPS(tail, one, phi)
	l.Zero(zero)
	l.Select(machine.Less, x, zero, tail, phi, phi)
	VMULPS(x, phi, phi)
	return phi
}

// log returns ln x: e·ln 2 + ln(1+f) with 1+f in [√½, √2].
func (l *loop) log(x reg.VecVirtual) reg.VecVirtual {
	zero, y, shift := l.Vector(), l.Vector(), l.Vector()
	l.Zero(zero)
	least := l.set(l.bits(0x00800000))
	VMULPS(l.float(1<<23), x, y)
	l.Select(machine.Less, x, least, y, x, y) // denormals become normal
	twentyThree := l.set(l.float(23))
	l.Select(machine.Less, x, least, twentyThree, zero, shift)

	e, f := l.Vector(), l.Vector()
	VPSUBD(l.bits(0x3f3504f3), y, e) // the bits of √½
	VPSRAD(Imm(23), e, e)
	VPSLLD(Imm(23), e, f)
	VPSUBD(f, y, f)
	VCVTDQ2PS(e, e)
	VSUBPS(shift, e, e)
	VSUBPS(l.float(1), f, f)

	p := l.horner(f, logPolynomial())
	square := l.Vector()
	VMULPS(f, f, square)
	VMULPS(f, p, p)
	VMULPS(square, p, p)               // f³·P
	VFMADD231PS(l.float(ln2Low), e, p) // small parts first
	VFNMADD231PS(l.float(0.5), square, p)
	VADDPS(f, p, p)
	VFMADD231PS(l.float(ln2), e, p)

	// Infinity and NaN are themselves, zero is -infinity, negative numbers NaN.
	infinity := l.set(l.bits(0x7f800000))
	l.Select(machine.Less, x, infinity, p, x, p)
	minus := l.set(l.bits(0xff800000))
	l.Select(machine.NotEqual, x, zero, p, minus, p)
	nan := l.set(l.bits(0x7fc00000))
	l.Select(machine.Less, x, zero, nan, p, p)
	return p
}
