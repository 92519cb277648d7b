package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// A Bench measures one version of a model.
type Bench struct {
	ref     registry.Ref
	opts    Options
	load    load
	echo    *nats.Conn
	subject string
	model   []*nats.Msg
	servers int // that answer for the model; 0: not known
}

// New returns a bench of ref. Callers share conns, at least one; the echo is on a
// connection of its own, nil without one. The rows of f, which must be of the
// model's schema and unlabelled, are asked about. It sends nothing. Errors wrap
// [wire.ErrInvalid] or [wire.ErrTooLarge].
func New(conns []*nats.Conn, echo *nats.Conn, ref registry.Ref, f *feature.Frame, opts Options) (*Bench, error) {
	opts.setDefaults()
	if echo == nil {
		opts.NoEcho = true
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	if len(conns) == 0 {
		return nil, invalidf("no connection")
	}
	b := &Bench{
		ref: ref, opts: opts, echo: echo, subject: opts.Subjects.Predict(ref.Model, ""),
		load: load{conns: conns, timeout: opts.Timeout, requests: opts.Requests, inFlight: opts.InFlight, seed: opts.Seed},
	}
	var err error
	if b.model, err = b.payloads(f, conns[0].MaxPayload()); err != nil {
		return nil, err
	}
	return b, nil
}

// target is what of a ref stands in the subject.
func target(r registry.Ref) string {
	switch {
	case r.Version != 0:
		return strconv.FormatUint(r.Version, 10)
	case r.Alias == registry.Champion:
		return ""
	}
	return r.Alias
}

// Run measures all steps. When ctx ends it returns what was measured until then
// with an error that wraps that of ctx; likewise when a step got no answer at all,
// with the last error. Before the first step it returns no report with its error:
// the model's own if it refused the first request.
func (b *Bench) Run(ctx context.Context) (*Report, error) {
	first, err := b.first(ctx)
	if err != nil {
		return nil, err
	}
	r := b.report(first)
	sides := [][]*nats.Msg{b.model}
	if !b.opts.NoEcho {
		subject, stop, err := startEcho(b.echo, first.Data)
		if err != nil {
			return nil, err
		}
		defer func() { _ = stop() }() //nolint:errcheck // of a connection that ended
		sides = append(sides, to(subject, b.model))
		if err := b.load.ask(b.load.conns[0], sides[1][0]); err != nil {
			return nil, fmt.Errorf("asking the echo: %w", err)
		}
	}
	for _, s := range b.opts.shapes() {
		step, err := b.step(ctx, s, sides)
		if step.Windows > 0 {
			r.Steps = append(r.Steps, step)
			if b.opts.OnStep != nil {
				b.opts.OnStep(step)
			}
		}
		if err != nil {
			r.Interrupted = true
			return r, err
		}
	}
	return r, nil
}

// first asks the model once.
func (b *Bench) first(ctx context.Context) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, b.opts.Timeout)
	defer cancel()
	answer, err := b.load.conns[0].RequestMsgWithContext(ctx, b.model[0])
	if err == nil {
		err = wire.ErrorFrom(answer)
	}
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", b.model[0].Subject, err)
	}
	return answer, nil
}

func (b *Bench) report(first *nats.Msg) *Report {
	nc := b.load.conns[0]
	r := &Report{
		Model: b.ref.String(), Form: formName(b.opts.Form), Rows: b.opts.Rows,
		Payloads: len(b.model), AnswerBytes: len(first.Data), Connections: len(b.load.conns), Seed: b.opts.Seed,
		Started: time.Now().UTC(),
		Machine: Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.GOMAXPROCS(0), Go: runtime.Version()},
		NATS:    NATS{Version: nc.ConnectedServerVersion()},
		Steps:   []Step{},
	}
	if n, err := strconv.ParseUint(first.Header.Get(wire.HeaderVersion), 10, 64); err == nil {
		r.Version = n
	}
	for _, m := range b.model {
		r.RequestBytes += float64(len(m.Data)) / float64(len(b.model))
	}
	r.RequestBytes = round(r.RequestBytes, 1)
	if rtt, err := nc.RTT(); err == nil {
		r.NATS.RTT = micros(float64(rtt.Nanoseconds()))
	}
	return r
}

// formName names a form as the command line does.
func formName(f wire.Form) string {
	switch f {
	case wire.FormRows:
		return "json"
	case wire.FormOIP:
		return "oip"
	case wire.FormBinary:
		return "binary"
	}
	return "form " + strconv.Itoa(int(f))
}

// step measures one load on all sides in turn.
func (b *Bench) step(ctx context.Context, s shape, sides [][]*nats.Msg) (Step, error) {
	begin := time.Now()
	for _, requests := range sides {
		b.load.window(ctx, s, requests, b.opts.Warmup, -1)
	}
	before, err := snapshot(ctx, b.load.conns[0], b.ref.Model, b.subject, b.servers)
	if err != nil {
		return Step{}, err
	}
	b.servers = len(before)
	windows := make([][]*window, len(sides))
	var failure error
	steady := false
	for n := 0; !steady && failure == nil; n++ {
		if left := b.opts.MaxTime - time.Since(begin); n > 0 && left < b.opts.each(b.opts.Window) {
			break
		}
		b.round(ctx, s, n, sides, windows)
		failure = b.judge(ctx, windows)
		steady = !slices.ContainsFunc(windows, func(side []*window) bool { return !stable(side) })
	}
	step := b.sum(s, windows)
	step.Stable, step.Seconds = steady, round(time.Since(begin).Seconds(), 3)
	if step.Windows > 0 {
		after, err := snapshot(context.WithoutCancel(ctx), b.load.conns[0], b.ref.Model, b.subject, b.servers)
		if err != nil {
			return step, errors.Join(failure, err)
		}
		step.Server = spent(before, after)
	}
	return step, failure
}

// round adds a window of each side to windows.
func (b *Bench) round(ctx context.Context, s shape, n int, sides [][]*nats.Msg, windows [][]*window) {
	for k, requests := range sides {
		if ctx.Err() != nil {
			return
		}
		w := b.load.window(ctx, s, requests, b.opts.Window, n)
		if ctx.Err() == nil || w.answered() > 0 { // else it was cut before anything came
			windows[k] = append(windows[k], w)
		}
	}
}

// judge returns the error to end with: that of ctx, or that of a window without
// any answer.
func (b *Bench) judge(ctx context.Context, windows [][]*window) error {
	if ctx.Err() != nil {
		return fmt.Errorf("measuring %s: %w", b.ref, ctx.Err())
	}
	for k, who := range []string{"model " + b.ref.String(), "echo"}[:len(windows)] {
		w := windows[k][len(windows[k])-1]
		if w.answered() == 0 && w.last != nil {
			return fmt.Errorf("the %s answered none of the requests of a window: %w", who, w.last)
		}
	}
	return nil
}

// sum makes a step of what was measured.
func (b *Bench) sum(s shape, windows [][]*window) Step {
	step := Step{Mode: "closed", Concurrency: s.callers, Windows: len(windows[0])}
	if s.callers == 0 {
		step.Mode, step.Rate, step.Arrivals = "open", s.rate, "constant"
		if s.poisson {
			step.Arrivals = "poisson"
		}
	}
	if r := side(windows[0], b.opts.Rows); r != nil {
		step.Result = *r
	}
	if len(windows) > 1 {
		step.Echo = side(windows[1], b.opts.Rows)
	}
	step.compare()
	return step
}
