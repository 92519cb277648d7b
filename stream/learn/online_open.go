package learn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/registry"
)

// open finds where to go on.
func (s *session) open(ctx context.Context) error {
	if err := s.ours(ctx); err != nil {
		return err
	}
	base, err := s.base(ctx)
	if err != nil {
		return err
	}
	s.parent, s.warm = base.Version, base.model != nil
	line := &registry.Lineage{}
	from := registry.Version{Created: s.created}
	if s.warm {
		from, line = base.Version, &base.Lineage
	}
	if s.pupil, err = newPupil(s.spec, base.model, line); err != nil {
		return fmt.Errorf("learning %s: %w", s.name, err)
	}
	s.pupil.refused = func(d *delivery) error { return s.dead.take(ctx, d.seq, d.msg, d.err, d.problems) }
	s.pupil.done = func(d *delivery, l *model.Lesson) error { return s.learned(ctx, d, l) }
	from.Lineage = *line
	g, err := s.ground(ctx)
	if err != nil {
		return err
	}
	s.begin, err = s.locate(ctx, g, behind(&from), from.Created)
	if err != nil {
		return err
	}
	s.at, s.last = s.begin.seq, s.begin.seq
	m := mark{position: s.begin, time: from.Created, first: !s.warm}
	if s.warm {
		m.gap = time.Duration(s.spec.Retrain.MinGap)
	}
	s.due = s.retrainer.due(m)
	s.log.Info().Uint64("version", from.Number).Uint64("after", s.at).Msg("learning online")
	return nil
}

// ours returns an error unless the model is the one that the session was made for: another one
// may have its name.
func (s *session) ours(ctx context.Context) error {
	m, err := s.reg.Model(ctx, s.name)
	if err == nil && !m.Created.Equal(s.created) {
		err = fmt.Errorf("%w: model %s of %s: there is another one of that name since", registry.ErrNotFound, s.name, s.created.Format(time.RFC3339))
	}
	return err
}

// base returns what to go on from: the newest online version, or, if there is none or it
// cannot be gone on from, the champion or the newest version if that is newer. Without
// a model learning starts from nothing; the version is then the newest online one.
func (s *session) base(ctx context.Context) (*champion, error) {
	versions, err := s.reg.Versions(ctx, s.name)
	if err != nil {
		return nil, err
	}
	aliases, err := s.reg.Aliases(ctx, s.name)
	if err != nil {
		return nil, err
	}
	var chain, served, newest registry.Version
	for _, v := range versions {
		if v.Lineage.Online {
			chain = v
		}
		if v.Number == aliases[registry.Champion].To {
			served = v
		}
		newest = v
	}
	for _, v := range []registry.Version{chain, served, newest} {
		if v.Number == 0 || v.Number < chain.Number || v.Lineage.LastSeq == 0 {
			continue
		}
		m, err := s.resumable(ctx, v)
		if err != nil {
			return nil, err
		}
		if m != nil {
			return &champion{Version: v, model: m}, nil
		}
	}
	return &champion{Version: chain}, nil
}

// resumable returns the model of v, nil if it cannot be gone on from.
func (s *session) resumable(ctx context.Context, v registry.Version) (*model.Model, error) {
	artifact, err := s.artifactOf(ctx, v)
	if errors.Is(err, registry.ErrNotFound) || errors.Is(err, registry.ErrCorrupt) {
		s.log.Warn().Uint64("version", v.Number).Err(err).Msg("the version cannot be gone on from")
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, fmt.Errorf("loading version %d of %s: %w", v.Number, s.name, err)
	}
	m, err := model.Decode(artifact)
	if err == nil {
		_, err = model.ResumeLearner(s.spec, m, 1)
	}
	if err != nil {
		s.log.Info().Uint64("version", v.Number).Err(err).Msg("the version cannot be gone on from")
		return nil, nil //nolint:nilnil // there is none
	}
	return m, nil
}

func (s *session) artifactOf(ctx context.Context, v registry.Version) ([]byte, error) {
	return s.reg.Artifact(ctx, v.Digest)
}
