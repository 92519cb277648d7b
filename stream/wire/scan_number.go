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

// float reads a number. Its text is then data[start:off], start being off
// after space.
func (s *scanner) float() (float64, error) {
	if s.next() != tokenNumber {
		return 0, s.fail("a number")
	}
	start := s.off
	negative := s.data[start] == '-'
	if negative {
		s.off++
	}
	first := s.off
	mant, whole := s.digits(0)
	if whole == 0 || whole > 1 && s.data[first] == '0' {
		s.off = first
		return 0, s.fail("a number without leading zeros")
	}
	fraction := 0
	if s.off < len(s.data) && s.data[s.off] == '.' {
		s.off++
		if mant, fraction = s.digits(mant); fraction == 0 {
			return 0, s.fail("a digit")
		}
	}
	exponent, err := s.exponent()
	if err != nil {
		return 0, err
	}
	// A mantissa below 2^53 and a power up to 10^22 are exact, so one
	// operation rounds once (Clinger, "How to Read Floating Point Numbers
	// Accurately", 1990).
	exponent -= fraction
	if whole+fraction <= 19 && mant <= 1<<53 && -22 <= exponent && exponent <= 22 {
		v := float64(mant)
		if exponent < 0 {
			v /= math.Pow10(-exponent)
		} else {
			v *= math.Pow10(exponent)
		}
		if negative {
			v = -v
		}
		return v, nil
	}
	v, err := strconv.ParseFloat(string(s.data[start:s.off]), 64)
	if err != nil {
		return 0, invalidf("JSON at byte %d: number %s is out of range", start, cut(string(s.data[start:s.off]), 64))
	}
	return v, nil
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

// single returns the float32 nearest to the decimal text, whose nearest float64
// is v; an infinity if it is out of range. Rounding v again would be wrong where
// v is half way between two float32, and may be below their normal range.
func single(v float64, text []byte) float32 {
	const half, below = 1 << 28, 1<<29 - 1
	if math.Float64bits(v)&below == half || math.Abs(v) < 0x1p-126 && v != 0 {
		x, _ := strconv.ParseFloat(string(text), 32) //nolint:errcheck // an overflow is an infinity
		return float32(x)
	}
	return float32(v)
}
