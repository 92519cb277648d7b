package feature

import "errors"

// ErrInvalid is wrapped by every error about a schema, a row or a state.
var ErrInvalid = errors.New("invalid")
