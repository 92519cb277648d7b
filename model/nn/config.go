package nn

import (
	"errors"
	"fmt"
	"maps"
	"strings"
)

// A Config is the neutral form of a layer, optimizer, loss, initializer,
// regularizer or schedule: Keras's class name (or snake_case name of a loss)
// and its config dictionary. Numbers are float64, int64 or json.Number,
// lists []any, dictionaries map[string]any; a nested object is a Config in
// Keras's form {"class_name": …, "config": {…}}, our form {Name: {…}}, or a
// bare name.
type Config struct {
	Name string
	Args map[string]any
}

// A ConfigError reports what is wrong in a [Config].
type ConfigError struct {
	Name string // the object, such as "Dense"
	Key  string // the argument, empty if the object itself is at fault
	Msg  string // what was received and what would be right
}

// Error implements error.
func (e *ConfigError) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("%s: %s", e.Name, e.Msg)
	}
	return fmt.Sprintf("%s.%s: %s", e.Name, e.Key, e.Msg)
}

// under returns err with its object placed in the argument key of owner.
func under(owner, key string, err error) error {
	inner, ok := errors.AsType[*ConfigError](err)
	if !ok {
		return &ConfigError{Name: owner, Key: key, Msg: err.Error()}
	}
	return &ConfigError{Name: owner, Key: key, Msg: inner.Error()}
}

// newConfig returns the config of name without the arguments that are zero,
// which stand for defaults. pairs are keys and values in turn.
func newConfig(name string, pairs ...any) Config {
	c := Config{Name: name}
	for i := 0; i < len(pairs); i += 2 {
		key, ok := pairs[i].(string)
		if !ok || isZero(pairs[i+1]) {
			continue
		}
		if c.Args == nil {
			c.Args = map[string]any{}
		}
		c.Args[key] = pairs[i+1]
	}
	return c
}

// isZero reports whether v is a zero value that a config leaves out.
func isZero(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case float64:
		return v == 0
	case int:
		return v == 0
	case int64:
		return v == 0
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// withoutDefault returns c with the argument key, a switch that is on unless it
// is said otherwise.
func (c Config) withoutDefault(key string, value bool) Config {
	if value {
		return c
	}
	args := maps.Clone(c.Args)
	if args == nil {
		args = map[string]any{}
	}
	args[key] = false
	return Config{Name: c.Name, Args: args}
}

// nested returns c as an argument of another config: its name alone if it has no
// arguments, else {Name: {…}}; nil if c is zero.
func (c Config) nested() any {
	switch {
	case c.Name == "":
		return nil
	case len(c.Args) == 0:
		return c.Name
	}
	return map[string]any{c.Name: c.Args}
}

// parseObject returns the object that v describes in Keras's form, our form or
// as a bare name.
func parseObject(v any) (Config, error) {
	switch v := v.(type) {
	case Config:
		return v, nil
	case string:
		return Config{Name: v}, nil
	case map[string]any:
		return parseDictionary(v)
	}
	return Config{}, fmt.Errorf("want a name or {Name: {…}}, got %s", describe(v))
}

func parseDictionary(m map[string]any) (Config, error) {
	class, keras := m["class_name"]
	if !keras && len(m) != 1 {
		return Config{}, fmt.Errorf("want one {Name: {…}}, got %s", describe(m))
	}
	if !keras {
		for name, args := range m {
			return withArgs(name, args)
		}
	}
	name, ok := class.(string)
	if !ok {
		return Config{}, fmt.Errorf("class_name must be a string, got %s", describe(class))
	}
	return withArgs(name, m["config"])
}

func withArgs(name string, args any) (Config, error) {
	switch args := args.(type) {
	case nil:
		return Config{Name: name}, nil
	case map[string]any:
		return Config{Name: name, Args: args}, nil
	}
	return Config{}, fmt.Errorf("the arguments of %s must be a dictionary, got %s", name, describe(args))
}

// fold returns name in a form in which Keras's class names and snake_case names
// are equal: MeanSquaredError and mean_squared_error, LeakyReLU and leaky_relu.
func fold(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, "_", ""))
}

// firstError returns the first error that is not nil.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// inRange returns an error unless v, the argument key of the object name, is in r.
func inRange(name, key string, v float64, r interval) error {
	if r.contains(v) {
		return nil
	}
	return &ConfigError{Name: name, Key: key, Msg: fmt.Sprintf("must be in %s, got %v", r, v)}
}

// checkSize returns an error if a tensor of shape (rows, cols) would be too large.
func checkSize(name, key string, rows, cols int) error {
	if rows <= maxParams/cols {
		return nil
	}
	return &ConfigError{Name: name, Key: key, Msg: fmt.Sprintf("a tensor of %d×%d numbers is too large, the most is %d", rows, cols, maxParams)}
}

// orDefault returns v, or standard if v is 0.
func orDefault(v, standard float64) float64 {
	if v == 0 {
		return standard
	}
	return v
}
