package registry

import (
	"errors"
	"fmt"
)

var (
	// ErrNotFound is returned for a model, version, alias or artifact that is not there.
	ErrNotFound = errors.New("not found")

	// ErrConflict is returned when somebody else changed the same thing first,
	// when a model of that name is already there, and for the removal of a
	// version that an alias names.
	ErrConflict = errors.New("conflict")

	// ErrOvertaken is returned for an online version after whose parent there is another
	// one already. It wraps ErrConflict.
	ErrOvertaken = fmt.Errorf("%w: overtaken by another online version", ErrConflict)

	// ErrInvalid is returned for a name, alias or ref outside its grammar, a
	// record that cannot be stored, and for a move that makes no sense, such as
	// a rollback of a first version.
	ErrInvalid = errors.New("invalid")

	// ErrEnded is returned for a training that has ended: somebody else has said how.
	ErrEnded = errors.New("training has ended")

	// ErrNotInitialized is returned by Open when the buckets and streams are
	// not there; Create makes them.
	ErrNotInitialized = errors.New("registry is not initialized")

	// ErrUnsupported is returned by Create and Open for a server without
	// JetStream or older than 2.12.
	ErrUnsupported = errors.New("unsupported NATS server")

	// ErrCorrupt is returned for an artifact whose bytes are not those of its
	// digest, and for a record that cannot be read.
	ErrCorrupt = errors.New("corrupt")
)
