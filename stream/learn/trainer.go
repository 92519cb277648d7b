package learn

import (
	"context"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// Options are optional parameters of a [Trainer]. The zero value is ready for use.
type Options struct {
	Subjects wire.Subjects

	// Parallel bounds how many models train at once: 1 if 0. Others wait.
	Parallel int

	// Software is written into lineages.
	Software string

	// Logger receives one line per training and per failure.
	Logger zerolog.Logger
}

// A Trainer trains models on request.
type Trainer struct{}

// Setup makes the streams that trainings and predictions need (_TRAIN, _DEAD,
// _RESULT) where they are missing. replicas 0 means 1.
func Setup(ctx context.Context, js jetstream.JetStream, subjects wire.Subjects, replicas int) error {
	panic("unbuilt")
}

// New returns a trainer. It does nothing until Run.
func New(nc *nats.Conn, reg *registry.Registry, opts Options) (*Trainer, error) { panic("unbuilt") }

// Run carries out trainings until ctx is done; then it cancels those under way
// and returns nil.
func (t *Trainer) Run(ctx context.Context) error { panic("unbuilt") }

// Train starts a training of the model, or reports the one that is under way.
// It returns wire.ErrNotFound for an unknown model, wire.ErrConflict if another
// process trains it. The outcome comes as events.
func (t *Trainer) Train(ctx context.Context, model string, req wire.TrainRequest) (wire.TrainReply, error) {
	panic("unbuilt")
}

// Cancel ends the model's training, if there is one, and reports whether there
// was. A "failed" event says so.
func (t *Trainer) Cancel(model string) bool { panic("unbuilt") }

// Running returns the training under way for a model, nil if there is none.
func (t *Trainer) Running(model string) *wire.TrainReply { panic("unbuilt") }
