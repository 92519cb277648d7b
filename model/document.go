package model

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The largest text, the most values and the deepest nesting that a spec may
// have. A Keras model of a thousand layers is below 1 MiB.
const (
	maxSpecBytes  = 4 << 20
	maxSpecValues = 1 << 18
	maxSpecDepth  = 64
)

// A position is a place in a text, 1-based; the zero position is unknown.
type position struct{ line, column int }

// A node is one value of a document with its place.
type node struct {
	position

	value any     // nil, bool, int64, uint64, float64 or string; unused with list or fields
	text  string  // a scalar as it was written, quotes and escapes resolved
	list  []*node // of a list, not nil
	// fields of a mapping, not nil, in the order written, keys unique.
	fields []field

	// block is the place of the first character of a block scalar's content;
	// columns of later lines count from its column.
	block position
}

// A field is one key of a mapping.
type field struct {
	position

	key   string
	value *node
}

// errorf returns a SpecError at p.
func (p position) errorf(format string, args ...any) *SpecError {
	return &SpecError{Line: p.line, Column: p.column, Msg: fmt.Sprintf(format, args...)}
}

// get returns the value of key in a mapping, nil if there is none.
func (n *node) get(key string) *node {
	for i := range n.fields {
		if n.fields[i].key == key {
			return n.fields[i].value
		}
	}
	return nil
}

// isNull reports whether n is absent or null.
func (n *node) isNull() bool {
	return n == nil || n.list == nil && n.fields == nil && n.value == nil
}

// String describes n for an error message, short whatever it is.
func (n *node) String() string {
	switch {
	case n.fields != nil:
		keys := make([]string, len(n.fields))
		for i, f := range n.fields {
			keys[i] = f.key
		}
		return shorten("a mapping of {" + strings.Join(keys, ", ") + "}")
	case n.list != nil:
		return fmt.Sprintf("a list of %d", len(n.list))
	}
	if s, ok := n.value.(string); ok {
		return strconv.Quote(shorten(s))
	}
	if n.value == nil {
		return "nothing"
	}
	return shorten(n.text)
}

// shorten cuts s to a length that fits into a message.
func shorten(s string) string {
	const longest = 60
	if utf8.RuneCountInString(s) <= longest {
		return s
	}
	return string([]rune(s)[:longest]) + "…"
}

// any returns n as plain values: map[string]any, []any and scalars.
func (n *node) any() any {
	switch {
	case n.fields != nil:
		m := make(map[string]any, len(n.fields))
		for _, f := range n.fields {
			m[f.key] = f.value.any()
		}
		return m
	case n.list != nil:
		l := make([]any, len(n.list))
		for i, item := range n.list {
			l[i] = item.any()
		}
		return l
	}
	if u, ok := n.value.(uint64); ok {
		return float64(u)
	}
	return n.value
}

// parseDocument parses one document of YAML or JSON.
func parseDocument(text []byte) (*node, *SpecError) {
	if len(text) > maxSpecBytes {
		return nil, position{}.errorf("the text has %d bytes, at most %d are read", len(text), maxSpecBytes)
	}
	if !utf8.Valid(text) {
		return nil, invalidUTF8(text)
	}
	if trimmed := bytes.TrimLeft(text, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' {
		n, err := parseJSON(text)
		if err == nil || !err.syntax {
			return n, err.specError()
		}
		// It may be a YAML flow mapping, such as {name: iris}.
	}
	return parseYAML(text)
}

func invalidUTF8(text []byte) *SpecError {
	p := position{1, 1}
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && size == 1 {
			return p.errorf("the text is not UTF-8: found the byte 0x%02x", text[0])
		}
		p.column++
		if r == '\n' {
			p.line, p.column = p.line+1, 1
		}
		text = text[size:]
	}
	return nil
}
