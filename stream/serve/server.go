package serve

import (
	"context"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/service"
	"github.com/modelbus/modelbus/stream/wire"
)

// Options are optional parameters of a [Server]. The zero value is ready for use.
type Options struct {
	Subjects wire.Subjects

	// Models restricts the server to these; nil serves all.
	Models []string

	// Queue is the queue group: "modelbus" if empty.
	Queue string

	// MaxRows bounds the rows of one request: 65536 if 0.
	MaxRows int

	// Logger receives one line per failure of ours and per version swap.
	Logger zerolog.Logger
}

// A Server answers predictions for the models of a registry.
type Server struct{}

// New returns a server. It does nothing until Run.
func New(nc *nats.Conn, reg *registry.Registry, opts Options) *Server { panic("unbuilt") }

// Run serves until ctx is done, then drains and returns nil.
func (s *Server) Run(ctx context.Context) error { panic("unbuilt") }

// Ready is closed when the subscriptions are up and every model that had a
// champion then is loaded (or could not be).
func (s *Server) Ready() <-chan struct{} { panic("unbuilt") }

// Services describes the models served, for discovery. It is safe for
// concurrent use.
func (s *Server) Services() []service.Service { panic("unbuilt") }
