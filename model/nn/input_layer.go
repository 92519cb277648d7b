package nn

import "fmt"

// InputLayer states the width of the input and changes nothing.
type InputLayer struct {
	Width int // 0 accepts any
}

// Config implements [Layer].
func (l InputLayer) Config() Config {
	if l.Width == 0 {
		return newConfig("InputLayer")
	}
	return newConfig("InputLayer", "batch_shape", []any{nil, l.Width})
}

// parseInputLayer reads Keras 3's batch_shape or shape and Keras 2's
// batch_input_shape. A shape of several dimensions, such as an image, is the row
// of its numbers.
func parseInputLayer(a *arguments) InputLayer {
	l := InputLayer{}
	for _, key := range []string{"batch_shape", "batch_input_shape"} {
		if shape := a.list(key); len(shape) > 1 {
			l.Width = a.product(key, shape[1:])
		}
	}
	if shape := a.list("shape"); len(shape) > 0 {
		l.Width = a.product("shape", shape)
	}
	a.refuse("sparse", "ragged", "optional", "tensor")
	return l
}

// product returns the product of a list of positive whole numbers, the argument
// key.
func (a *arguments) product(key string, shape []any) int {
	width := 1
	for _, v := range shape {
		f, ok := number(v)
		if !ok || f != float64(int(f)) || f < 1 || f > float64(maxWidth/width) {
			a.fail(key, "must be whole numbers with a product up to %d, got %s", maxWidth, describe(v))
			return 0
		}
		width *= int(f)
	}
	return width
}

func (l InputLayer) check() error {
	if l.Width < 0 || l.Width > maxWidth {
		return &ConfigError{Name: "InputLayer", Key: "shape", Msg: fmt.Sprintf("must be from 1 to %d, got %d", maxWidth, l.Width)}
	}
	return nil
}

func (l InputLayer) build(in int, _ *builder) ([]operator, error) {
	if l.Width != 0 && l.Width != in {
		return nil, &ConfigError{Name: "InputLayer", Key: "shape", Msg: fmt.Sprintf("is %d wide, but the input has %d columns", l.Width, in)}
	}
	return nil, l.check()
}

// Flatten changes nothing: rows are flat already.
type Flatten struct{}

// Config implements [Layer].
func (l Flatten) Config() Config { return newConfig("Flatten") }

func parseFlatten(a *arguments) Flatten {
	if format := a.text("data_format"); format != "" && format != "channels_last" {
		a.fail("data_format", "must be channels_last, got %q", format)
	}
	return Flatten{}
}

func (l Flatten) check() error { return nil }

func (l Flatten) build(int, *builder) ([]operator, error) { return nil, nil }
