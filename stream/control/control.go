package control

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

const (
	queueGroup = "modelbus"

	workers = 8
	waiting = 128 // requests that wait for a worker; more are answered 429

	// requestTimeout bounds one request, unless its deadline comes first.
	requestTimeout = 30 * time.Second

	flushTimeout = 10 * time.Second
	drainTimeout = 30 * time.Second
)

// Options are optional parameters of a [Controller]. The zero value is ready for use.
type Options struct {
	Subjects wire.Subjects

	// Logger receives one line per change and per failure of ours.
	Logger zerolog.Logger
}

// A Controller answers control requests, in a queue group.
type Controller struct {
	nc      *nats.Conn
	reg     *registry.Registry
	trainer *learn.Trainer // nil: this server does not train
	opts    Options

	prefix  string // of the subjects, with the last dot
	verbs   []*verb
	started time.Time
	ready   chan struct{}
}

// New returns a controller. trainer may be nil: training is then unavailable.
func New(nc *nats.Conn, reg *registry.Registry, trainer *learn.Trainer, opts Options) *Controller {
	c := &Controller{
		nc:      nc,
		reg:     reg,
		trainer: trainer,
		opts:    opts,
		prefix:  strings.TrimSuffix(opts.Subjects.Control(">", ""), ">"),
		started: time.Now(),
		ready:   make(chan struct{}),
	}
	c.verbs = c.table()
	return c
}

// Ready is closed when Run answers.
func (c *Controller) Ready() <-chan struct{} { return c.ready }

// A request is one control request with its time of receipt.
type request struct {
	msg *nats.Msg
	at  time.Time
}

// Run answers until ctx is done, then answers what it has received and returns nil.
// It is called once.
func (c *Controller) Run(ctx context.Context) error {
	queue := make(chan request, waiting)
	work := context.WithoutCancel(ctx) // requests in hand outlive ctx
	var pool sync.WaitGroup
	for range workers {
		pool.Go(func() {
			for r := range queue {
				c.answer(work, r)
			}
		})
	}
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	ctx, stop := context.WithCancel(ctx)
	pool.Go(func() { collect(ctx, c.reg, tick.C, c.opts.Logger) })
	err := c.receive(ctx, queue)
	stop()
	close(queue)
	pool.Wait()
	return errors.Join(err, c.flush(work))
}

// receive puts requests into the queue until ctx is done and all that were
// delivered are in it.
func (c *Controller) receive(ctx context.Context, queue chan<- request) error {
	subject := c.prefix + ">"
	var mu sync.Mutex // held while a request is put into the queue
	over := false
	sub, err := c.nc.QueueSubscribe(subject, queueGroup, func(msg *nats.Msg) {
		r := request{msg: msg, at: time.Now()}
		mu.Lock()
		defer mu.Unlock()
		full := over
		if !full {
			select {
			case queue <- r:
			default:
				full = true
			}
		}
		if full {
			c.reply(r, c.verb(msg.Subject), nil,
				fmt.Errorf("%w: %d control requests are waiting here: try again", wire.ErrOverloaded, waiting))
		}
	})
	if err != nil {
		return fmt.Errorf("subscribing to %s: %w", subject, err)
	}
	closed := make(chan struct{})
	sub.SetClosedHandler(func(string) { close(closed) })
	if err := c.flush(ctx); err != nil && ctx.Err() == nil {
		return errors.Join(fmt.Errorf("subscribing to %s: %w", subject, err), sub.Unsubscribe())
	}
	close(c.ready)
	<-ctx.Done()

	err = sub.Drain()
	if err == nil {
		select {
		case <-closed:
		case <-time.After(drainTimeout):
			err = errors.New("not drained in time")
		}
	}
	mu.Lock()
	over = true
	mu.Unlock()
	if err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		return fmt.Errorf("draining %s: %w", subject, err)
	}
	return nil
}

// flush waits until the server has what was sent.
func (c *Controller) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	if err := c.nc.FlushWithContext(ctx); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		return fmt.Errorf("flushing answers: %w", err)
	}
	return nil
}
