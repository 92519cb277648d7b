package drift

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/modelbus/modelbus/model/nn"
)

// A parameter is one argument of a method: the field that holds it (one of three
// kinds), its default, and its range.
type parameter struct {
	key      string
	float    *float64
	integer  *int
	text     *string
	standard float64  // of float and integer
	min, max float64  // of float, open, and of integer, closed
	closed   bool     // the max of float is in the range
	words    []string // of text, the default first
}

// assign sets the fields of a method from the arguments of c. Values of the right
// type are not checked further.
func assign(c nn.Config, params []parameter) error {
	keys := make([]string, len(params))
	for i := range params {
		keys[i] = params[i].key
		v, ok := c.Args[params[i].key]
		if !ok || v == nil {
			continue
		}
		if msg := params[i].set(v); msg != "" {
			return &nn.ConfigError{Name: c.Name, Key: keys[i], Msg: msg}
		}
	}
	unknown := make([]string, 0, len(c.Args))
	for key := range c.Args {
		if !slices.Contains(keys, key) {
			unknown = append(unknown, key)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	return &nn.ConfigError{Name: c.Name, Key: unknown[0], Msg: unknownWord("argument", unknown[0], keys)}
}

// set stores v and returns what is wrong with it. A zero that was written is no
// default: it is out of range where a number above 0 is due.
func (p *parameter) set(v any) string {
	if p.text != nil {
		s, ok := v.(string)
		if !ok || !slices.Contains(p.words, s) {
			return fmt.Sprintf("must be one of %q, got %.60v", p.words, v)
		}
		*p.text = s
		return ""
	}
	x, ok := numeral(v)
	switch {
	case !ok:
		return fmt.Sprintf("must be a number, got %.60v", v)
	case p.integer != nil && (x != math.Trunc(x) || math.Abs(x) > math.MaxInt32):
		return fmt.Sprintf("must be a whole number from %v to %v, got %v", p.min, p.max, x)
	case p.integer != nil:
		*p.integer = int(x)
	default:
		*p.float = x
	}
	return p.problem(x)
}

// problem returns what is wrong with x, empty if nothing is.
func (p *parameter) problem(x float64) string {
	switch {
	case p.integer != nil && !(x >= p.min && x <= p.max):
		return fmt.Sprintf("must be a whole number from %v to %v, got %v", p.min, p.max, x)
	case p.float != nil && p.max == math.MaxFloat64 && !(x > p.min && x <= p.max):
		return fmt.Sprintf("must be above %v, got %v", p.min, x)
	case p.float != nil && p.closed && !(x > p.min && x <= p.max):
		return fmt.Sprintf("must be in (%v, %v], got %v", p.min, p.max, x)
	case p.float != nil && p.max < math.MaxFloat64 && !p.closed && !(x > p.min && x < p.max):
		return fmt.Sprintf("must be in (%v, %v), got %v", p.min, p.max, x)
	}
	return ""
}

// complete fills in the defaults of a method and checks it.
func complete(name string, params []parameter) error {
	for i := range params {
		p := &params[i]
		msg := ""
		switch {
		case p.text != nil && *p.text == "":
			*p.text = p.words[0]
		case p.text != nil:
			msg = p.set(*p.text)
		case p.float != nil && *p.float == 0:
			*p.float = p.standard
		case p.float != nil:
			msg = p.problem(*p.float)
		case *p.integer == 0:
			*p.integer = int(p.standard)
		default:
			msg = p.problem(float64(*p.integer))
		}
		if msg != "" {
			return &nn.ConfigError{Name: name, Key: p.key, Msg: msg}
		}
	}
	return nil
}

// configOf returns the neutral form of a method without its defaults.
func configOf(name string, params []parameter) nn.Config {
	c := nn.Config{Name: name}
	keep := func(key string, v any) {
		if c.Args == nil {
			c.Args = map[string]any{}
		}
		c.Args[key] = v
	}
	for _, p := range params {
		switch {
		case p.text != nil && *p.text != "" && *p.text != p.words[0]:
			keep(p.key, *p.text)
		case p.float != nil && *p.float != 0 && *p.float != p.standard:
			keep(p.key, *p.float)
		case p.integer != nil && *p.integer != 0 && *p.integer != int(p.standard):
			keep(p.key, int64(*p.integer))
		}
	}
	return c
}

// numeral returns the value of a JSON or YAML number.
func numeral(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, finite(v)
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case json.Number:
		x, err := v.Float64()
		return x, err == nil
	}
	return 0, false
}
