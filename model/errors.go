package model

import "errors"

// ErrArtifact is wrapped by errors about a file that is not a model artifact or
// is damaged.
var ErrArtifact = errors.New("not a usable model artifact")

// ErrDropped is wrapped by errors about a model whose [Model.DropTraining] was
// called.
var ErrDropped = errors.New("what training and encoding need was dropped from it")
