package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/modelbus/modelbus/model/kernel/gen/machine"
)

// The polynomials below are minimax fits of ours (Remez), rounded to float32: of
// (eʳ-1-r)/r² on ±ln 2/2, with ½ kept; of (ln(1+f)-f+f²/2)/f³ for 1+f in [√½, √2]; and of
// e^(t²/2)·Φ(-t)/s by s - 36/64 with s = 1/(1+19/64·t), for t from 0 to 14.6. The loops in
// Go have the same numbers; tests compare the bits of the results.

func expPolynomial() []float64 {
	return []float64{0.5, 0.16666533052921295, 0.041667245328426361, 0.0083676753565669060, 0.0013863615458831191}
}

func logPolynomial() []float64 {
	return []float64{
		0.3333331346511841, -0.25000008940696716, 0.20002123713493347, -0.16668003797531128, 0.14219453930854797,
		-0.12405351549386978, 0.11888702213764191, -0.11677460372447968, 0.067476600408554077,
	}
}

func millsPolynomial() []float64 {
	return []float64{
		0.24187155067920685, 0.37436100840568542, 0.39360845088958740, 0.23820371925830841, 0.013867158442735672,
		-0.087456561625003815, -0.025273470208048820, 0.041375961154699326, 0.011320705525577068, -0.020437236875295639,
	}
}

const (
	log2e  = 1.44269504088896340736
	ln2    = 0.693147182464599609375    // to float32
	ln2Low = -1.90465429995776804525e-9 // what is missing

	magic = 3 << 22 // added to a smaller number, it leaves that rounded to an integer in the lowest bits

	millsSlope  = 19.0 / 64
	millsCentre = 36.0 / 64

	normalPeak = 0.39894228040143267794 // 1/√2π
)

// functions writes the transcendental functions.
func functions(m machine.Machine, c constants) {
	each(m, c, "exp", 2, 0, func(l *loop) { l.store(l.exp(l.load(1)), 0) })
	each(m, c, "sigmoid", 2, 0, func(l *loop) { l.store(l.sigmoid(l.load(1)), 0) })
	each(m, c, "tanh", 2, 0, func(l *loop) { l.store(l.tanh(l.load(1)), 0) })
	each(m, c, "gelu", 2, 0, func(l *loop) { l.store(l.gelu(l.load(1)), 0) })
	each(m, c, "softplus", 2, 0, func(l *loop) { l.store(l.softplus(l.load(1)), 0) })
	each(m, c, "leaky", 2, 1, func(l *loop) {
		x, t, zero := l.load(1), l.Vector(), l.Vector()
		VMULPS(l.scalars[0], x, t)
		l.Zero(zero)
		l.Select(machine.Less, x, zero, t, x, x)
		l.store(x, 0)
	})
	each(m, c, "elu", 2, 1, func(l *loop) { l.store(l.elu(l.load(1), l.scalars[0]), 0) })
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

// reduce returns an integer k and eʳ-1 for r = x - k·ln 2 + low, which may be nil, and
// destroys x (Cody and Waite, Software Manual for the Elementary Functions, 1980,
// chapter 6).
func (l *loop) reduce(x, low reg.VecVirtual) (k, m reg.VecVirtual) {
	t, n := l.set(l.float(magic)), l.Vector()
	VFMADD231PS(l.float(log2e), x, t)
	VSUBPS(l.float(magic), t, n)
	VPSUBD(l.float(magic), t, t)
	VFNMADD231PS(l.float(ln2), n, x)
	VFNMADD231PS(l.float(ln2Low), n, x)
	if low != nil {
		VADDPS(low, x, x)
	}
	m = l.horner(x, expPolynomial())
	VMULPS(x, x, n)
	VFMADD213PS(x, n, m) // r + r²·p
	return t, m
}

// A power is 2ᵏ as two factors, so that what is multiplied by it may overflow and
// underflow gradually.
type power [2]reg.VecVirtual

// power returns 2ᵏ and destroys k.
func (l *loop) power(k reg.VecVirtual) power {
	half := l.Vector()
	VPSRAD(Imm(1), k, half)
	VPSUBD(half, k, k)
	l.exponent(half)
	l.exponent(k)
	return power{half, k}
}

// exponent makes k, from -126 to 127, 2ᵏ.
func (l *loop) exponent(k reg.VecVirtual) {
	VPADDD(l.bits(127), k, k)
	VPSLLD(Imm(23), k, k)
}

func (p power) scale(v reg.VecVirtual) {
	VMULPS(p[0], v, v)
	VMULPS(p[1], v, v)
}

// atLeast raises x to bound. NaN stays, being the second source.
func (l *loop) atLeast(bound float64, x reg.VecVirtual) {
	least := l.set(l.float(bound))
	VMAXPS(x, least, x)
}

func (l *loop) atMost(bound float64, x reg.VecVirtual) {
	most := l.set(l.float(bound))
	VMINPS(x, most, x)
}

// exp returns eˣ and destroys x.
func (l *loop) exp(x reg.VecVirtual) reg.VecVirtual {
	l.atLeast(-104, x)
	l.atMost(89, x)
	k, m := l.reduce(x, nil)
	VADDPS(l.float(1), m, m)
	l.power(k).scale(m)
	return m
}

// difference returns e^(x-shift) for x of at most shift, and destroys x. What rounding
// the difference loses (Knuth, The Art of Computer Programming, 4.2.2, theorem B) is put
// back; it is nothing that can be said when x is infinite.
func (l *loop) difference(x, shift reg.VecVirtual) reg.VecVirtual {
	d, moved, low := l.Vector(), l.Vector(), l.Vector()
	VSUBPS(shift, x, d)
	VSUBPS(x, d, moved) // -shift, but for what is lost
	VSUBPS(moved, d, low)
	VSUBPS(low, x, low)
	VADDPS(shift, moved, moved)
	VSUBPS(moved, low, low)
	bound := l.set(l.float(1))
	VMINPS(bound, low, low)
	l.atLeast(-1, low)
	l.atLeast(-106, d)
	k, m := l.reduce(d, low)
	VADDPS(l.float(1), m, m)
	l.power(k).scale(m)
	return m
}

// magnitude returns |x|.
func (l *loop) magnitude(x reg.VecVirtual) reg.VecVirtual {
	v := l.Vector()
	VANDPS(l.bits(0x7fffffff), x, v)
	return v
}

// negative returns -|x|.
func (l *loop) negative(x reg.VecVirtual) reg.VecVirtual {
	v := l.Vector()
	VORPS(l.bits(0x80000000), x, v)
	return v
}

// sum returns 1+e rounded, and what is lost.
func (l *loop) sum(a Mem, e reg.VecVirtual) (d, low reg.VecVirtual) {
	d, low = l.Vector(), l.Vector()
	VADDPS(a, e, d)
	VSUBPS(a, d, low)
	VSUBPS(low, e, low)
	return d, low
}

// residual returns num - q·(d+low).
func (l *loop) residual(num, q, d, low reg.VecVirtual) {
	VFNMADD231PS(q, d, num)
	VFNMADD231PS(q, low, num)
}

// sigmoid returns p = 1/(1+e) for e = e^-|x|, corrected by its residual, or e·p, by the
// sign of x.
func (l *loop) sigmoid(x reg.VecVirtual) reg.VecVirtual {
	y := l.negative(x)
	l.atLeast(-104, y)
	k, m := l.reduce(y, nil)
	scale := l.power(k)
	e, p, r := l.Vector(), l.set(l.float(1)), l.set(l.float(1))
	VADDPS(p, m, e)
	scale.scale(e)
	d, low := l.sum(l.float(1), e)
	VDIVPS(d, p, p)
	l.residual(r, p, d, low)
	VFMADD213PS(p, p, r)
	VFMADD213PS(r, r, m)
	scale.scale(m)
	zero := l.Vector()
	l.Zero(zero)
	l.Select(machine.Less, x, zero, m, r, r)
	return r // of a NaN, which is not less
}

// tanh returns -e/(e+2) for e = e^-2|x| - 1, corrected by its residual, with the sign of
// x.
func (l *loop) tanh(x reg.VecVirtual) reg.VecVirtual {
	y := l.negative(x)
	VADDPS(y, y, y)
	l.atLeast(-20, y)
	k, e := l.reduce(y, nil)
	l.exponent(k)
	less := l.Vector()
	VSUBPS(l.float(1), k, less)
	VFMADD213PS(less, k, e)
	d, low := l.sum(l.float(2), e)
	q := l.Vector()
	VDIVPS(d, e, q)
	l.residual(e, q, d, low)
	VFMADD231PS(l.float(0.5), e, q)
	VANDPS(l.bits(0x7fffffff), q, q)
	VANDPS(l.bits(0x80000000), x, e)
	VORPS(e, q, q)
	return q
}

// gelu returns x - t·Φ(-t) for positive x, else -t·Φ(-t), where t = |x|: Φ(-t) is
// e^(-t²/2) times Mills' ratio, up to a constant. What rounding loses on the way is
// carried along.
func (l *loop) gelu(x reg.VecVirtual) reg.VecVirtual {
	t := l.magnitude(x)
	l.atMost(15, t) // from where on Φ(-t) is zero; larger squares would overflow
	square, low := l.Vector(), l.Vector()
	VMULPS(t, t, square)
	VMOVAPS(square, low)
	VFMSUB231PS(t, t, low)
	VMULPS(l.float(-0.5), low, low)
	VMULPS(l.float(-0.5), square, square)
	k, m := l.reduce(square, low)
	w := l.mills(t, m)
	VMULPS(t, w, w)
	l.power(k).scale(w)
	zero, base := l.Vector(), l.set(l.bits(0x80000000))
	l.Zero(zero)
	l.Select(machine.Less, x, zero, base, x, base)
	VSUBPS(w, base, base)
	return base
}

// mills returns (1+m)·s·P(s - centre).
func (l *loop) mills(t, m reg.VecVirtual) reg.VecVirtual {
	d, lost := l.set(l.float(1)), l.set(l.float(1))
	VFMADD231PS(l.float(millsSlope), t, d)
	VSUBPS(d, lost, lost)
	VFMADD231PS(l.float(millsSlope), t, lost)
	s, e := l.set(l.float(1)), l.set(l.float(1))
	VDIVPS(d, s, s)
	l.residual(e, s, d, lost) // s should be s·(1+e)
	u := l.Vector()
	VSUBPS(l.float(millsCentre), s, u)
	VFMADD231PS(e, s, u)
	polynomial := millsPolynomial()
	q := l.horner(u, polynomial[1:])
	p, low := l.set(l.float(polynomial[0])), l.set(l.float(polynomial[0]))
	VFMADD231PS(u, q, p)
	VSUBPS(p, low, low)
	VFMADD231PS(u, q, low)
	product, sum := l.Vector(), l.Vector()
	VMULPS(p, s, product)
	VMOVAPS(product, sum)
	VFMSUB231PS(s, p, sum)
	VFMADD231PS(e, product, sum)
	VFMADD231PS(low, s, sum)
	VFMADD231PS(m, product, sum)
	VADDPS(sum, product, product)
	return product
}
