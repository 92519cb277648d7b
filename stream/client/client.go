package client

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/stream/wire"
)

// Options are optional parameters of a [Client]. The zero value is ready for use.
type Options struct {
	Subjects wire.Subjects

	// Domain is the JetStream domain that the deployment's streams are in, and
	// APIPrefix the prefix of JetStream's subjects where an account imports them: at
	// most one of the two. Both are empty where JetStream is the connection's own.
	Domain, APIPrefix string

	// Timeout bounds a call whose context has no deadline: 5 s if 0. Calls that
	// wait for as long as it takes, such as [Client.Train] and
	// [ExamplePublisher.Flush], bound each of their requests by it instead.
	Timeout time.Duration

	// Retries bounds how often a request is repeated: 5 if 0, none if negative.
	Retries int

	// Backoff is the first pause between repeats: 20 ms if 0. It doubles, up
	// to 1 s, and each pause is drawn from its upper half.
	Backoff time.Duration

	// Inject, if not nil, may add headers to each request and training message,
	// such as traceparent from the context (OpenTelemetry's propagators do) or
	// wire.HeaderID, which answers give back.
	Inject func(ctx context.Context, h nats.Header)
}

const (
	defaultTimeout = 5 * time.Second
	defaultRetries = 5
	defaultBackoff = 20 * time.Millisecond
	maxBackoff     = time.Second
)

// A Client uses the models of one deployment. It is safe for concurrent use and
// does not own its connection.
type Client struct {
	nc   *nats.Conn
	js   jetstream.JetStream
	opts Options
}

// New returns a client on nc. It sends nothing.
func New(nc *nats.Conn, opts Options) (*Client, error) {
	if err := opts.Subjects.Check(); err != nil {
		return nil, err
	}
	if opts.Timeout <= 0 {
		opts.Timeout = defaultTimeout
	}
	switch {
	case opts.Retries == 0:
		opts.Retries = defaultRetries
	case opts.Retries < 0:
		opts.Retries = 0
	}
	if opts.Backoff <= 0 {
		opts.Backoff = defaultBackoff
	}
	js, err := opts.jetStream(nc)
	if err != nil {
		return nil, fmt.Errorf("opening JetStream: %w", err)
	}
	return &Client{nc: nc, js: js, opts: opts}, nil
}

func (o Options) jetStream(nc *nats.Conn) (jetstream.JetStream, error) {
	timeout := jetstream.WithPublishAsyncTimeout(o.Timeout)
	switch {
	case o.Domain != "" && o.APIPrefix != "":
		return nil, fmt.Errorf("%w: domain %q and API prefix %q: want one of the two", wire.ErrInvalid, o.Domain, o.APIPrefix)
	case o.Domain != "":
		return jetstream.NewWithDomain(nc, o.Domain, timeout)
	case o.APIPrefix != "":
		return jetstream.NewWithAPIPrefix(nc, o.APIPrefix, timeout)
	default:
		return jetstream.New(nc, timeout)
	}
}

// bound gives ctx the client's timeout if it has no deadline.
func (c *Client) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.opts.Timeout)
}
