package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/modelbus/modelbus/stream/wire"
)

// decode reads the body of a request into v, a pointer to it; an empty body leaves
// every field at zero.
func (c *call) decode(v any) error {
	if len(bytes.TrimSpace(c.body)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(c.body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w: the body is not right: %s; want %s", wire.ErrInvalid, reason(err), wanted(v))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: there is more after the JSON object, at byte %d", wire.ErrInvalid, d.InputOffset())
	}
	return nil
}

// reason words an error of encoding/json.
func reason(err error) string {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		where := "the whole"
		if e.Field != "" {
			where = fmt.Sprintf("field %q", e.Field)
		}
		return fmt.Sprintf("%s is a %s, not a %s", where, e.Value, e.Type)
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("%v (at byte %d)", e, e.Offset)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return "the JSON ends too early"
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// wanted describes the object that v points to by the JSON names of its fields.
func wanted(v any) string {
	var names []string
	for f := range reflect.TypeOf(v).Elem().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	if len(names) == 0 {
		return "an empty object, or nothing"
	}
	return "an object with any of " + strings.Join(names, ", ")
}
