package learn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// Options are optional parameters of a [Trainer]. The zero value is ready for use.
type Options struct {
	Subjects wire.Subjects

	// Parallel bounds how many models train at once; others wait. Each has its
	// examples in memory. If 0, it is the number of processors, 4 at most.
	Parallel int

	// LabelWait is how long a label waits for the prediction that it is about to be
	// captured: a minute if 0.
	LabelWait time.Duration

	// Software is written into lineages.
	Software string

	// Logger receives one line per training and per failure.
	Logger zerolog.Logger
}

const (
	stateStarted = "started" // in a [wire.TrainReply]
	stateRunning = "running"

	announceTimeout = 10 * time.Second

	mostParallel = 4 // trainings, where nobody says how many: a bound of memory
)

// A Trainer trains models on request, and by themselves where their specs say so.
type Trainer struct {
	nc    *nats.Conn
	js    jetstream.JetStream
	reg   *registry.Registry
	opts  Options
	name  string // tells our own events from those of other trainers
	slots chan struct{}

	start   chan *job
	stopped chan struct{} // closed when Run ends

	mu    sync.Mutex // guards what follows
	jobs  map[string]*job
	peers map[string]peer // trainings of other processes

	noticed sync.Map // when a change of a model was noticed last, by name; "" of any

	labels labelCounts
}

// A job is one training of this process. Its fields after done are guarded by the
// trainer's mu.
type job struct {
	id      string
	model   string
	req     wire.TrainRequest
	trigger string // why it was started, if nobody asked for it
	done    chan struct{}

	// Of the goroutine that works on it; set before done is closed.
	seat      *seat    // nil until it has one
	begun     bool     // it is noted in the registry
	read      position // behind the last example that it was to read
	failed    error
	unchanged bool // it gave the same artifact as the newest version

	cancel   context.CancelCauseFunc // nil until it runs
	canceled bool
	ending   bool      // its outcome is being announced
	of       time.Time // when the model was created; zero until that was looked up
}

// New returns a trainer. It does nothing until Run.
func New(nc *nats.Conn, reg *registry.Registry, opts Options) (*Trainer, error) {
	if opts.Parallel < 0 {
		return nil, fmt.Errorf("making a trainer: %w: parallel trainings %d, want at least 1, or 0 for the default",
			wire.ErrInvalid, opts.Parallel)
	}
	return &Trainer{
		nc:      nc,
		js:      reg.JetStream(),
		reg:     reg,
		opts:    opts,
		name:    nuid.Next(),
		slots:   make(chan struct{}, cmp.Or(opts.Parallel, min(runtime.GOMAXPROCS(0), mostParallel))),
		start:   make(chan *job),
		stopped: make(chan struct{}),
		jobs:    map[string]*job{},
		peers:   map[string]peer{},
	}, nil
}

// Run carries out trainings until ctx is done; then it cancels those under way,
// which announces them as failed, and returns nil. It is called once.
func (t *Trainer) Run(ctx context.Context) error {
	defer close(t.stopped)
	unsubscribe, err := t.listen()
	if err != nil {
		return err
	}
	var work sync.WaitGroup
	work.Go(func() { t.schedule(ctx) })
	work.Go(func() { t.joinLabels(ctx) })
	work.Go(func() { t.orphans(ctx) })
	for {
		select {
		case j := <-t.start:
			work.Go(func() { t.work(ctx, j) })
		case <-ctx.Done():
			work.Wait()
			return unsubscribe()
		}
	}
}

// Train starts a training of the model, or reports the one that is under way, here
// or in another process. It returns [registry.ErrNotFound] for an unknown model and
// [ErrStopped] if Run has ended; before Run it waits. The outcome comes as one event
// "promoted", "rejected", "unchanged" or "failed" with a [wire.Verdict].
//
// Two processes asked at the very same time train one after the other.
func (t *Trainer) Train(ctx context.Context, model string, req wire.TrainRequest) (wire.TrainReply, error) {
	if _, err := t.reg.Model(ctx, model); err != nil {
		return wire.TrainReply{}, fmt.Errorf("training %s: %w", model, err)
	}
	return t.begin(ctx, &job{model: model, req: req})
}

// begin starts a training, or reports the one that is under way.
func (t *Trainer) begin(ctx context.Context, wanted *job) (wire.TrainReply, error) {
	model := wanted.model
	for {
		j, ending, err := t.claim(wanted)
		switch {
		case err != nil:
			return wire.TrainReply{}, err
		case ending != nil: // whoever saw its outcome may ask for the next one
			select {
			case <-ending:
				continue
			case <-ctx.Done():
				return wire.TrainReply{}, fmt.Errorf("training %s: %w", model, context.Cause(ctx))
			}
		case j == nil:
			if reply := t.Running(model); reply != nil {
				return *reply, nil
			}
			continue // it ended just now
		}
		select {
		case t.start <- j:
			return wire.TrainReply{ID: j.id, State: stateStarted}, nil
		case <-t.stopped:
			t.forget(j)
			return wire.TrainReply{}, fmt.Errorf("training %s: %w", model, ErrStopped)
		case <-ctx.Done():
			t.forget(j)
			return wire.TrainReply{}, fmt.Errorf("training %s: %w", model, context.Cause(ctx))
		}
	}
}

// errCrowded says that no training is begun by itself, for all slots of this process are
// taken, or waited for.
var errCrowded error = &sentinel{"there is no free slot to train in", wire.ErrUnavailable}

// claim books the job. If one is under way it returns nil, and, if
// that one is about to end, a channel that is closed when it has. One that nobody asked
// for is not booked where it would wait for a slot: another process may have one.
func (t *Trainer) claim(wanted *job) (j *job, ending <-chan struct{}, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old := t.jobs[wanted.model]; old != nil {
		if old.ending {
			return nil, old.done, nil
		}
		return nil, nil, nil
	}
	if _, ok := t.peerLocked(wanted.model); ok {
		return nil, nil, nil
	}
	if wanted.trigger != "" && len(t.jobs) >= cap(t.slots) {
		return nil, nil, errCrowded
	}
	wanted.id, wanted.done = nuid.Next(), make(chan struct{})
	t.jobs[wanted.model] = wanted
	return wanted, nil, nil
}

func (t *Trainer) forget(j *job) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.jobs, j.model)
	close(j.done)
}

// ending notes that the job's outcome is about to be announced: it cannot be
// canceled any more. It reports false if it was canceled before.
func (t *Trainer) ending(j *job) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if j.canceled {
		return false
	}
	j.ending = true
	return true
}

// Cancel ends the model's training, here or in another process, and reports whether
// there was one. A "failed" event says so. A training whose version is being stored
// already is not canceled.
func (t *Trainer) Cancel(model string) bool {
	t.mu.Lock()
	j := t.jobs[model]
	if j == nil {
		p, ok := t.peerLocked(model)
		t.mu.Unlock()
		return ok && t.cancelPeer(model, p)
	}
	defer t.mu.Unlock()
	return t.cancelLocked(j)
}

func (t *Trainer) cancelLocked(j *job) bool {
	if j.ending {
		return false
	}
	j.canceled = true
	if j.cancel != nil {
		j.cancel(ErrCanceled)
	}
	return true
}

// end ends j, if it is still under way, for the reason given.
func (t *Trainer) end(j *job, cause error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.jobs[j.model] != j || j.ending {
		return
	}
	j.canceled = true
	if j.cancel != nil {
		j.cancel(cause)
	}
}

// orphan ends the training of a model that is no more, or of another one that had the name of
// one that was created then: nothing comes of it, and it keeps the lease.
func (t *Trainer) orphan(model string, created time.Time) {
	t.mu.Lock()
	j := t.jobs[model]
	gone := j != nil && !j.of.IsZero() && (created.IsZero() || j.of.Before(created))
	t.mu.Unlock()
	if gone {
		t.end(j, ErrDeleted)
	}
}

// Running returns the training under way for a model, here or in another process,
// nil if there is none.
func (t *Trainer) Running(model string) *wire.TrainReply {
	t.mu.Lock()
	defer t.mu.Unlock()
	if j := t.jobs[model]; j != nil {
		return &wire.TrainReply{ID: j.id, State: stateRunning}
	}
	if p, ok := t.peerLocked(model); ok {
		return &wire.TrainReply{ID: p.id, State: stateRunning}
	}
	return nil
}

// work carries out a job, announces how it failed if it did, and forgets it.
func (t *Trainer) work(ctx context.Context, j *job) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t.mu.Lock()
	j.cancel = cancel
	if j.canceled {
		cancel(ErrCanceled)
	}
	t.mu.Unlock()
	defer t.forget(j)
	defer func() {
		if j.seat == nil {
			return
		}
		if err := j.seat.leave(ctx); err != nil { // it runs out
			t.opts.Logger.Debug().Err(err).Str("model", j.model).Msg("giving a lease back")
		}
	}()

	tr := &training{Trainer: t, job: j, log: t.opts.Logger.With().Str("model", j.model).Str("training", j.id).Logger()}
	tr.progress = newProgress(j.id, tr.publish)
	began := time.Now()
	out, err := t.attempt(ctx, tr)
	tr.progress.close()
	if err != nil {
		j.failed = err
		t.failed(ctx, tr, err)
		return
	}
	j.unchanged = out.Unchanged
	tr.log.Info().Uint64("version", out.Version).Bool("promoted", out.Promoted).Str("why", out.Why).
		Stringer("took", time.Since(began).Round(time.Millisecond)).Msg("trained")
}

// attempt waits for its seat and trains. A panic is an error; so is ctx's end, which
// is told by its cause.
func (t *Trainer) attempt(ctx context.Context, tr *training) (out outcome, err error) {
	defer func() {
		if r := recover(); r != nil {
			tr.log.Error().Bytes("stack", debug.Stack()).Msg("panic while training")
			err = fmt.Errorf("%w: %v", ErrPanic, r)
		}
	}()
	if err = t.admit(ctx, tr); err == nil {
		stop := t.keep(ctx, tr.job)
		defer stop()
		out, err = tr.run(ctx)
	}
	if err != nil && ctx.Err() != nil {
		err = ended(ctx)
	}
	return out, err
}

// ended tells why a training's context ended.
func ended(ctx context.Context) error {
	if cause := context.Cause(ctx); errors.Is(cause, ErrCanceled) || errors.Is(cause, ErrDeleted) || errors.Is(cause, errLeaseLost) {
		return cause
	}
	return ErrStopped
}

// failed announces a failure.
func (t *Trainer) failed(ctx context.Context, tr *training, why error) {
	t.mu.Lock()
	tr.job.ending = true
	t.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), announceTimeout)
	defer cancel()
	verdict := wire.Verdict{ID: tr.job.id, Error: wire.ErrorOf(why)}
	if ofTheData(why) {
		verdict.Tried = tr.tried()
	}
	event, err := tr.event(kindFailed, verdict)
	if err == nil { // another process may have said so, if it took the lease
		err = t.reg.EndTraining(ctx, registry.Ending{Model: event.Model, Training: tr.job.id, Event: event})
	}
	if errors.Is(err, registry.ErrEnded) && !tr.job.begun {
		err = t.reg.Announce(ctx, event)
	}
	tr.log.Warn().Err(why).AnErr("announcing", err).Msg("training failed")
}
