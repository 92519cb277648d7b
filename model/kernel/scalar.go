package kernel

import "math"

// The functions of one number below do what a lane of the vector loops does, operation
// by operation, and give the same bits on every architecture. A product is converted
// before something is added to it, so that no compiler fuses the two.

const (
	log2e  = 1.44269504088896340736
	ln2    = 0.693147182464599609375    // to float32
	ln2Low = -1.90465429995776804525e-9 // what is missing

	magic = 3 << 22 // added to a smaller number, it leaves that rounded to an integer in the lowest bits

	signBit  = 1 << 31
	infinity = 0x7f800000
)

// fma returns x·y + z, rounded once. The product is exact in float64. The sum is not,
// but rounding it again could only go wrong from halfway between two float32 numbers, so
// there it is moved to the side where it belongs (Boldo and Melquiond, Emulation of a FMA
// and Correctly Rounded Sums, 2008).
func fma(x, y, z float32) float32 {
	product, addend := float64(x)*float64(y), float64(z)
	sum := product + addend
	if bits := math.Float64bits(sum); bits<<36 == 0 {
		moved := sum - product
		lost := (product - (sum - moved)) + (addend - moved) // 0 or NaN if nothing is
		switch {
		case lost > 0 && sum > 0, lost < 0 && sum < 0:
			sum = math.Float64frombits(bits + 1)
		case lost > 0, lost < 0:
			sum = math.Float64frombits(bits - 1)
		}
	}
	return float32(sum)
}

// reduce returns an integer k and eʳ-1 for r = x - k·ln 2 + low (Cody and Waite, Software
// Manual for the Elementary Functions, 1980, chapter 6).
func reduce(x, low float32) (k int32, m float32) {
	t := fma(x, log2e, magic)
	n := t - magic
	k = int32(math.Float32bits(t) - math.Float32bits(magic))
	r := fma(n, -ln2, x)
	r = fma(n, -ln2Low, r) + low
	p := float32(0.0013863615458831191)
	p = fma(p, r, 0.0083676753565669060)
	p = fma(p, r, 0.041667245328426361)
	p = fma(p, r, 0.16666533052921295)
	p = fma(p, r, 0.5)
	return k, fma(p, r*r, r)
}

// scale returns v·2ᵏ in two steps, so that it may overflow and underflow gradually.
func scale(v float32, k int32) float32 {
	half := k >> 1
	return float32(v * power(half) * power(k-half))
}

// power returns 2ᵏ for k from -126 to 127.
func power(k int32) float32 { return math.Float32frombits(uint32(k+127) << 23) }

// clamp returns x within the bounds; NaN stays.
func clamp(x, least, most float32) float32 {
	if x < least {
		return least
	}
	if x > most {
		return most
	}
	return x
}

func magnitude(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ signBit) }

func sqrt(v float32) float32 { return float32(math.Sqrt(float64(v))) }

func exp(x float32) float32 {
	k, m := reduce(clamp(x, -104, 89), 0)
	return scale(m+1, k)
}

// difference returns e^(x-shift) for x of at most shift. What rounding the difference
// loses (Knuth, The Art of Computer Programming, 4.2.2, theorem B) is put back.
func difference(x, shift float32) float32 {
	d := x - shift
	moved := d - x
	low := (x - (d - moved)) - (moved + shift)
	if !(low < 1) { // NaN for infinite x
		low = 1
	}
	k, m := reduce(clamp(d, -106, 0), max(low, -1))
	return scale(m+1, k)
}

// sigmoid is 1/(1+e) or e/(1+e) for e = e^-|x|.
func sigmoid(x float32) float32 {
	k, m := reduce(clamp(-magnitude(x), -104, 0), 0)
	e := scale(m+1, k)
	d := e + 1
	low := e - (d - 1)
	p := 1 / d
	r := fma(-p, d, 1)
	r = fma(-p, low, r)
	p = fma(p, r, p)
	if x < 0 {
		return scale(fma(p, m, p), k)
	}
	return p
}

// tanh is -e/(e+2) for e = e^-2|x| - 1, with the sign of x.
func tanh(x float32) float32 {
	k, m := reduce(clamp(-2*magnitude(x), -20, 0), 0)
	s := power(k)
	e := fma(m, s, s-1)
	d := e + 2
	low := e - (d - 2)
	q := e / d
	r := fma(-q, d, e)
	r = fma(-q, low, r)
	q = fma(r, 0.5, q)
	return math.Float32frombits(math.Float32bits(q)&^signBit | math.Float32bits(x)&signBit)
}

// gelu is x - t·Φ(-t) for positive x, else -t·Φ(-t), where t = |x|: Φ(-t) is e^(-t²/2)
// times Mills' ratio, up to a constant. What rounding loses on the way is carried along.
func gelu(x float32) float32 {
	t := clamp(magnitude(x), 0, 15)
	square := t * t
	k, m := reduce(square*-0.5, fma(t, t, -square)*-0.5)
	w := scale(mills(t, m)*t, k)
	if x < 0 {
		return -w
	}
	return x - w
}

// geluSlope is Φ(x) + x·φ(x), from Φ(-t) and t·φ(t).
func geluSlope(x float32) float32 {
	const peak = 0.39894228040143267794 // 1/√2π
	t := clamp(magnitude(x), 0, 15)
	square := t * t
	k, m := reduce(square*-0.5, fma(t, t, -square)*-0.5)
	tail, density := scale(mills(t, m), k), float32(scale(m+1, k)*peak*t)
	if x < 0 {
		return tail - density
	}
	return (1 - tail) + density
}

// mills returns (1+m)·s·P(s - centre) with s = 1/(1 + slope·t).
func mills(t, m float32) float32 {
	const slope, centre = 19.0 / 64, 36.0 / 64
	d := fma(t, slope, 1)
	s := 1 / d
	e := fma(-s, d, 1)
	e = fma(-s, fma(t, slope, 1-d), e) // s should be s·(1+e)
	u := fma(s, e, s-centre)
	q := float32(-0.020437236875295639)
	q = fma(q, u, 0.011320705525577068)
	q = fma(q, u, 0.041375961154699326)
	q = fma(q, u, -0.025273470208048820)
	q = fma(q, u, -0.087456561625003815)
	q = fma(q, u, 0.013867158442735672)
	q = fma(q, u, 0.23820371925830841)
	q = fma(q, u, 0.39360845088958740)
	q = fma(q, u, 0.37436100840568542)
	const first = 0.24187155067920685
	p := fma(q, u, first)
	product := float32(s * p)
	low := fma(s, p, -product)
	low = fma(product, e, low)
	low = fma(s, fma(q, u, first-p), low)
	return fma(product, m, low) + product
}

// log is that of a normal number, the exponent of denormals being set right.
func log(x float32) float32 {
	switch {
	case x == 0:
		return math.Float32frombits(infinity | signBit)
	case x < 0:
		return float32(math.NaN())
	case !(x < math.Float32frombits(infinity)):
		return x
	case x < 0x1p-126:
		return logNormal(x*(1<<23), 23)
	}
	return logNormal(x, 0)
}

// logNormal is ln x - shift·ln 2, which is n·ln 2 + ln(1+f) with 1+f in [√½, √2].
func logNormal(x, shift float32) float32 {
	bits := math.Float32bits(x)
	exponent := int32(bits-0x3f3504f3) >> 23 // the bits of √½
	n := float32(exponent) - shift
	f := math.Float32frombits(bits-uint32(exponent)<<23) - 1
	p := float32(0.067476600408554077)
	p = fma(p, f, -0.11677460372447968)
	p = fma(p, f, 0.11888702213764191)
	p = fma(p, f, -0.12405351549386978)
	p = fma(p, f, 0.14219453930854797)
	p = fma(p, f, -0.16668003797531128)
	p = fma(p, f, 0.20002123713493347)
	p = fma(p, f, -0.25000008940696716)
	p = fma(p, f, 0.3333331346511841)
	p = fma(p, f, -0.5)
	p = fma(n, ln2Low, p*(f*f))
	return fma(n, ln2, p+f)
}

// softplus is max(x, 0) + ln(1+e) for e = e^-|x|, where ln(1+e) is that of the rounded sum
// and what its rounding lost.
func softplus(x float32) float32 {
	e := exp(-magnitude(x))
	d := e + 1
	low := e - (d - 1)
	return max(x, 0) + (logNormal(d, 0) + low/d)
}

// elu is α·(eˣ-1) for negative x.
func elu(x, alpha float32) float32 {
	if !(x < 0) {
		return x
	}
	k, m := reduce(max(x, -20), 0)
	s := power(k)
	return fma(m, s, s-1) * alpha
}
