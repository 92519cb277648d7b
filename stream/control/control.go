package control

import (
	"context"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/service"
	"github.com/modelbus/modelbus/stream/wire"
)

// Options are optional parameters of a [Controller].
type Options struct {
	Subjects wire.Subjects
	Logger   zerolog.Logger
}

// A Controller answers control requests, in a queue group.
type Controller struct{}

// New returns a controller. trainer may be nil: training is then unavailable.
func New(nc *nats.Conn, reg *registry.Registry, trainer *learn.Trainer, opts Options) *Controller {
	panic("unbuilt")
}

// Run answers until ctx is done, then finishes what it has.
func (c *Controller) Run(ctx context.Context) error { panic("unbuilt") }

// Ready is closed when Run answers.
func (c *Controller) Ready() <-chan struct{} { panic("unbuilt") }

// Services describes the control service.
func (c *Controller) Services() []service.Service { panic("unbuilt") }
