package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// YAML returns s as a commented text to edit, which ParseSpec reads back to the
// same spec. comments are remarks by feature name and label name, put at the end
// of their lines.
func (s *Spec) YAML(comments map[string]string) ([]byte, error) {
	text, err := s.MarshalJSON()
	if err != nil {
		return nil, err
	}
	root, failure := parseJSON(text)
	if failure != nil {
		return nil, fmt.Errorf("writing spec %q as YAML: %w", s.Name, failure.specError())
	}
	w := yamlWriter{comments: comments}
	for _, f := range root.fields {
		w.section(f)
	}
	return w.out.Bytes(), nil
}

// A yamlWriter writes a spec with a line for each feature, layer and setting.
type yamlWriter struct {
	out      bytes.Buffer
	comments map[string]string
}

func (w *yamlWriter) section(f field) {
	if c := sectionComment(f.key); c != "" {
		fmt.Fprintf(&w.out, "\n# %s\n", c)
	}
	switch f.key {
	case "features", "network":
		fmt.Fprintf(&w.out, "%s:\n", f.key)
		for _, item := range f.value.list {
			fmt.Fprintf(&w.out, "  - %s%s\n", entryForm(item), w.remark(item))
		}
	case "training", "serving", "retrain":
		fmt.Fprintf(&w.out, "%s:\n", f.key)
		for _, setting := range f.value.fields {
			fmt.Fprintf(&w.out, "  %s: %s\n", keyForm(setting.key), flowForm(setting.value))
		}
	default:
		fmt.Fprintf(&w.out, "%s: %s%s\n", f.key, flowForm(f.value), w.remark(f.value))
	}
}

func sectionComment(key string) string {
	switch key {
	case "features":
		return "What the model reads, in the order of a row written as a list."
	case "label":
		return "What it predicts."
	case "network":
		return "Hidden layers; the output layer and the loss follow from the label."
	case "training":
		return "How it is trained."
	case "serving":
		return "How a server runs it."
	}
	return ""
}

// remark returns the comment on the feature or label n.
func (w *yamlWriter) remark(n *node) string {
	name := n.get("name")
	if name == nil {
		return ""
	}
	comment := strings.Join(strings.FieldsFunc(w.comments[name.text], func(r rune) bool {
		return r < ' ' || r == '\u007f' || r == '\u0085' || r == '\u2028' || r == '\u2029'
	}), " ")
	if comment = strings.TrimSpace(comment); comment == "" {
		return ""
	}
	return "  # " + comment
}

// entryForm writes a layer as Name: {arguments}, anything else in flow style.
func entryForm(n *node) string {
	if len(n.fields) == 1 && n.fields[0].value.fields != nil {
		return keyForm(n.fields[0].key) + ": " + flowForm(n.fields[0].value)
	}
	return flowForm(n)
}

// flowForm writes n on one line.
func flowForm(n *node) string {
	parts := make([]string, 0, len(n.fields)+len(n.list))
	switch {
	case n.fields != nil:
		for _, f := range n.fields {
			parts = append(parts, keyForm(f.key)+": "+flowForm(f.value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case n.list != nil:
		for _, item := range n.list {
			parts = append(parts, flowForm(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	if s, ok := n.value.(string); ok {
		return keyForm(s)
	}
	if n.value == nil {
		return "null"
	}
	return n.text
}

var plainWord = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// keyForm writes s plainly where every YAML reader takes it for the same text,
// else in quotes.
func keyForm(s string) string {
	special := []string{"true", "false", "yes", "no", "on", "off", "y", "n", "null"}
	if plainWord.MatchString(s) && !slices.Contains(special, strings.ToLower(s)) {
		return s
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return `""` // a string always encodes
	}
	return strings.TrimRight(b.String(), "\n")
}
