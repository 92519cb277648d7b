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
	config Config
	known  []string
	err    error
}

func (c Config) arguments() *arguments { return &arguments{config: c} }

// done returns the first error: a wrong value, or an argument nobody asked for.
func (a *arguments) done() error {
	if a.err != nil {
		return a.err
	}
	unknown := make([]string, 0, len(a.config.Args))
	for key := range a.config.Args {
		if !slices.Contains(a.known, key) {
			unknown = append(unknown, key)
		}
	}
	if len(unknown) > 0 {
		sort.Strings(unknown)
		a.fail(unknown[0], "%s", unknownWord("argument", unknown[0], a.documented()))
	}
	return a.err
}

// documented returns the known arguments that change something, in the order
// they were asked for.
func (a *arguments) documented() []string {
	return slices.DeleteFunc(slices.Clone(a.known), func(key string) bool {
		return slices.Contains(inertArguments(), key)
	})
}

// inertArguments returns the arguments of every Keras object that change
// nothing here.
func inertArguments() []string {
	return []string{
		"name", "dtype", "trainable", "batch_input_shape", "batch_shape", "input_shape", "build_config",
		"activity_regularizer", "kernel_constraint", "bias_constraint", "lora_rank", "quantization_config",
	}
}

// ignore accepts the arguments keys without effect.
func (a *arguments) ignore(keys ...string) { a.known = append(a.known, keys...) }

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

// text returns a string.
func (a *arguments) text(key, standard string) string {
	v, ok := a.value(key)
	if !ok {
		return standard
	}
	s, ok := v.(string)
	if !ok {
		a.fail(key, "must be a string, got %s", describe(v))
		return standard
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

// wrap keeps err, which came from the object in the argument key.
func (a *arguments) wrap(key string, err error) {
	if err != nil && a.err == nil {
		a.err = under(a.config.Name, key, err)
	}
}

// An interval is a range of numbers; Open ends are not part of it.
type interval struct {
	min, max         float64
	minOpen, maxOpen bool
}

func anyNumber() interval   { return interval{min: -math.MaxFloat64, max: math.MaxFloat64} }
func nonNegative() interval { return interval{min: 0, max: math.MaxFloat64} }
func positive() interval    { return interval{min: 0, max: math.MaxFloat64, minOpen: true} }

// fraction is [0, 1), openFraction is (0, 1), closedFraction is [0, 1].
func fraction() interval       { return interval{min: 0, max: 1, maxOpen: true} }
func openFraction() interval   { return interval{min: 0, max: 1, minOpen: true, maxOpen: true} }
func closedFraction() interval { return interval{min: 0, max: 1} }

// contains reports whether f is in r. NaN and infinities never are.
func (r interval) contains(f float64) bool {
	if r.minOpen && f == r.min || r.maxOpen && f == r.max {
		return false
	}
	return f >= r.min && f <= r.max
}

// String returns r as mathematics writes it.
func (r interval) String() string {
	lo, hi := "["+strconv.FormatFloat(r.min, 'g', -1, 64), strconv.FormatFloat(r.max, 'g', -1, 64)+"]"
	if r.min == -math.MaxFloat64 {
		lo = "(-∞"
	} else if r.minOpen {
		lo = "(" + lo[1:]
	}
	if r.max == math.MaxFloat64 {
		hi = "∞)"
	} else if r.maxOpen {
		hi = hi[:len(hi)-1] + ")"
	}
	return lo + ", " + hi
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

// unknownWord says that word is no kind, which one was probably meant, and
// which there are.
func unknownWord(kind, word string, known []string) string {
	if len(known) == 0 {
		return fmt.Sprintf("unknown %s %s; there are none", kind, describe(word))
	}
	msg := fmt.Sprintf("unknown %s %s", kind, describe(word))
	if near := nearest(word, known); near != "" {
		msg += fmt.Sprintf("; did you mean %q?", near)
	}
	return msg + " (known: " + strings.Join(known, ", ") + ")"
}

// nearest returns the word of known that word is a misspelling of, empty if none
// is near: at most a third of its letters away.
func nearest(word string, known []string) string {
	folded := []rune(fold(word))
	if len(folded) > 64 {
		return ""
	}
	best, bestDistance := "", len(folded)/3+1
	for _, k := range known {
		if d := editDistance(folded, []rune(fold(k))); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best
}

// editDistance is the Levenshtein distance of a and b.
func editDistance(a, b []rune) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j]+1, row[j+1]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
