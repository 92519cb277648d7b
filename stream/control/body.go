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

// body decodes the body of a request; an empty one leaves every field at zero.
func body[T any](c *call) (T, error) {
	var v T
	if len(bytes.TrimSpace(c.body)) == 0 {
		return v, nil
	}
	d := json.NewDecoder(bytes.NewReader(c.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return v, fmt.Errorf("%w: the body is not right: %s; want an object with any of %s",
			wire.ErrInvalid, reason(err), strings.Join(fields(v), ", "))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return v, fmt.Errorf("%w: there is more after the JSON object, at byte %d", wire.ErrInvalid, d.InputOffset())
	}
	return v, nil
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

// fields lists the JSON names of a request's fields.
func fields(v any) []string {
	t := reflect.TypeOf(v)
	var names []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}
