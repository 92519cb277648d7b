package learn

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/nn"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/registry/cache"
	"github.com/modelbus/modelbus/stream/wire"
)

// A training is one job at work.
type training struct {
	*Trainer

	job      *job
	log      zerolog.Logger
	progress *progress
}

// A plan is what is known before the examples are read.
type plan struct {
	record     registry.Model
	spec       *model.Spec
	specDigest string

	parent *champion // where a warm training starts from, else nil
	from   uint64    // first sequence to read
	oldest uint64    // first sequence to replay from
	change uint64    // from, if it is where a change began, else 0
}

// run trains and registers what came of it.
func (t *training) run(ctx context.Context) (outcome, error) {
	p, err := t.plan(ctx)
	if err != nil {
		return outcome{}, err
	}
	if p.spec.Retrain.Online() {
		return t.catchUp(ctx, p)
	}
	data, err := t.read(ctx, p)
	if err != nil {
		return outcome{}, err
	}
	fitted, err := t.fit(ctx, p, data)
	if err != nil {
		return outcome{}, err
	}
	out, err := t.commit(ctx, p, data, fitted)
	if err == nil {
		t.retire(ctx, t.job.model, p.spec.Retrain, t.log)
	}
	return out, err
}

func (t *training) plan(ctx context.Context) (*plan, error) {
	record, err := t.reg.Model(ctx, t.job.model)
	if err != nil {
		return nil, fmt.Errorf("reading the spec of %s: %w", t.job.model, err)
	}
	spec, err := model.ParseSpec(record.Spec)
	if err != nil {
		return nil, fmt.Errorf("reading the spec of %s: %w", t.job.model, err)
	}
	t.mu.Lock()
	t.job.of = record.Created
	t.mu.Unlock()
	sum := sha256.Sum256(record.Spec)
	p := &plan{record: record, spec: spec, specDigest: hex.EncodeToString(sum[:]), from: 1, oldest: 1}
	if spec.Retrain.Online() {
		return p, nil
	}
	if t.job.req.Seed != nil {
		spec.Training.Seed = *t.job.req.Seed
	}
	if spec.Retrain != nil {
		w := window{js: t.js, stream: t.opts.Subjects.Stream("TRAIN"), subject: t.opts.Subjects.Train(t.job.model)}
		if p.from, err = w.begin(ctx, spec.Retrain.Window, time.Now()); err != nil {
			return nil, err
		}
		if err := t.cut(ctx, p); err != nil {
			return nil, err
		}
	}
	if !t.job.req.Warm && !spec.Training.Warm && (spec.Retrain == nil || !spec.Retrain.Warm) {
		return p, nil
	}
	c, err := t.champion(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case c.Number == 0, c.broken != nil, c.Lineage.LastSeq == 0:
		t.log.Info().AnErr("because", c.broken).Msg("no champion to start from: training from scratch")
	case !sameNetwork(spec, c.model.Spec()):
		t.log.Info().Uint64("champion", c.Number).Msg("the champion is built differently: training from scratch")
	default:
		g, err := t.ground(ctx)
		if err != nil {
			return nil, err
		}
		seen, err := t.locate(ctx, g, behind(&c.Version), c.Created)
		if err != nil {
			return nil, err
		}
		p.parent = c
		if next := seen.seq + 1; next > p.from {
			p.from, p.change = next, 0
		}
	}
	return p, nil
}

// cut has the window, and what is replayed, begin at the change that was noticed last, if that
// is to be learned.
func (t *training) cut(ctx context.Context, p *plan) error {
	if !p.spec.Retrain.On.Any() {
		return nil
	}
	live, err := ReadLive(ctx, t.reg, p.record)
	if errors.Is(err, registry.ErrCorrupt) {
		return nil // what somebody put there says nothing
	}
	if err != nil || live == nil || live.Cut == nil {
		return err
	}
	g, err := t.ground(ctx)
	if err != nil || live.Cut.Time.Before(g.made) || g.last < live.Cut.Seq {
		return err // it is of a stream that was made anew since
	}
	p.oldest = live.Cut.Seq
	if p.oldest > p.from {
		p.from, p.change = p.oldest, p.oldest
		t.log.Info().Uint64("message", p.change).Msg("the window is cut where a change began")
	}
	return nil
}

// sameNetwork reports whether a model of one spec can go on training by the other:
// everything but how to train, serve and describe it is the same.
func sameNetwork(a, b *model.Spec) bool {
	x, y := *a, *b
	for _, s := range []*model.Spec{&x, &y} {
		s.Description, s.Training, s.Serving, s.Retrain, s.Capture = "", model.Training{}, model.Serving{}, nil, 0
	}
	return same(&x, &y)
}

func (t *training) read(ctx context.Context, p *plan) (*reading, error) {
	t.progress.report(wire.Training{State: stateReading})
	subjects := t.opts.Subjects
	r := reader{
		js:      t.js,
		stream:  subjects.Stream("TRAIN"),
		subject: subjects.Train(t.job.model),
		schema:  &p.spec.Schema,
		dead:    &deadLetters{js: t.js, stream: subjects.Stream("DEAD"), subject: subjects.Dead(t.job.model)},
		report: func(rows, rejected int) {
			t.progress.report(wire.Training{State: stateReading, Rows: rows, Reject: rejected})
		},
	}
	end, err := t.lastExample(ctx, r.subject)
	if err != nil {
		return nil, err
	}
	t.job.read = end
	data, err := r.read(ctx, p.from, end.seq, newSplit(p.spec))
	if err != nil {
		return nil, err
	}
	if _, err := t.holds(ctx, end); err != nil {
		return nil, fmt.Errorf("%w: reading the examples of %s: %w", wire.ErrUnavailable, t.job.model, err)
	}
	if err := r.replay(ctx, p.spec, data, p.oldest); err != nil {
		return nil, err
	}
	if data.train.Len() == 0 {
		return nil, fmt.Errorf("%w left to train on: all %d are held out; publish more to %s, or lower the spec's holdout",
			ErrNoExamples, data.held.Len(), r.subject)
	}
	return data, nil
}

// lastExample returns the position behind the last example of the subject.
func (t *training) lastExample(ctx context.Context, subject string) (position, error) {
	g, err := t.ground(ctx)
	if err != nil {
		return position{}, err
	}
	seq, stored, err := messageOf(ctx, t.js, t.opts.Subjects.Stream("TRAIN"), place{Last: subject})
	return position{seq: seq, stored: stored, made: g.made}, err
}

// tried says up to where the examples were read, nil if they were not, or somebody asked for the
// training: one by itself would be another.
func (t *training) tried() *wire.Tried {
	at := t.job.read
	if t.job.trigger == "" || at.seq == 0 {
		return nil
	}
	return &wire.Tried{LastSeq: at.seq, LastTime: at.stored, StreamCreated: at.made, ModelCreated: t.job.of}
}

// A fit is a fitted model that is no version yet.
type fit struct {
	model   *model.Model
	epochs  int // without the parent's
	seconds float64
}

func (t *training) fit(ctx context.Context, p *plan, data *reading) (*fit, error) {
	opts := model.FitOptions{HeldOut: data.held, Progress: func(e nn.Epoch) { t.progress.report(epoch(e)) }}
	if p.parent != nil {
		opts.Parent = p.parent.model
	}
	began := time.Now()
	m, report, err := model.Fit(ctx, p.spec, data.train, opts)
	if err != nil {
		return nil, fmt.Errorf("training on %d rows: %w", data.train.Len(), err)
	}
	return &fit{model: m, epochs: len(report.History.Epochs), seconds: time.Since(began).Seconds()}, nil
}

// champion loads what the alias names now. Only what may pass by itself, such as a
// broken connection, is an error; a damaged artifact is a broken champion.
func (t *training) champion(ctx context.Context) (*champion, error) {
	v, err := t.reg.Resolve(ctx, registry.Ref{Model: t.job.model, Alias: registry.Champion})
	if errors.Is(err, registry.ErrNotFound) {
		return &champion{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for the champion of %s: %w", t.job.model, err)
	}
	c := &champion{Version: v}
	artifact, err := t.artifact(ctx, v)
	switch {
	case errors.Is(err, registry.ErrNotFound), errors.Is(err, registry.ErrCorrupt):
		c.broken = err
	case err != nil:
		return nil, fmt.Errorf("loading version %d of %s: %w", v.Number, t.job.model, err)
	default:
		c.model, c.broken = model.Open(artifact)
	}
	return c, nil
}

// artifact opens the artifact of v with all in it verified: a training may go on
// from it.
func (t *training) artifact(ctx context.Context, v registry.Version) (*cache.Artifact, error) {
	for {
		artifact, err := t.reg.OpenArtifact(ctx, v.Digest, v.Size)
		if err != nil {
			return nil, err
		}
		err = artifact.Verify(0, len(artifact.Bytes()))
		if err == nil {
			return artifact, nil
		}
		t.log.Warn().Uint64("version", v.Number).Err(err).Msg("a cached file is downloaded again")
	}
}

// event makes an event of this training.
func (t *training) event(kind string, data any) (registry.Event, error) {
	body, err := json.Marshal(data)
	if err != nil {
		return registry.Event{}, fmt.Errorf("encoding event %s of %s: %w", kind, t.job.model, err)
	}
	return registry.Event{Model: t.job.model, Kind: kind, ID: t.job.id, Time: time.Now().UTC(), Data: body}, nil
}

// publish tells live listeners where the training is.
func (t *training) publish(at wire.Training) {
	e, err := t.event(kindTraining, at)
	if err == nil {
		err = t.publishPlain(e)
	}
	if err != nil {
		t.log.Debug().Err(err).Msg("progress not published")
	}
}
