package gate

import "errors"

// ErrInvalid is wrapped by every error about a configuration, a score or a saved
// state.
var ErrInvalid = errors.New("invalid")

// A FieldError is what is wrong with one field of a [Config]. It wraps
// [ErrInvalid].
type FieldError struct {
	Path string // such as "alpha", "thresholds.accuracy" or "slices.0"
	Msg  string // what was received and what would be right
}

// Error implements error.
func (e *FieldError) Error() string { return e.Path + ": " + e.Msg }

// Unwrap returns [ErrInvalid].
func (e *FieldError) Unwrap() error { return ErrInvalid }
