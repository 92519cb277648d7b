package wire

import (
	"math"
	"strconv"
)

// digits reads decimal digits into mant, which wraps where they are too many.
func (s *scanner) digits(mant uint64) (uint64, int) {
	i := s.off
	for i < len(s.data) && s.data[i]-'0' <= 9 {
		mant = mant*10 + uint64(s.data[i]-'0')
		i++
	}
	n := i - s.off
	s.off = i
	return mant, n
}

// A decimal is a number as it was written: ±mant·10^exp, if exact.
type decimal struct {
	from, to int    // its text is data[from:to]
	mant     uint64 // of its digits
	exp      int
	negative bool
	exact    bool // mant holds all digits
}

// mantDigits is how many decimal digits a mantissa always holds.
const mantDigits = 19

// decimal reads a number.
func (s *scanner) decimal() (decimal, error) {
	if s.next() != tokenNumber {
		return decimal{}, s.fail("a number")
	}
	d := decimal{from: s.off, negative: s.data[s.off] == '-'}
	if d.negative {
		s.off++
	}
	first := s.off
	mant, whole := s.digits(0)
	if whole == 0 || whole > 1 && s.data[first] == '0' {
		s.off = first
		return d, s.fail("a number without leading zeros")
	}
	fraction := 0
	if s.off < len(s.data) && s.data[s.off] == '.' {
		s.off++
		if mant, fraction = s.digits(mant); fraction == 0 {
			return d, s.fail("a digit")
		}
	}
	exponent, err := s.exponent()
	if err != nil {
		return d, err
	}
	d.to, d.mant, d.exp, d.exact = s.off, mant, exponent-fraction, whole+fraction <= mantDigits
	return d, nil
}

// mostPower is the largest power of ten that float64 holds exactly.
const mostPower = 22

// power returns 10^n, n from 0 to mostPower.
func power(n int) float64 {
	return [...]float64{
		1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
		1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
	}[n]
}

// near returns the number with at most two roundings, of mantissa and result, and
// reports whether it could; below 2^53 the mantissa is exact, so that the result is
// rounded once (Clinger, "How to Read Floating Point Numbers Accurately", 1990).
func (d *decimal) near() (float64, bool) {
	if !d.exact || d.exp < -mostPower || d.exp > mostPower {
		return 0, false
	}
	v := float64(d.mant)
	if d.exp < 0 {
		v /= power(-d.exp)
	} else {
		v *= power(d.exp)
	}
	if d.negative {
		v = -v
	}
	return v, true
}

// float reads a number as the nearest float64. Its text is then data[start:off],
// start being off after space.
func (s *scanner) float() (float64, error) {
	d, err := s.decimal()
	if err != nil {
		return 0, err
	}
	if d.mant <= 1<<53 {
		if v, ok := d.near(); ok {
			return v, nil
		}
	}
	return s.parse(&d)
}

// parse reads the text of d.
func (s *scanner) parse(d *decimal) (float64, error) {
	text := s.data[d.from:d.to]
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return 0, invalidf("JSON at byte %d: number %s is out of range", d.from, cut(string(text), 64))
	}
	return v, nil
}

// single reads a number as the nearest float32, an infinity if it is beyond. Its
// text is as for float, and so are its errors.
func (s *scanner) single() (float32, error) {
	d, err := s.decimal()
	if err != nil {
		return 0, err
	}
	if v, ok := d.near(); ok && clear32(v) {
		return float32(v), nil
	}
	if _, err := s.parse(&d); err != nil {
		return 0, err
	}
	v, _ := strconv.ParseFloat(string(s.data[d.from:d.to]), 32) //nolint:errcheck // an overflow is an infinity
	return float32(v), nil
}

// clear32 reports whether v, which is at most two roundings of a float64 away from a
// number, rounds to the same float32 as that number: it is not next to half
// way between two of them, nor out of their normal range.
func clear32(v float64) bool {
	// The lower 29 bits go when a float64 becomes a float32. Two roundings are
	// less than two units of the last place, and 4 leaves room.
	const lower, half, room = 1<<29 - 1, 1 << 28, 4
	if a := math.Abs(v); a < 0x1p-126 || a > math.MaxFloat32 {
		return v == 0 // of either sign
	}
	rest := math.Float64bits(v) & lower
	return rest < half-room || rest > half+room
}

// exponent reads an exponent, 0 if there is none, clamped to ±1e6.
func (s *scanner) exponent() (int, error) {
	if s.off >= len(s.data) || s.data[s.off]|0x20 != 'e' {
		return 0, nil
	}
	s.off++
	sign := 1
	if s.off < len(s.data) && (s.data[s.off] == '+' || s.data[s.off] == '-') {
		if s.data[s.off] == '-' {
			sign = -1
		}
		s.off++
	}
	v, n := s.digits(0)
	if n == 0 {
		return 0, s.fail("a digit")
	}
	if n > 6 {
		v = 1e6
	}
	return sign * int(v), nil //nolint:gosec // at most 1e6
}
