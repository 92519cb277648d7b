package nn

import (
	"fmt"
	"math"
	"slices"
)

// An Initializer says how a parameter gets its first values. The zero value is
// the default of the layer that uses it.
type Initializer struct {
	// Name is Keras's: zeros, ones, constant, glorot_uniform, glorot_normal,
	// he_uniform, he_normal, lecun_uniform, lecun_normal, random_uniform,
	// random_normal, truncated_normal.
	Name string

	Value        float64 // of constant, default 0
	Mean, Stddev float64 // of random_normal and truncated_normal, default 0 and 0.05
	Min, Max     float64 // of random_uniform, default -0.05 and 0.05 (if both are 0)
}

// standardSpread is Keras's default bound of random_uniform and deviation of the
// normal initializers.
const standardSpread = 0.05

func initializerNames() []string {
	return []string{
		"zeros", "ones", "constant", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal",
		"lecun_uniform", "lecun_normal", "random_uniform", "random_normal", "truncated_normal",
	}
}

// parseInitializer returns the initializer that c describes.
func parseInitializer(c Config) (Initializer, error) {
	wanted := fold(c.Name)
	if short := map[string]string{"uniform": "randomuniform", "normal": "randomnormal", "zero": "zeros", "one": "ones"}[wanted]; short != "" {
		wanted = short // Keras's other names
	}
	i := slices.IndexFunc(initializerNames(), func(name string) bool { return fold(name) == wanted })
	if i < 0 {
		return Initializer{}, &ConfigError{Name: c.Name, Msg: unknownWord("initializer", c.Name, initializerNames())}
	}
	a, init := c.arguments(), Initializer{Name: initializerNames()[i]}
	a.ignore("seed", "dtype")
	switch init.Name {
	case "constant":
		init.Value = a.float("value", 0, anyNumber())
	case "random_uniform":
		init.Min = a.float("minval", -standardSpread, anyNumber())
		init.Max = a.float("maxval", standardSpread, anyNumber())
		if init.Max <= init.Min {
			a.fail("maxval", "must be greater than minval, got %v and %v", init.Max, init.Min)
		}
		if init.Min == -standardSpread && init.Max == standardSpread {
			init.Min, init.Max = 0, 0
		}
	case "random_normal", "truncated_normal":
		init.Mean = a.float("mean", 0, anyNumber())
		init.Stddev = a.float("stddev", 0, positive())
	}
	return init, a.done()
}

// config returns the initializer in its neutral form.
func (i Initializer) config() Config {
	c := newConfig(i.Name, "value", i.Value, "mean", i.Mean, "stddev", i.Stddev)
	if i.Min != 0 || i.Max != 0 { // either may be 0, which is not its default
		c.Args = map[string]any{"minval": i.Min, "maxval": i.Max}
	}
	return c
}

// or returns i, or the initializer called name if i is zero.
func (i Initializer) or(name string) Initializer {
	if i.Name == "" {
		return Initializer{Name: name}
	}
	return i
}

// check returns an error if i is none of the known initializers or has a field out
// of its range.
func (i Initializer) check(owner, key string) error {
	if i.Name != "" && !slices.Contains(initializerNames(), i.Name) {
		return &ConfigError{Name: owner, Key: key, Msg: unknownWord("initializer", i.Name, initializerNames())}
	}
	if i.Max <= i.Min && (i.Min != 0 || i.Max != 0) {
		return &ConfigError{Name: owner, Key: key, Msg: fmt.Sprintf("maxval must be greater than minval, got %v and %v", i.Max, i.Min)}
	}
	return firstError(
		inRange(owner, key+".value", i.Value, anyNumber()),
		inRange(owner, key+".mean", i.Mean, anyNumber()),
		inRange(owner, key+".stddev", i.Stddev, nonNegative()),
		inRange(owner, key+".minval", i.Min, anyNumber()),
		inRange(owner, key+".maxval", i.Max, anyNumber()),
	)
}

// truncatedDeviation is the standard deviation of the standard normal
// distribution cut at two: normal initializers divide by it, as Keras does, to
// keep the variance they are named for.
const truncatedDeviation = 0.87962566103423978

// fill writes the first values of a parameter of shape (fan in, fan out).
func (i Initializer) fill(values []float32, shape []int, r *source) {
	in, out := fans(shape)
	switch i.Name {
	case "ones":
		i.constant(values, 1)
	case "constant":
		i.constant(values, i.Value)
	case "glorot_uniform":
		r.uniform(values, -math.Sqrt(6/(in+out)), math.Sqrt(6/(in+out)))
	case "he_uniform":
		r.uniform(values, -math.Sqrt(6/in), math.Sqrt(6/in))
	case "lecun_uniform":
		r.uniform(values, -math.Sqrt(3/in), math.Sqrt(3/in))
	case "glorot_normal":
		r.truncated(values, 0, math.Sqrt(2/(in+out))/truncatedDeviation)
	case "he_normal":
		r.truncated(values, 0, math.Sqrt(2/in)/truncatedDeviation)
	case "lecun_normal":
		r.truncated(values, 0, math.Sqrt(1/in)/truncatedDeviation)
	case "random_uniform":
		lo, hi := i.Min, i.Max
		if lo == 0 && hi == 0 {
			lo, hi = -standardSpread, standardSpread
		}
		r.uniform(values, lo, hi)
	case "random_normal":
		r.normal(values, i.Mean, i.deviation())
	case "truncated_normal":
		r.truncated(values, i.Mean, i.deviation())
	}
}

func (i Initializer) constant(values []float32, v float64) {
	for j := range values {
		values[j] = float32(v)
	}
}

func (i Initializer) deviation() float64 {
	return orDefault(i.Stddev, standardSpread)
}

// fans returns how many inputs and outputs a parameter of shape connects, as
// Keras counts them.
func fans(shape []int) (in, out float64) {
	switch len(shape) {
	case 0:
		return 1, 1
	case 1:
		return float64(shape[0]), float64(shape[0])
	}
	return float64(shape[0]), float64(shape[1])
}
