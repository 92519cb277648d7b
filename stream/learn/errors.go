package learn

import "github.com/modelbus/modelbus/stream/wire"

var (
	// ErrNoExamples is wrapped when there is nothing, or nothing usable, to
	// train on. It travels as [wire.ErrInvalid].
	ErrNoExamples error = &sentinel{"no examples", wire.ErrInvalid}

	// ErrCanceled is wrapped when somebody ended a training. It travels as
	// [wire.ErrConflict].
	ErrCanceled error = &sentinel{"training canceled", wire.ErrConflict}

	// ErrDeleted is wrapped when a training ended because its model was deleted. It travels
	// as [wire.ErrConflict].
	ErrDeleted error = &sentinel{"the model was deleted", wire.ErrConflict}

	// ErrStopped is returned by a trainer that is not running (any more), and
	// wrapped when a training ended with its trainer. It travels as
	// [wire.ErrUnavailable].
	ErrStopped error = &sentinel{"trainer stopped", wire.ErrUnavailable}

	// ErrRemoved is wrapped when examples that a version was trained on are no
	// longer in the stream. It travels as [wire.ErrConflict].
	ErrRemoved error = &sentinel{"examples were removed", wire.ErrConflict}

	// ErrImported is wrapped when a version has no lineage of its own to be rebuilt
	// from. It travels as [wire.ErrInvalid].
	ErrImported error = &sentinel{"not trained here", wire.ErrInvalid}

	// ErrPanic is wrapped when a training failed by a fault of ours. It travels
	// as [wire.ErrInternal].
	ErrPanic error = &sentinel{"panic while training", wire.ErrInternal}
)

// A sentinel is an error with a text of its own that travels as another.
type sentinel struct {
	text   string
	travel error
}

func (s *sentinel) Error() string { return s.text }
func (s *sentinel) Unwrap() error { return s.travel }
