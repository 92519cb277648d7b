package drift

import (
	"fmt"
	"slices"
	"strings"

	"github.com/modelbus/modelbus/model/nn"
)

// A Method is the configuration of a detector: a plain value such as
// ADWIN{Delta: 0.002}. Zero fields mean the default.
type Method interface {
	// Config returns the method in its neutral form, defaults left out.
	Config() nn.Config

	// New returns a detector that has seen nothing. An error is a
	// [*nn.ConfigError] about a field out of its range.
	New() (Detector, error)
}

// A methodKind is one method by its name in specs.
type methodKind struct {
	name  string
	parse func(nn.Config) (Method, error)
}

func methodKinds() []methodKind {
	return []methodKind{
		{"ADWIN", func(c nn.Config) (Method, error) { m := ADWIN{}; err := assign(c, adwinParameters(&m)); return m, err }},
		{"DDM", func(c nn.Config) (Method, error) { m := DDM{}; err := assign(c, ddmParameters(&m)); return m, err }},
		{"EDDM", func(c nn.Config) (Method, error) { m := EDDM{}; err := assign(c, eddmParameters(&m)); return m, err }},
		{"PageHinkley", func(c nn.Config) (Method, error) {
			m := PageHinkley{}
			err := assign(c, pageHinkleyParameters(&m))
			return m, err
		}},
		{"KSWIN", func(c nn.Config) (Method, error) { m := KSWIN{}; err := assign(c, kswinParameters(&m)); return m, err }},
	}
}

// ParseMethod returns the method that c describes, by River's class name in any
// case and River's arguments. Unknown names and arguments, and values out of
// range, are a [*nn.ConfigError] that says what would be right.
func ParseMethod(c nn.Config) (Method, error) {
	fold := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }
	kinds := methodKinds()
	i := slices.IndexFunc(kinds, func(k methodKind) bool { return fold(k.name) == fold(c.Name) })
	if i < 0 {
		names := make([]string, len(kinds))
		for j, k := range kinds {
			names[j] = k.name
		}
		return nil, &nn.ConfigError{Name: "drift", Msg: unknownWord("detector", c.Name, names)}
	}
	m, err := kinds[i].parse(nn.Config{Name: kinds[i].name, Args: c.Args})
	if err != nil {
		return nil, err
	}
	if _, err := m.New(); err != nil {
		return nil, err
	}
	return m, nil
}

func unknownWord(kind, word string, known []string) string {
	msg := fmt.Sprintf("unknown %s %.60q", kind, word)
	if near := nn.Nearest(word, known); near != "" {
		msg += fmt.Sprintf("; did you mean %q?", near)
	}
	return msg + " (known: " + strings.Join(known, ", ") + ")"
}
