package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// record makes a model's record of a request.
func record(c *call, req wire.CreateRequest) (registry.Model, error) {
	if strings.TrimSpace(req.Spec) == "" {
		return registry.Model{}, fmt.Errorf("%w: no spec: want one in YAML or JSON in the field \"spec\"", wire.ErrInvalid)
	}
	spec, err := model.ParseSpec([]byte(req.Spec))
	if err != nil {
		return registry.Model{}, err
	}
	if c.model != "" && c.model != spec.Name {
		return registry.Model{}, fmt.Errorf("%w: the subject names model %s, the spec %s", wire.ErrInvalid, c.model, spec.Name)
	}
	c.model = spec.Name
	canonical, err := spec.MarshalJSON()
	if err != nil {
		return registry.Model{}, fmt.Errorf("encoding the spec of %s: %w", spec.Name, err)
	}
	return registry.Model{Name: spec.Name, Spec: canonical, Source: req.Spec}, nil
}

func (c *Controller) create(ctx context.Context, in *call) (any, error) {
	var req wire.CreateRequest
	if err := in.decode(&req); err != nil {
		return nil, err
	}
	m, err := record(in, req)
	if err != nil {
		return nil, err
	}
	if req.Revision != 0 {
		return nil, fmt.Errorf("%w: a new model has no revision, got %d", wire.ErrInvalid, req.Revision)
	}
	m, err = c.reg.CreateModel(ctx, m)
	if errors.Is(err, registry.ErrConflict) {
		return nil, fmt.Errorf("%w (%s updates it, %s removes it)", err, wire.VerbUpdate, wire.VerbDelete)
	}
	if err != nil {
		return nil, err
	}
	return c.info(ctx, m)
}

func (c *Controller) update(ctx context.Context, in *call) (any, error) {
	var req wire.CreateRequest
	if err := in.decode(&req); err != nil {
		return nil, err
	}
	m, err := record(in, req)
	if err != nil {
		return nil, err
	}
	old, err := c.reg.Model(ctx, m.Name)
	if err != nil {
		return nil, err
	}
	m.Created, m.Revision, m.Paused = old.Created, old.Revision, old.Paused
	if req.Revision != 0 {
		m.Revision = req.Revision
	}
	m, err = c.reg.UpdateModel(ctx, m)
	if errors.Is(err, registry.ErrConflict) {
		return nil, fmt.Errorf("%w (read it again and update what you then see)", err)
	}
	if err != nil {
		return nil, err
	}
	return c.info(ctx, m)
}

func (c *Controller) pause(ctx context.Context, in *call) (any, error) {
	return c.setPaused(ctx, in, true)
}

func (c *Controller) resume(ctx context.Context, in *call) (any, error) {
	return c.setPaused(ctx, in, false)
}

// setPaused says whether a model is trained by itself. A change of the model's record
// at the same moment is waited for.
func (c *Controller) setPaused(ctx context.Context, in *call, paused bool) (any, error) {
	for {
		m, err := c.reg.Model(ctx, in.model)
		if err != nil {
			return nil, err
		}
		if m.Paused != paused {
			m.Paused = paused
			m, err = c.reg.UpdateModel(ctx, m)
			if errors.Is(err, registry.ErrConflict) && ctx.Err() == nil {
				continue
			}
			if err != nil {
				return nil, err
			}
		}
		return c.info(ctx, m)
	}
}

// remove deletes a model, or one version of it. Asked again about a model that it
// deleted, it removes what examples are left; a name that no model ever had keeps its.
func (c *Controller) remove(ctx context.Context, in *call) (any, error) {
	var req wire.DeleteRequest
	if err := in.decode(&req); err != nil {
		return nil, err
	}
	if req.Version > 0 {
		return struct{}{}, c.reg.DeleteVersion(ctx, in.model, req.Version, req.Who, req.Why)
	}
	if c.trainer != nil {
		c.trainer.Cancel(in.model)
	}
	ends, err := c.ends(ctx)
	if err != nil {
		return nil, err
	}
	missing := c.reg.DeleteModel(ctx, in.model, req.Who, req.Why)
	if missing != nil && (req.KeepExamples || !errors.Is(missing, registry.ErrNotFound)) {
		return nil, missing
	}
	if err := c.forget(ctx, in.model, ends); err != nil {
		return nil, fmt.Errorf("the model is deleted, but what was captured of it is not: %w", err)
	}
	if req.KeepExamples {
		return struct{}{}, nil
	}
	if missing != nil {
		if deleted, err := c.reg.Deleted(ctx, in.model); err != nil || !deleted {
			return nil, cmp.Or(err, missing)
		}
	}
	purged, err := c.purge(ctx, in.model, ends)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the model is deleted, but its examples are not: %w", err)
	case missing != nil && purged == 0:
		return nil, missing
	}
	return struct{}{}, nil
}

// ends returns the sequence behind the last message of each stream that has messages of models:
// what comes after it may be of another model of the name.
func (c *Controller) ends(ctx context.Context) (map[string]uint64, error) {
	ends := map[string]uint64{}
	for _, kind := range []string{"TRAIN", "DEAD", "CAPTURE", "JOIN", "LABEL"} {
		name := c.opts.Subjects.Stream(kind)
		stream, err := c.reg.JetStream().Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("looking at stream %s: %w", name, err)
		}
		ends[name] = stream.CachedInfo().State.LastSeq + 1
	}
	return ends, nil
}

// forget removes what was captured of the model's predictions, and labels that wait
// for it.
func (c *Controller) forget(ctx context.Context, model string, ends map[string]uint64) error {
	s := c.opts.Subjects
	for name, subject := range map[string]string{
		s.Stream("CAPTURE"): s.Capture(model, "*"), s.Stream("JOIN"): s.Join(model, "*"), s.Stream("LABEL"): s.Label(model),
	} {
		if ends[name] == 0 {
			continue
		}
		stream, err := c.reg.JetStream().Stream(ctx, name)
		if err == nil {
			err = stream.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(ends[name]))
		}
		if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return fmt.Errorf("removing %s from stream %s: %w", subject, name, err)
		}
	}
	return nil
}

// purge removes the model's examples, good and bad, and says how many there were.
func (c *Controller) purge(ctx context.Context, model string, ends map[string]uint64) (uint64, error) {
	s := c.opts.Subjects
	subjects := map[string]string{s.Stream("TRAIN"): s.Train(model), s.Stream("DEAD"): s.Dead(model)}
	var all uint64
	for name, subject := range subjects {
		if ends[name] == 0 {
			continue
		}
		stream, err := c.reg.JetStream().Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return all, fmt.Errorf("removing %s from stream %s: %w", subject, name, err)
		}
		n, err := count(ctx, stream, subject)
		if err == nil && n > 0 {
			err = stream.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(ends[name]))
		}
		if err != nil {
			return all, fmt.Errorf("removing %s from stream %s: %w", subject, name, err)
		}
		all += n
	}
	return all, nil
}

// count returns how many messages a stream keeps on a subject.
func count(ctx context.Context, stream jetstream.Stream, subject string) (uint64, error) {
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(subject))
	if err != nil {
		return 0, err
	}
	return info.State.Subjects[subject], nil
}
