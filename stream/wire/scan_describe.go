package wire

import (
	"strconv"
	"strings"
)

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
