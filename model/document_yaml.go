package model

import (
	"bytes"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// parseYAML parses one YAML document. Scalars follow the core schema of YAML
// 1.2. Anchors, aliases, merge keys and tags, which a spec has no use for, are
// refused.
func parseYAML(text []byte) (n *node, failure *SpecError) {
	// The parser is third-party code that reads a stranger's text.
	defer func() {
		if r := recover(); r != nil {
			n, failure = nil, position{}.errorf("the text is not valid YAML: %v", r)
		}
	}()
	if failure := checkNesting(text); failure != nil {
		return nil, failure
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, yamlError(err)
	}
	c := yamlConverter{lines: strings.Split(string(text), "\n")}
	var root *node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			return nil, tokenPosition(doc.Body.GetToken()).errorf("a second document begins here, a spec is one document")
		}
		if root, failure = c.convert(doc.Body, 0); failure != nil {
			return nil, failure
		}
	}
	if root == nil {
		return nil, position{1, 1}.errorf("the text is empty, a spec begins with \"name: …\"")
	}
	return root, nil
}

// checkNesting refuses flow brackets and lists in lists on one line so deep that
// a recursive parser would exhaust its stack or its time. Brackets in strings
// count too, which cannot harm.
func checkNesting(text []byte) *SpecError {
	const brackets = 1000
	depth, line := 0, 0
	for l := range bytes.Lines(text) {
		line++
		dashes := 0
		for rest := bytes.TrimLeft(l, " "); bytes.HasPrefix(rest, []byte("- ")); dashes++ {
			rest = bytes.TrimLeft(rest[2:], " ")
		}
		for _, b := range l {
			switch b {
			case '[', '{':
				depth++
			case ']', '}':
				depth = max(depth-1, 0)
			}
			if depth > brackets || dashes > maxSpecDepth {
				return position{line, 1}.errorf("nested deeper than %d levels", maxSpecDepth)
			}
		}
	}
	return nil
}

func yamlError(err error) *SpecError {
	e, ok := errors.AsType[yaml.Error](err)
	if !ok {
		return position{}.errorf("not valid YAML: %v", err)
	}
	p := tokenPosition(e.GetToken())
	if strings.Contains(e.GetMessage(), "already defined") {
		return p.errorf("doubled key: %s", e.GetMessage())
	}
	if strings.Contains(e.GetMessage(), "tab character") || strings.Contains(e.GetMessage(), "\t") {
		return p.errorf("not valid YAML: a tab cannot indent, use spaces")
	}
	return p.errorf("not valid YAML: %s", e.GetMessage())
}

func tokenPosition(t *token.Token) position {
	if t == nil || t.Position == nil {
		return position{}
	}
	return position{t.Position.Line, t.Position.Column}
}

// A yamlConverter turns the parser's nodes into ours.
type yamlConverter struct{ lines []string }

func (c *yamlConverter) convert(n ast.Node, depth int) (*node, *SpecError) {
	out := &node{position: tokenPosition(n.GetToken())}
	if depth > maxSpecDepth {
		return nil, out.errorf("nested deeper than %d levels", maxSpecDepth)
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		return c.mapping(out, n.Values, n.IsFlowStyle, depth)
	case *ast.MappingValueNode:
		return c.mapping(out, []*ast.MappingValueNode{n}, n.IsFlowStyle, depth)
	case *ast.SequenceNode:
		out.list = []*node{}
		for _, v := range n.Values {
			item, err := c.convert(v, depth+1)
			if err != nil {
				return nil, err
			}
			out.list = append(out.list, item)
		}
		return out, nil
	case *ast.LiteralNode:
		out.value, out.text = n.Value.Value, n.Value.Value
		if strings.HasPrefix(n.Start.Value, "|") {
			out.block = c.blockStart(out.line, n.Value.Value)
		}
		return out, nil
	}
	return scalar(out, n)
}

// blockStart returns the place of the content of a literal block scalar whose
// "|" stands in line.
func (c *yamlConverter) blockStart(line int, value string) position {
	first, _, _ := strings.Cut(value, "\n")
	if line >= len(c.lines) {
		return position{}
	}
	return position{line + 1, 1 + max(0, indent(c.lines[line])-indent(first))}
}

func indent(s string) int { return len(s) - len(strings.TrimLeft(s, " ")) }

func (c *yamlConverter) mapping(out *node, values []*ast.MappingValueNode, flow bool, depth int) (*node, *SpecError) {
	out.fields = []field{}
	seen := map[string]position{}
	for i, v := range values {
		at := tokenPosition(v.Key.GetToken())
		if i == 0 && !flow {
			out.position = at // the token of a block mapping is its first colon
		}
		key, err := scalarKey(v.Key, at)
		if err != nil {
			return nil, err
		}
		if first, doubled := seen[key]; doubled {
			return nil, at.errorf("the key %q is doubled, it stands in line %d already", shorten(key), first.line)
		}
		seen[key] = at
		value, err := c.convert(v.Value, depth+1)
		if err != nil {
			return nil, err
		}
		out.fields = append(out.fields, field{position: at, key: key, value: value})
	}
	return out, nil
}

func scalarKey(k ast.MapKeyNode, at position) (string, *SpecError) {
	n, ok := k.(ast.Node)
	if !ok {
		return "", at.errorf("a key must be a plain word")
	}
	switch n.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		return n.GetToken().Value, nil
	case *ast.MergeKeyNode:
		return "", at.errorf("merge keys (<<) are not supported, write the keys out")
	}
	return "", at.errorf("a key must be a plain word")
}

func scalar(out *node, n ast.Node) (*node, *SpecError) {
	switch n := n.(type) {
	case *ast.NullNode:
		out.text = n.Token.Value
	case *ast.BoolNode:
		out.value, out.text = n.Value, n.Token.Value
	case *ast.IntegerNode, *ast.FloatNode:
		out.text = n.GetToken().Value
		value, ok := parseNumber(out.text)
		if !ok {
			return nil, out.errorf("the number %s is not one that can be used", shorten(out.text))
		}
		out.value = value
	case *ast.StringNode:
		out.value, out.text = n.Value, n.Value
		if n.Token.Type == token.StringType {
			if value, ok := parseNumber(n.Value); ok {
				out.value = value
			}
		}
	case *ast.InfinityNode, *ast.NanNode:
		return nil, out.errorf("got %s, all numbers of a spec are finite", n.GetToken().Value)
	case *ast.AnchorNode, *ast.AliasNode:
		return nil, out.errorf("anchors and aliases (& and *) are not supported, write the value out")
	case *ast.TagNode:
		return nil, out.errorf("tags (!) are not supported, write the value plainly or in quotes")
	default:
		return nil, out.errorf("this form of YAML is not supported in a spec")
	}
	return out, nil
}

var numberForm = regexp.MustCompile(
	`^[-+]?(0x[0-9a-fA-F]+|0o[0-7]+|[0-9][0-9_]*(\.[0-9]*)?([eE][-+]?[0-9]+)?|\.[0-9]+([eE][-+]?[0-9]+)?)$`)

// parseNumber returns the int64, uint64 or float64 that text stands for in the
// core schema of YAML 1.2, of which JSON's numbers are a part, or in Go's
// notation with underscores.
func parseNumber(text string) (any, bool) {
	if !numberForm.MatchString(text) {
		return nil, false
	}
	digits := strings.TrimPrefix(strings.ReplaceAll(text, "_", ""), "+")
	base := 10
	if len(digits) > 1 && digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'o') {
		base = 0
	}
	if i, err := strconv.ParseInt(digits, base, 64); err == nil {
		return i, true
	}
	if u, err := strconv.ParseUint(digits, base, 64); err == nil {
		return u, true
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil || base == 0 {
		return nil, false
	}
	return f, true
}
