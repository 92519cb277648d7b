package nn

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// arguments reads the arguments of a config by key and remembers which keys
// were asked for. The first thing that is wrong is kept until [arguments.done].
// An argument that is absent or null has its default.
type arguments struct {
	config   Config
	known    []string // asked for
	accepted []string // without effect
	err      error
}

func (c Config) arguments() *arguments { return &arguments{config: c} }

// done returns the first error: a wrong value, or an argument nobody asked for.
func (a *arguments) done() error {
	if a.err != nil {
		return a.err
	}
	unknown := make([]string, 0, len(a.config.Args))
	for key := range a.config.Args {
		if !slices.Contains(a.known, key) && !slices.Contains(a.accepted, key) {
			unknown = append(unknown, key)
		}
	}
	if len(unknown) > 0 {
		sort.Strings(unknown)
		a.fail(unknown[0], "%s", unknownWord("argument", unknown[0], a.known))
	}
	return a.err
}

// ignore accepts the arguments keys without effect.
func (a *arguments) ignore(keys ...string) {
	a.accepted = append(a.accepted, keys...)
}

// refuse accepts the arguments keys only if they are null or false: they would
// change the result in a way that is not supported.
func (a *arguments) refuse(keys ...string) {
	a.accepted = append(a.accepted, keys...)
	for _, key := range keys {
		if v := a.config.Args[key]; v != nil && v != false {
			a.fail(key, "is not supported, got %s; leave it out", describe(v))
		}
	}
}

// fail keeps an error about the argument key (or the whole object if key is empty).
func (a *arguments) fail(key, format string, args ...any) {
	if a.err == nil {
		a.err = &ConfigError{Name: a.config.Name, Key: key, Msg: fmt.Sprintf(format, args...)}
	}
}

// value returns the argument key and whether it is there and not null.
func (a *arguments) value(key string) (any, bool) {
	a.known = append(a.known, key)
	v, ok := a.config.Args[key]
	return v, ok && v != nil
}

// float returns a number within r.
func (a *arguments) float(key string, standard float64, r interval) float64 {
	v, ok := a.value(key)
	if !ok {
		return standard
	}
	f, ok := number(v)
	if !ok {
		a.fail(key, "must be a number, got %s", describe(v))
		return standard
	}
	if !r.contains(f) {
		a.fail(key, "must be in %s, got %s", r, describe(v))
		return standard
	}
	return f
}

// integer returns a whole number of at least lowest.
func (a *arguments) integer(key string, standard, lowest int) int {
	v, ok := a.value(key)
	if !ok {
		return standard
	}
	f, ok := number(v)
	if !ok || f != math.Trunc(f) {
		a.fail(key, "must be a whole number, got %s", describe(v))
		return standard
	}
	if f < float64(lowest) || f > math.MaxInt32 {
		a.fail(key, "must be a whole number from %d to %d, got %s", lowest, math.MaxInt32, describe(v))
		return standard
	}
	return int(f)
}

// boolean returns true or false.
func (a *arguments) boolean(key string, standard bool) bool {
	v, ok := a.value(key)
	if !ok {
		return standard
	}
	b, ok := v.(bool)
	if !ok {
		a.fail(key, "must be true or false, got %s", describe(v))
		return standard
	}
	return b
}

// text returns a string, empty if absent.
func (a *arguments) text(key string) string {
	v, ok := a.value(key)
	if !ok {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		a.fail(key, "must be a string, got %s", describe(v))
	}
	return s
}

// list returns a list, nil if absent.
func (a *arguments) list(key string) []any {
	v, ok := a.value(key)
	if !ok {
		return nil
	}
	l, ok := v.([]any)
	if !ok {
		a.fail(key, "must be a list, got %s", describe(v))
	}
	return l
}

// object returns a nested object and whether there is one.
func (a *arguments) object(key string) (Config, bool) {
	v, ok := a.value(key)
	if !ok {
		return Config{}, false
	}
	c, err := parseObject(v)
	if err != nil {
		a.fail(key, "%v", err)
		return Config{}, false
	}
	return c, true
}

// initializer returns the initializer in the argument key, the zero value if
// there is none.
func (a *arguments) initializer(key string) Initializer {
	c, ok := a.object(key)
	if !ok {
		return Initializer{}
	}
	i, err := parseInitializer(c)
	a.wrap(key, err)
	return i
}

// regularizer returns the regularizer in the argument key, the zero value if
// there is none.
func (a *arguments) regularizer(key string) Regularizer {
	c, ok := a.object(key)
	if !ok {
		return Regularizer{}
	}
	r, err := parseRegularizer(c)
	a.wrap(key, err)
	return r
}

// lastAxis accepts the argument axis if it names the columns of (rows, columns).
func (a *arguments) lastAxis() {
	v, ok := a.value("axis")
	if !ok {
		return
	}
	axis := v
	if l, ok := v.([]any); ok && len(l) == 1 {
		axis = l[0]
	}
	if f, ok := number(axis); !ok || f != -1 && f != 1 {
		a.fail("axis", "must be -1, got %s", describe(v))
	}
}

// only accepts the initializer in the argument key if it is called name.
func (a *arguments) only(key, name string) {
	if i := a.initializer(key); i.Name != "" && i.Name != name {
		a.fail(key, "must be %s, got %s", name, i.Name)
	}
}

// wrap keeps err, which came from the object in the argument key.
func (a *arguments) wrap(key string, err error) {
	if err != nil && a.err == nil {
		a.err = under(a.config.Name, key, err)
	}
}

// number returns the value of a JSON or YAML number. Infinities and NaN are none.
func number(v any) (float64, bool) {
	var f float64
	switch v := v.(type) {
	case float64:
		f = v
	case float32:
		f = float64(v)
	case int:
		f = float64(v)
	case int64:
		f = float64(v)
	case uint64:
		f = float64(v)
	case json.Number:
		parsed, err := v.Float64()
		if err != nil {
			return 0, false
		}
		f = parsed
	default:
		return 0, false
	}
	return f, !math.IsNaN(f) && !math.IsInf(f, 0)
}

// describe returns v for an error message, short whatever it is.
func describe(v any) string {
	const longest = 60
	var s string
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		s = strconv.Quote(v)
	case json.Number:
		s = v.String()
	case map[string]any:
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		s = "a dictionary of {" + strings.Join(keys, ", ") + "}"
	case []any:
		s = fmt.Sprintf("a list of %d", len(v))
	default:
		s = fmt.Sprint(v)
	}
	if runes := []rune(s); len(runes) > longest {
		s = string(runes[:longest]) + "…"
	}
	return s
}
