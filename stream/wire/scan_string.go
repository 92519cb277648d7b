package wire

import (
	"unicode/utf16"
	"unicode/utf8"
)

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

// hex returns the rune of the escape at i, \u with four hexadecimal digits, -1 if there is none.
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
