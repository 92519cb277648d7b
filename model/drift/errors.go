package drift

import "errors"

// ErrState is wrapped by every error about a saved state that is damaged or
// belongs to something else.
var ErrState = errors.New("not a usable state")

// ErrInvalid is wrapped by errors about rows and options that do not fit.
var ErrInvalid = errors.New("invalid")
