package wire

import (
	"strings"
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
