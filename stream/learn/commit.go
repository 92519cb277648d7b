package learn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/gate"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

const (
	// publishAttempts bounds how often a version is compared anew because the
	// champion changed meanwhile.
	publishAttempts = 8

	// storeTimeout bounds one attempt to make a version visible. It does not end
	// with the training's context: half of a commit would be neither.
	storeTimeout = 30 * time.Second
)

// commit stores the artifact, compares with the champion, and makes the version,
// the promotion if it won, and the verdict visible in one step. If the champion
// changed meanwhile, it compares with the new one.
func (t *training) commit(ctx context.Context, p *plan, data *reading, f *fit) (outcome, error) {
	artifact, err := f.model.Encode()
	if err != nil {
		return outcome{}, fmt.Errorf("encoding the new version of %s: %w", t.job.model, err)
	}
	digest, err := t.reg.PutArtifact(ctx, artifact)
	if err != nil {
		return outcome{}, fmt.Errorf("storing the artifact of %s: %w", t.job.model, err)
	}
	v := t.version(p, data, f)
	v.Digest, v.Size = digest, int64(len(artifact))

	same, err := t.sameAs(ctx, digest)
	if err != nil {
		return outcome{}, err
	}
	contest := &contest{
		spec: p.spec, specDigest: p.specDigest, noPromote: t.job.req.NoPromote,
		challenger: f.model, train: data.train, held: data.held, last: data.last,
	}
	for attempt := range publishAttempts {
		t.progress.report(wire.Training{State: stateEvaluating, Rows: data.held.Len(), Reject: data.rejected})
		c, err := t.champion(ctx)
		if err != nil {
			return outcome{}, err
		}
		out, err := t.judge(ctx, contest, c, same)
		if err != nil {
			return outcome{}, err
		}
		v.Metrics, v.Lineage.Parent = out.metrics, parent(p, c)
		if ctx.Err() != nil || !t.ending(t.job) {
			return outcome{}, ended(ctx)
		}
		t.progress.report(wire.Training{State: stateStoring, Bytes: v.Size, Reject: data.rejected, Scores: out.metrics})
		stored, err := t.publishVersion(ctx, v, &out)
		if err == nil {
			out.Version = stored.Number
			return out, nil
		}
		if !errors.Is(err, registry.ErrConflict) {
			return outcome{}, fmt.Errorf("registering the new version of %s: %w", t.job.model, err)
		}
		t.log.Info().Int("attempt", attempt+1).Uint64("champion", c.Number).Msg("the champion changed meanwhile: comparing again")
	}
	return outcome{}, fmt.Errorf("registering the new version of %s: %w: the champion changed in each of %d attempts",
		t.job.model, registry.ErrConflict, publishAttempts)
}

// judge compares the challenger with the champion; same is the version that has its artifact
// already, 0 if none has.
func (t *training) judge(ctx context.Context, contest *contest, c *champion, same uint64) (outcome, error) {
	out, err := contest.judge(c)
	if err == nil {
		err = t.onTrial(ctx, contest.spec, &out)
	}
	out.ID = t.job.id
	if err == nil && same != 0 {
		err = t.repeats(ctx, &out, same)
	}
	return out, err
}

// onTrial has a stream gate decide in place of the held-out rows, whose scores stay: the
// examples to come will.
func (t *training) onTrial(ctx context.Context, spec *model.Spec, out *outcome) error {
	if r := spec.Retrain; r == nil || r.Gate == nil || r.Gate.Kind != gate.Live || t.job.req.NoPromote {
		return nil
	}
	a, err := t.standing(ctx, t.job.model, spec.Retrain.Gate)
	if err != nil {
		return err
	}
	out.Champion, out.Promoted, out.Why, out.Gate = a.verdict.Champion, a.verdict.Promoted, a.verdict.Why, a.verdict.Gate
	out.promote = a.promote
	return nil
}

// sameAs returns the newest version if it has the artifact of that digest, else 0.
func (t *training) sameAs(ctx context.Context, digest string) (uint64, error) {
	versions, err := t.reg.Versions(ctx, t.job.model)
	if err != nil {
		return 0, fmt.Errorf("looking up the versions of %s: %w", t.job.model, err)
	}
	if n := len(versions); n > 0 && versions[n-1].Digest == digest {
		return versions[n-1].Number, nil
	}
	return 0, nil
}

// repeats makes out one of a training that gave the artifact of a version that is there.
// It is no version again; if another one is the champion, it may still be promoted, or
// go on trial, unless nobody asked and the champion was rolled back from it.
func (t *training) repeats(ctx context.Context, out *outcome, version uint64) error {
	out.Unchanged, out.Version, out.Tried = true, version, t.tried()
	why := fmt.Sprintf("unchanged: same as version %d", version)
	if version == out.Champion {
		out.Promoted, out.Why, out.promote = false, why, nil
		return nil
	}
	out.Why = why + "; " + out.Why
	if t.job.trigger == "" || !out.Promoted {
		return nil
	}
	back, err := t.rolledBack(ctx, t.job.model, version)
	if back {
		out.Promoted, out.promote = false, nil
		out.Why = why + "; it was promoted and rolled back before: it is not promoted again by itself"
	}
	return err
}

// parent is the version that training started from or, without one, was compared with.
func parent(p *plan, c *champion) uint64 {
	if p.parent != nil {
		return p.parent.Number
	}
	return c.Number
}

func (t *training) version(p *plan, data *reading, f *fit) registry.Version {
	return registry.Version{
		Model: t.job.model, ModelCreated: p.record.Created,
		Lineage: registry.Lineage{
			Warm:     p.parent != nil,
			Stream:   data.stream,
			FirstSeq: data.first,
			LastSeq:  data.last,
			Change:   p.change,
			LastTime: data.stored,

			StreamCreated: t.job.read.made,

			Examples:   data.rows(),
			Held:       data.held.Len(),
			Rejected:   data.rejected,
			DataDigest: data.digest,
			SpecDigest: p.specDigest,
			Seed:       p.spec.Training.Seed,
			Software:   t.opts.Software,
			Trigger:    t.job.trigger,
			Training:   t.job.id,
			Epochs:     f.epochs,
			Seconds:    f.seconds,
			Replay:     data.replayed,
		},
	}
}

// publishVersion makes v visible, with the promotion if it won or is on trial. The event
// that carries the verdict is the promotion's, or a "rejected" one with the version's
// number as its id, or an "unchanged" one if the version is there already.
func (t *training) publishVersion(ctx context.Context, v registry.Version, out *outcome) (registry.Version, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	kind := kindRejected
	if out.Unchanged {
		kind = kindSame
	}
	promotion := out.promote
	if promotion == nil && out.Promoted {
		promotion = &registry.Promotion{Alias: registry.Champion, If: out.Champion, Why: out.Why}
	}
	if promotion != nil {
		kind, promotion.Who = kindPromoted, t.job.req.Who
	}
	verdict, err := t.event(kind, out.Verdict)
	if err != nil {
		return registry.Version{}, err
	}
	if out.Unchanged {
		err := t.reg.EndTraining(ctx, registry.Ending{
			Model: v.Model, Training: t.job.id, Event: verdict, Promote: promotion, Version: out.Version,
		})
		return registry.Version{Number: out.Version}, err
	}
	verdict.ID = ""
	return t.reg.Publish(ctx, v, promotion, &verdict)
}
