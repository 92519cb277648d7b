package wire

// run reads numbers of a list as the nearest float32 while it is plain how, each
// with the comma after it, into dst, and returns how many. s stands before an
// element, and stands before one after it: the last one, or one that is long,
// has an exponent, is next to half way between two float32, or is no number at all, is
// left to the caller. That makes the long lists fast, and their errors one matter.
func run[T float32 | float64](s *scanner, dst []T) int {
	data, i := s.data, s.off
	for n := range dst {
		v, _, end, ok := plainNumber(data, i)
		if !ok || data[end] != ',' || !clear32(v) {
			return n
		}
		dst[n] = T(float32(v))
		i = end + 1
		s.off = i
	}
	return len(dst)
}

// plainNumber reads a number that is plain and the space around it, from i on, and
// returns the place after them, which is not the end of data. v has at most two
// roundings, and exact says that it has one. ok is false for other numbers.
func plainNumber(data []byte, i int) (v float64, exact bool, end int, ok bool) {
	i = afterSpace(data, i)
	negative := i < len(data) && data[i] == '-'
	if negative {
		i++
	}
	mant, fraction, end, ok := plainDecimal(data, i)
	if !ok {
		return 0, false, end, false
	}
	end = afterSpace(data, end)
	v = float64(mant) / power(fraction) // at most mantDigits, which is below mostPower
	if negative {
		v = -v
	}
	return v, mant <= 1<<53, end, end < len(data)
}

// plainDecimal reads digits, and after a point more, from i on: the number without its point,
// how many digits were behind it, and the place after them. ok is false where that is
// no number of JSON, or has more than mantDigits.
func plainDecimal(data []byte, i int) (mant uint64, fraction, end int, ok bool) {
	first := i
	mant, i = digitsAt(data, i, 0)
	count := i - first
	if count == 0 || count > 1 && data[first] == '0' {
		return 0, 0, i, false
	}
	if i < len(data) && data[i] == '.' {
		point := i
		mant, i = digitsAt(data, i+1, mant)
		if fraction = i - point - 1; fraction == 0 {
			return 0, 0, i, false
		}
	}
	return mant, fraction, i, count+fraction <= mantDigits
}

// digitsAt reads decimal digits from i on into mant, which wraps where they are
// too many, and returns the place after them.
func digitsAt(data []byte, i int, mant uint64) (uint64, int) {
	for ; i < len(data) && data[i]-'0' <= 9; i++ {
		mant = mant*10 + uint64(data[i]-'0')
	}
	return mant, i
}

func afterSpace(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\r' || data[i] == '\t') {
		i++
	}
	return i
}
