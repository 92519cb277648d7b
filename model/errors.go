package model

import "errors"

// ErrArtifact is wrapped by errors about a file that is not a model artifact or
// is damaged.
var ErrArtifact = errors.New("not a usable model artifact")
