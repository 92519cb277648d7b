package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/service"
	"github.com/modelbus/modelbus/stream/wire"
)

const (
	defaultQueueGroup = "modelbus"
	defaultMaxRows    = 65536

	// parallelLoads bounds the versions that are fetched and decoded at once.
	parallelLoads = 2

	// The library's own buffer before our queues, which are the real bounds: it
	// fills only if this process gets no processor time.
	pendingMessages = 1 << 20
	pendingBytes    = 512 << 20
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

	// DriftRate is how many rows of each model a second, drawn at random, are compared
	// with those that it was trained on, at most: 1000 if 0.
	DriftRate int
	// Endpoints returns further endpoints of a model's service, such as those of a
	// trainer in the same process; nil: there are none. It must be safe for concurrent
	// use and answer from memory.
	Endpoints func(model string) []service.Endpoint

	// Logger receives one line per failure of ours and per version swap.
	Logger zerolog.Logger
}

// A Server answers predictions for the models of a registry.
type Server struct {
	nc       *nats.Conn
	opts     Options
	catalog  catalog
	store    store
	decode   decoder
	announce func(context.Context, registry.Event) error // nil: nobody is told of drift
	parallel int                                         // batches computed at once
	ready    chan struct{}
	table    atomic.Pointer[lanes]
	inbound  atomic.Pointer[[]*nats.Subscription]
	outbox   atomic.Pointer[outbox] // nil before Run
	changed  service.Signal         // other lanes are in the table
	scores   scoreboard             // on labelled examples
}

// New returns a server. It does nothing until Run.
func New(nc *nats.Conn, reg *registry.Registry, opts Options) *Server {
	s := newServer(nc, reg, reg, opts)
	s.announce = reg.Announce
	return s
}

func newServer(nc *nats.Conn, c catalog, st store, opts Options) *Server {
	opts.Queue = cmp.Or(opts.Queue, defaultQueueGroup)
	opts.MaxRows = cmp.Or(opts.MaxRows, defaultMaxRows)
	opts.DriftRate = cmp.Or(opts.DriftRate, defaultDriftRate)
	opts.Models = slices.Clone(opts.Models)
	s := &Server{
		nc: nc, opts: opts, catalog: c, store: st, decode: decodeModel, parallel: max(runtime.GOMAXPROCS(0), 2),
		ready: make(chan struct{}),
	}
	s.table.Store(&lanes{})
	s.inbound.Store(&[]*nats.Subscription{})
	return s
}

// Ready is closed when the subscriptions are up and every model that had a
// champion then is loaded (or could not be).
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Run serves until ctx is done, then drains: it takes no more requests, answers
// those it has, stores the results nobody waits for, and returns nil. It
// returns an error if it could not start, or the connection was closed. It may
// be called once.
func (s *Server) Run(ctx context.Context) error {
	box, err := newOutbox(s.nc, s.opts.Logger)
	if err != nil {
		return err
	}
	s.outbox.Store(box)
	out := &post{nc: s.nc, subjects: s.opts.Subjects, outbox: box, log: s.opts.Logger}
	captures, err := newCapturer(s.nc, s.opts.Subjects, s.opts.Logger)
	if err != nil {
		box.close()
		return err
	}
	in := newInspector(s.announce, s.opts.DriftRate, s.opts.Logger)
	f := newFollower(s.catalog, s.opts.Models, &shared{
		store: s.store, decode: s.decode, loads: make(chan struct{}, parallelLoads),
		turns:   newTurns(s.parallel),
		maxRows: s.opts.MaxRows, post: out, capture: captures, log: s.opts.Logger, inspector: in,
	}, &s.table)
	f.changed = &s.changed
	following, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { f.run(following) })
	if from, ok := s.store.(recorder); ok {
		wg.Go(func() { s.scores.follow(following, from, s.opts.Logger) })
	}

	err = s.listen(ctx, f)

	stop()
	wg.Wait()
	f.retire()
	in.running.Wait()
	captures.close()
	box.close()
	if flushErr := s.nc.Flush(); err == nil && flushErr != nil {
		err = fmt.Errorf("sending the last answers: %w", flushErr)
	}
	return err
}

// listen waits for the models to be loaded, then takes requests until ctx is
// done, and returns when all that came are queued.
func (s *Server) listen(ctx context.Context, f *follower) error {
	if !settle(ctx, f) {
		return nil
	}
	subs, closed, err := s.subscribe(f.shared)
	s.inbound.Store(&subs)
	if err == nil {
		if err = s.nc.Flush(); err != nil {
			err = fmt.Errorf("starting to take requests: %w", err)
		}
	}
	if err != nil {
		return errors.Join(err, drain(subs, closed))
	}
	close(s.ready)
	select {
	case <-ctx.Done():
		return drain(subs, closed)
	case <-closed:
		return fmt.Errorf("taking requests ended: %w", nats.ErrConnectionClosed)
	}
}

// settle waits until every model of the first listing has tried to load, and
// reports whether that came before the end of ctx.
func settle(ctx context.Context, f *follower) bool {
	select {
	case <-f.listed:
	case <-ctx.Done():
		return false
	}
	for _, l := range *f.table.Load() {
		select {
		case <-l.settled:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// subscribe takes requests. closed gets one value for each subscription that
// ends. On an error subs are those that stand.
func (s *Server) subscribe(sh *shared) (subs []*nats.Subscription, closed chan struct{}, err error) {
	subjects := s.subjects()
	closed = make(chan struct{}, len(subjects))
	for _, subject := range subjects {
		sub, err := s.nc.QueueSubscribe(subject, s.opts.Queue, s.newIntake(sh).take)
		if err != nil {
			return subs, closed, fmt.Errorf("subscribing to %q: %w", subject, err)
		}
		sub.SetClosedHandler(func(string) { closed <- struct{}{} })
		subs = append(subs, sub)
		if err := sub.SetPendingLimits(pendingMessages, pendingBytes); err != nil {
			return subs, closed, fmt.Errorf("bounding %q: %w", subject, err)
		}
	}
	return subs, closed, nil
}

func (s *Server) subjects() []string {
	if s.opts.Models == nil {
		return []string{s.opts.Subjects.Predict(">", "")}
	}
	var all []string
	for _, name := range s.opts.Models {
		all = append(all, s.opts.Subjects.Predict(name, ""), s.opts.Subjects.Predict(name, "*"))
	}
	return all
}

// drain ends subs after the messages they have. A closed connection has ended
// them already.
func drain(subs []*nats.Subscription, closed <-chan struct{}) error {
	var errs []error
	draining := 0
	for _, sub := range subs {
		switch err := sub.Drain(); {
		case err == nil:
			draining++
		case !errors.Is(err, nats.ErrConnectionClosed) && !errors.Is(err, nats.ErrBadSubscription):
			errs = append(errs, fmt.Errorf("draining %q: %w", sub.Subject, err))
		}
	}
	for range draining {
		<-closed
	}
	return errors.Join(errs...)
}
