package wire

// run reads numbers of a list as the nearest float32 while it is plain how, each
// with the comma after it, into dst, and returns how many. s stands before an
// element, and stands before one after it: the last one, or one that is long,
// has an exponent, is next to half way between two float32, or is no number at all, is
// left to the caller. That makes the long lists fast, and their errors one matter.
func run[T float32 | float64](s *scanner, dst []T) int {
	data, i := s.data, s.off
	for n := range dst {
		i = afterSpace(data, i)
		negative := i < len(data) && data[i] == '-'
		if negative {
			i++
		}
		first := i
		mant, i2 := digitsAt(data, i, 0)
		i = i2
		count := i - first
		if count == 0 || count > 1 && data[first] == '0' {
			return n
		}
		fraction := 0
		if i < len(data) && data[i] == '.' {
			mant, i2 = digitsAt(data, i+1, mant)
			if fraction = i2 - i - 1; fraction == 0 {
				return n
			}
			i = i2
		}
		if i = afterSpace(data, i); i >= len(data) || data[i] != ',' || count+fraction > mantDigits {
			return n
		}
		v := float64(mant) / power(fraction) // at most mantDigits, which is below mostPower
		if !clear32(v) {
			return n
		}
		if negative {
			v = -v
		}
		dst[n] = T(float32(v))
		i++
		s.off = i
	}
	return len(dst)
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
