package wire

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds how deep lists and objects nest.
const maxDepth = 64

// A token is the kind of the value that comes next.
type token uint8

const (
	tokenNone token = iota // no value begins here
	tokenObject
	tokenArray
	tokenString
	tokenNumber
	tokenTrue
	tokenFalse
	tokenNull
)

// A scanner reads JSON (RFC 8259) from bytes, one value at a time, as the
// caller asks: open, more, key, and one of str, float, boolean, null, skip. It
// builds nothing and allocates only for strings with escapes. Beyond the
// grammar it refuses text that is not UTF-8, lone surrogates, numbers beyond
// float64, and nesting deeper than maxDepth.
type scanner struct {
	data  []byte
	off   int
	depth int
	text  []byte // the last string with escapes
}

func (s *scanner) reset(data []byte) { s.data, s.off, s.depth = data, 0, 0 }

// at returns a scanner over bytes [lo, hi) of s, whose offsets are those of s.
func (s *scanner) at(lo, hi int) scanner { return scanner{data: s.data[:hi], off: lo} }

// space skips white space and returns the next byte, 0 at the end.
func (s *scanner) space() byte {
	for s.off < len(s.data) {
		switch c := s.data[s.off]; c {
		case ' ', '\t', '\n', '\r':
			s.off++
		default:
			return c
		}
	}
	return 0
}

// next returns the kind of the next value, by its first byte.
func (s *scanner) next() token {
	switch c := s.space(); {
	case c == '{':
		return tokenObject
	case c == '[':
		return tokenArray
	case c == '"':
		return tokenString
	case c == '-' || '0' <= c && c <= '9':
		return tokenNumber
	case c == 't':
		return tokenTrue
	case c == 'f':
		return tokenFalse
	case c == 'n':
		return tokenNull
	}
	return tokenNone
}

// fail returns a syntax error at the current place.
func (s *scanner) fail(want string) error {
	got := "the end"
	if rest := s.data[min(s.off, len(s.data)):]; len(rest) > 0 {
		word := rest[:min(len(rest), 16)]
		n := 0
		for n < len(word) && ('a' <= word[n]|0x20 && word[n]|0x20 <= 'z') {
			n++
		}
		if n == 0 {
			_, n = utf8.DecodeRune(rest)
		}
		got = quote(string(rest[:n]))
	}
	return invalidf("JSON at byte %d: want %s, got %s", s.off, want, got)
}

// open enters a list ('[') or object ('{').
func (s *scanner) open(c byte) error {
	if s.space() != c {
		if c == '[' {
			return s.fail("a list")
		}
		return s.fail("an object")
	}
	if s.depth++; s.depth > maxDepth {
		return invalidf("JSON at byte %d: nested deeper than %d", s.off, maxDepth)
	}
	s.off++
	return nil
}

// more reports whether another element follows; it consumes the comma before
// it, or the end of the list (']') or object ('}'). first is true right after open.
func (s *scanner) more(end byte, first bool) (bool, error) {
	c := s.space()
	switch {
	case c == end && s.off < len(s.data):
		s.off++
		s.depth--
		return false, nil
	case first:
		return true, nil
	case c == ',':
		s.off++
		return true, nil
	case end == ']':
		return false, s.fail("',' or ']'")
	}
	return false, s.fail("',' or '}'")
}

// key reads a member's name and colon. The result is valid until the next string.
func (s *scanner) key() ([]byte, error) {
	if s.space() != '"' {
		return nil, s.fail("a key in double quotes")
	}
	key, err := s.str()
	if err != nil {
		return nil, err
	}
	if s.space() != ':' {
		return nil, s.fail("':'")
	}
	s.off++
	return key, nil
}

// str reads a string. The result is valid until the next string.
func (s *scanner) str() ([]byte, error) {
	if s.space() != '"' {
		return nil, s.fail("a string")
	}
	start := s.off + 1
	ascii := true
	for i := start; i < len(s.data); i++ {
		switch c := s.data[i]; {
		case c == '"':
			text := s.data[start:i]
			if !ascii && !utf8.Valid(text) {
				return nil, invalidf("JSON at byte %d: string is not UTF-8", s.off)
			}
			s.off = i + 1
			return text, nil
		case c == '\\':
			return s.escaped(start, i)
		case c < ' ':
			s.off = i
			return nil, s.fail("no control character in a string")
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	s.off = len(s.data)
	return nil, s.fail("'\"'")
}

// escaped reads a string that begins at start and has its first escape at i.
func (s *scanner) escaped(start, i int) ([]byte, error) {
	text := append(s.text[:0], s.data[start:i]...)
	for i < len(s.data) {
		c := s.data[i]
		switch {
		case c == '"':
			s.text = text
			if !utf8.Valid(text) {
				return nil, invalidf("JSON at byte %d: string is not UTF-8", start)
			}
			s.off = i + 1
			return text, nil
		case c == '\\':
			var err error
			if text, i, err = s.escape(text, i); err != nil {
				return nil, err
			}
			continue
		case c < ' ':
			s.off = i
			return nil, s.fail("no control character in a string")
		}
		text = append(text, c)
		i++
	}
	s.off = len(s.data)
	return nil, s.fail("'\"'")
}

// escape appends what the escape at i stands for and returns the place after it.
func (s *scanner) escape(text []byte, i int) ([]byte, int, error) {
	s.off = i
	if i+1 >= len(s.data) {
		return nil, 0, s.fail("an escape")
	}
	switch c := s.data[i+1]; c {
	case '"', '\\', '/':
		return append(text, c), i + 2, nil
	case 'b':
		return append(text, '\b'), i + 2, nil
	case 'f':
		return append(text, '\f'), i + 2, nil
	case 'n':
		return append(text, '\n'), i + 2, nil
	case 'r':
		return append(text, '\r'), i + 2, nil
	case 't':
		return append(text, '\t'), i + 2, nil
	case 'u':
		r := s.hex(i)
		if utf16.IsSurrogate(r) {
			if r = utf16.DecodeRune(r, s.hex(i+6)); r == utf8.RuneError {
				return nil, 0, invalidf("JSON at byte %d: lone surrogate", i)
			}
			i += 6
		}
		if r >= 0 {
			return utf8.AppendRune(text, r), i + 6, nil
		}
	}
	return nil, 0, s.fail(`an escape such as \n or \u00e9`)
}

// hex returns the rune of the escape \uXXXX at i, -1 if there is none.
func (s *scanner) hex(i int) rune {
	if i+6 > len(s.data) || s.data[i] != '\\' || s.data[i+1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range s.data[i+2 : i+6] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return -1
		}
	}
	return r
}

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

// boolean reads true or false.
func (s *scanner) boolean() (bool, error) {
	switch s.next() { //nolint:exhaustive // two of them are booleans
	case tokenTrue:
		return true, s.literal("true")
	case tokenFalse:
		return false, s.literal("false")
	}
	return false, s.fail("true or false")
}

// null reads null.
func (s *scanner) null() error {
	s.space()
	return s.literal("null")
}

func (s *scanner) literal(word string) error {
	if !strings.HasPrefix(string(s.data[s.off:min(s.off+len(word), len(s.data))]), word) {
		return s.fail(word)
	}
	s.off += len(word)
	return nil
}

// skip reads any value.
func (s *scanner) skip() error {
	var err error
	switch s.next() {
	case tokenObject:
		return s.members(func([]byte) error { return s.skip() })
	case tokenArray:
		_, err = s.elements(func(int) error { return s.skip() })
	case tokenString:
		_, err = s.str()
	case tokenNumber:
		_, err = s.float()
	case tokenTrue, tokenFalse:
		_, err = s.boolean()
	case tokenNull:
		err = s.null()
	case tokenNone:
		err = s.fail("a value")
	}
	return err
}

// elements calls fn at each element of a list, which fn reads, and returns how
// many there were.
func (s *scanner) elements(fn func(i int) error) (int, error) {
	if err := s.open('['); err != nil {
		return 0, err
	}
	for i := 0; ; i++ {
		more, err := s.more(']', i == 0)
		if err != nil || !more {
			return i, err
		}
		if err := fn(i); err != nil {
			return i, err
		}
	}
}

// members calls fn at each value of an object, which fn reads.
func (s *scanner) members(fn func(key []byte) error) error {
	if err := s.open('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := s.more('}', first)
		if err != nil || !more {
			return err
		}
		key, err := s.key()
		if err != nil {
			return err
		}
		if err := fn(key); err != nil {
			return err
		}
	}
}

// object calls fn with the index in known of each key of an object; another key,
// or one twice, is an error.
func (s *scanner) object(known []string, fn func(key int) error) error {
	var seen uint64
	return s.members(func(name []byte) error {
		for i, k := range known {
			if string(name) != k {
				continue
			}
			if seen&(1<<i) != 0 {
				return invalidf("key %q is there twice", k)
			}
			seen |= 1 << i
			return fn(i)
		}
		return invalidf("unknown key %s: want one of %s", quote(string(name)), list(known))
	})
}

// end checks that nothing follows.
func (s *scanner) end() error {
	if s.space(); s.off < len(s.data) {
		return s.fail("nothing after the message")
	}
	return nil
}

// got describes the next value for an error, such as `string "abc"`.
func (s *scanner) got() string {
	look := s.at(s.off, len(s.data))
	switch look.next() {
	case tokenObject:
		return "an object"
	case tokenArray:
		return "a list"
	case tokenString:
		if text, err := look.str(); err == nil {
			return "string " + quote(string(text))
		}
	case tokenNumber:
		start := look.off
		if _, err := look.float(); err == nil {
			return "number " + cut(string(look.data[start:look.off]), 64)
		}
	case tokenTrue:
		return "true"
	case tokenFalse:
		return "false"
	case tokenNull:
		return "null"
	case tokenNone:
	}
	return "what is not JSON"
}

// list joins quoted names, the first 16 of them.
func list(names []string) string {
	var b strings.Builder
	for i, name := range names {
		if i == 16 {
			b.WriteString(", … (")
			b.WriteString(strconv.Itoa(len(names)))
			b.WriteString(" in all)")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(name))
	}
	return b.String()
}
