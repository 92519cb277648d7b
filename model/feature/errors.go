package feature

import (
	"errors"
	"fmt"
)

// ErrInvalid is wrapped by every error about a schema, a row or a state.
var ErrInvalid = errors.New("invalid")

// A RowError is what is wrong with one row of a frame or a matrix.
type RowError struct {
	Row int // 0-based, in the frame or matrix of the call
	Err error
}

// Error implements error.
func (e *RowError) Error() string { return fmt.Sprintf("row %d: %v", e.Row, e.Err) }

// Unwrap returns Err.
func (e *RowError) Unwrap() error { return e.Err }

// A FieldError is one contradiction in a schema. It wraps [ErrInvalid].
type FieldError struct {
	Path string // where it was written, such as "features[2].scale" or "label.classes"
	Msg  string // what is wrong, with the name of the feature or label
}

// Error implements error.
func (e *FieldError) Error() string { return e.Msg }

// Unwrap returns [ErrInvalid].
func (e *FieldError) Unwrap() error { return ErrInvalid }

// An invalidError has a message of its own and wraps ErrInvalid.
type invalidError string

func (e invalidError) Error() string { return string(e) }

func (e invalidError) Unwrap() error { return ErrInvalid }

func invalidf(format string, args ...any) error {
	return invalidError(fmt.Sprintf(format, args...))
}
