package nn

import (
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
		init.Min = a.float("minval", 0, anyNumber())
		init.Max = a.float("maxval", 0, anyNumber())
		if init.Max < init.Min {
			a.fail("maxval", "must not be less than minval, got %v and %v", init.Max, init.Min)
		}
	case "random_normal", "truncated_normal":
		init.Mean = a.float("mean", 0, anyNumber())
		init.Stddev = a.float("stddev", 0, nonNegative())
	}
	return init, a.done()
}

// config returns the initializer in its neutral form.
func (i Initializer) config() Config {
	return newConfig(i.Name, "value", i.Value, "minval", i.Min, "maxval", i.Max, "mean", i.Mean, "stddev", i.Stddev)
}

// or returns i, or the initializer called name if i is zero.
func (i Initializer) or(name string) Initializer {
	if i.Name == "" {
		return Initializer{Name: name}
	}
	return i
}

// check returns an error if i is none of the known initializers.
func (i Initializer) check(owner, key string) error {
	if i.Name == "" || slices.Contains(initializerNames(), i.Name) {
		return nil
	}
	return &ConfigError{Name: owner, Key: key, Msg: unknownWord("initializer", i.Name, initializerNames())}
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
			lo, hi = -0.05, 0.05
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
	if i.Stddev == 0 {
		return 0.05
	}
	return i.Stddev
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
