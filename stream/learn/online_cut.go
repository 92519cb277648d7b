package learn

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nuid"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/gate"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// A cutting is a version that is about to be.
type cutting struct {
	model   *model.Model
	version registry.Version
	id      string
	wish    *wish // nil: nobody asked for it
	skipped int64 // steps that were not finite
}

// stored is what came of a cutting.
type stored struct {
	*cutting

	verdict wire.Verdict
	err     error
}

// cut takes a snapshot, which is stored while learning goes on. At most one is: the next
// one waits for it.
func (s *session) cut(ctx context.Context, why string, w *wish) error {
	if err := s.wait(ctx); err != nil {
		return err
	}
	if err := s.dead.flush(ctx); err != nil {
		return err
	}
	if w == nil && s.monitor.pending(s.last) == "" {
		s.monitor.trigger(triggerSchedule, why, s.at)
	}
	// Whoever goes on from the version begins after its last example: all up to there must
	// have been scored for good.
	if err := s.monitor.save(ctx); err != nil {
		return err
	}
	line := registry.Lineage{}
	if err := s.rehearse(ctx, &line); err != nil {
		return fmt.Errorf("cutting a version of %s: %w", s.name, err)
	}
	m, err := s.pupil.snapshot()
	if err != nil { // and it will be the same when the examples are learned again
		err = fmt.Errorf("cutting a version of %s: %w", s.name, err)
		if w != nil {
			s.answer(w, nil, err)
		}
		return err
	}
	part := &s.pupil.stretch
	c := &cutting{
		model: m, id: nuid.Next(), wish: w, skipped: s.pupil.learner.Skipped() - part.skipped,
		version: registry.Version{
			Model: s.name, ModelCreated: s.created, Metrics: part.scores.values(),
			Lineage: registry.Lineage{
				Parent: s.parent.Number, Warm: s.warm, Online: true,
				Stream:   s.opts.Subjects.Stream("TRAIN"),
				FirstSeq: part.first, LastSeq: part.last, LastTime: part.stored.UTC(), StreamCreated: s.begin.made,
				Examples: part.examples, Rejected: part.rejected,
				DataDigest: part.digest(), SpecDigest: s.specDigest, Seed: s.spec.Training.Seed,
				Software: s.opts.Software, Trigger: why,
				Change: line.Change, Replay: line.Replay,
			},
		},
	}
	if w != nil {
		c.id, c.version.Lineage.Training = w.id, w.id
	}
	if c.skipped > 0 {
		if c.version.Metrics == nil {
			c.version.Metrics = map[string]float64{}
		}
		c.version.Metrics["skipped_steps"] = float64(c.skipped)
	}
	if err := s.pupil.begin(); err != nil {
		return err
	}
	s.due = s.retrainer.due(mark{position: position{seq: s.at}, time: time.Now(), gap: s.gap()})
	s.busy, s.wakes = true, true
	go func() {
		var out stored
		if err := s.safely(func() error { out = s.store(ctx, c); return nil }); err != nil {
			out = stored{cutting: c, err: err}
		}
		s.stored <- out
	}()
	return nil
}

// wait waits until the version that is being stored is.
func (s *session) wait(ctx context.Context) error {
	if !s.busy {
		return nil
	}
	done := <-s.stored // which ends with ctx
	s.busy = false
	if err := s.settle(ctx, done); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// tell tells who asked for a version what came of it. That it was not stored because
// somebody else is to learn from here on, or because another model has the name, is no answer.
func (s *session) tell(ctx context.Context, done stored) {
	switch {
	case done.wish == nil:
	case done.err != nil && (ctx.Err() != nil || errors.Is(done.err, registry.ErrOvertaken) || errors.Is(done.err, registry.ErrNotFound)):
		s.forgo(done.wish)
	default:
		s.answer(done.wish, &done.verdict, done.err)
	}
}

// settle takes on what came of a version.
func (s *session) settle(ctx context.Context, done stored) error {
	s.tell(ctx, done)
	if done.err != nil {
		return done.err
	}
	s.parent, s.warm, s.last = done.version, true, done.version.Lineage.LastSeq
	s.log.Info().Uint64("version", done.version.Number).Int("examples", done.version.Lineage.Examples).
		Str("because", done.version.Lineage.Trigger).Bool("promoted", done.verdict.Promoted).Str("why", done.verdict.Why).
		Msg("cut a version")
	if done.wish == nil {
		return nil
	}
	return s.ended(done.wish.id)
}

// store registers the version.
func (s *session) store(ctx context.Context, c *cutting) stored {
	out := stored{cutting: c}
	artifact, err := c.model.Encode()
	if err != nil {
		out.err = fmt.Errorf("encoding the new version of %s: %w", s.name, err)
		return out
	}
	if c.version.Digest, err = s.reg.PutArtifact(ctx, artifact); err != nil {
		out.err = fmt.Errorf("storing the artifact of %s: %w", s.name, err)
		return out
	}
	c.version.Size = int64(len(artifact))
	for range publishAttempts {
		var a *admission
		if a, err = s.admission(ctx, c); err != nil {
			break
		}
		out.verdict = a.verdict
		var v registry.Version
		if v, err = s.publishCut(ctx, c, a); err == nil {
			c.version, out.verdict.Version = v, v.Number
			s.retire(ctx, s.name, s.spec.Retrain, s.log)
			return out
		}
		if errors.Is(err, registry.ErrEnded) { // whoever asked died: the examples were learned all the same
			c.version.Lineage.Training, c.id = "", nuid.Next() // how that training ended was said
			continue
		}
		if !errors.Is(err, registry.ErrConflict) || errors.Is(err, registry.ErrOvertaken) {
			break
		}
	}
	out.err = fmt.Errorf("registering the new version of %s: %w", s.name, err)
	return out
}

// admission says how the version begins.
func (s *session) admission(ctx context.Context, c *cutting) (*admission, error) {
	a, err := s.standing(ctx, s.name, s.spec.Retrain.Gate)
	if err != nil {
		return nil, err
	}
	v := &a.verdict
	v.ID, v.Challenger = c.id, c.version.Metrics
	hold := ""
	switch {
	case c.wish != nil && c.wish.req.NoPromote:
		hold = "it was asked not to promote"
	case c.skipped > 0:
		hold = fmt.Sprintf("%d steps were left out because loss or gradient was not finite", c.skipped)
	}
	if hold != "" {
		a.promote, v.Promoted, v.Why = nil, false, hold
		v.Gate = &gate.Verdict{Outcome: gate.Reject, Reason: hold}
	}
	if a.promote != nil && c.wish != nil {
		a.promote.Who = c.wish.req.Who
	}
	return a, nil
}

// publishCut makes the version visible, with its verdict.
func (s *session) publishCut(ctx context.Context, c *cutting, a *admission) (registry.Version, error) {
	data, err := json.Marshal(a.verdict)
	if err != nil {
		return registry.Version{}, fmt.Errorf("encoding the verdict: %w", err)
	}
	e := registry.Event{Model: s.name, Kind: kindRejected, Data: data}
	if a.promote != nil {
		e.Kind = kindPromoted
		a.promote.Who = cmp.Or(a.promote.Who, who)
	}
	if ctx.Err() != nil {
		return registry.Version{}, context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	return s.reg.Publish(ctx, c.version, a.promote, &e)
}
