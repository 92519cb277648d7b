package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"
)

// A jsonError is an error of a JSON text. A syntax error may come from a text
// that is YAML.
type jsonError struct {
	SpecError

	syntax bool
}

func (e *jsonError) specError() *SpecError {
	if e == nil {
		return nil
	}
	return &e.SpecError
}

// parseJSON parses one JSON value with nothing after it. Doubled keys, which
// encoding/json lets pass, are errors.
func parseJSON(text []byte) (*node, *jsonError) {
	text = bytes.TrimRight(text, " \t\r\n")
	p := &jsonParser{text: text, decoder: json.NewDecoder(bytes.NewReader(text)), at: position{1, 1}}
	p.decoder.UseNumber()
	n, err := p.parse(0)
	if err != nil {
		return nil, err
	}
	if _, err := p.decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, p.fail(true, "there is more text after the end of the JSON value")
	}
	return n, nil
}

type jsonParser struct {
	text    []byte
	decoder *json.Decoder
	offset  int      // of the text that at stands for
	at      position // of the token last read
	nodes   int      // so far
}

// token reads the next token and notes its place.
func (p *jsonParser) token() (json.Token, *jsonError) {
	start := int(p.decoder.InputOffset())
	for start < len(p.text) && bytes.IndexByte([]byte(" \t\r\n,:"), p.text[start]) >= 0 {
		start++
	}
	p.advance(start)
	t, err := p.decoder.Token()
	if err == nil {
		return t, nil
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		p.advance(min(int(syntax.Offset)-1, len(p.text)))
		return nil, p.fail(true, "not valid JSON: %v", err)
	}
	p.advance(len(p.text))
	return nil, p.fail(true, "the JSON text ends too early")
}

// advance moves the place forward to the byte offset.
func (p *jsonParser) advance(offset int) {
	for p.offset < offset {
		r, size := utf8.DecodeRune(p.text[p.offset:])
		p.offset += size
		p.at.column++
		if r == '\n' {
			p.at.line, p.at.column = p.at.line+1, 1
		}
	}
}

func (p *jsonParser) fail(syntax bool, format string, args ...any) *jsonError {
	return &jsonError{SpecError: *p.at.errorf(format, args...), syntax: syntax}
}

func (p *jsonParser) parse(depth int) (*node, *jsonError) {
	t, err := p.token()
	if err != nil {
		return nil, err
	}
	if p.nodes++; p.nodes > maxSpecValues {
		return nil, p.fail(false, "the text has more than %d values", maxSpecValues)
	}
	n := &node{position: p.at}
	switch t := t.(type) {
	case json.Delim:
		if depth >= maxSpecDepth {
			return nil, p.fail(false, "nested deeper than %d levels", maxSpecDepth)
		}
		if t == '{' {
			return n, p.mapping(n, depth)
		}
		return n, p.items(n, depth)
	case json.Number:
		value, ok := parseNumber(t.String())
		if !ok {
			return nil, p.fail(false, "the number %s is too large", shorten(t.String()))
		}
		n.value, n.text = value, t.String()
	case string:
		n.value, n.text = t, t
	case bool:
		n.value, n.text = t, strconv.FormatBool(t)
	}
	return n, nil
}

func (p *jsonParser) mapping(n *node, depth int) *jsonError {
	n.fields = []field{}
	seen := map[string]position{}
	for p.decoder.More() {
		t, err := p.token()
		if err != nil {
			return err
		}
		key, ok := t.(string)
		if !ok {
			return p.fail(true, "a key must be a string")
		}
		f := field{position: p.at, key: key}
		if first, doubled := seen[key]; doubled {
			return p.fail(false, "the key %q is doubled, it stands in line %d already", shorten(key), first.line)
		}
		seen[key] = p.at
		if f.value, err = p.parse(depth + 1); err != nil {
			return err
		}
		n.fields = append(n.fields, f)
	}
	_, err := p.token()
	return err
}

func (p *jsonParser) items(n *node, depth int) *jsonError {
	n.list = []*node{}
	for p.decoder.More() {
		item, err := p.parse(depth + 1)
		if err != nil {
			return err
		}
		n.list = append(n.list, item)
	}
	_, err := p.token()
	return err
}
