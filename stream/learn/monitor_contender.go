package learn

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/registry/cache"
	"github.com/modelbus/modelbus/stream/wire"
)

// A contender is a version that predicts examples to be scored.
type contender struct {
	number    uint64
	trained   uint64 // sequence of the last example that it may have been trained on
	schema    *feature.Schema
	same      bool // it reads rows as the spec of now does
	classes   map[string]int
	predictor *model.Predictor
	grades    []grade // the last ones
	broken    error   // why it cannot predict at all
}

// contender returns a version, loading it if need be. An error is one that may pass by
// itself; a version that cannot be used is broken.
func (m *monitor) contender(ctx context.Context, number uint64) (*contender, error) {
	if c := m.loaded[number]; c != nil {
		return c, nil
	}
	c := &contender{number: number}
	v, err := m.reg.Resolve(ctx, registry.Ref{Model: m.name, Version: number})
	if err == nil {
		if c.trained, err = m.trainedTo(ctx, &v); err == nil {
			err = m.load(ctx, c, v)
		}
	}
	switch {
	case err == nil:
	case errors.Is(err, registry.ErrNotFound), errors.Is(err, registry.ErrCorrupt), errors.Is(err, model.ErrArtifact):
		c.broken = err
		m.log.Warn().Uint64("version", number).Err(err).Msg("a version cannot be scored")
	default:
		return nil, fmt.Errorf("loading version %d of %s to score it: %w", number, m.name, err)
	}
	m.loaded[number] = c
	return c, nil
}

// trainedTo returns the sequence of the last example that a version may have been trained
// on, 0 if that was in a stream that was made anew since.
func (m *monitor) trainedTo(ctx context.Context, v *registry.Version) (uint64, error) {
	if v.Lineage.LastSeq > m.ground.last {
		var err error
		if m.ground, err = m.Trainer.ground(ctx); err != nil {
			return 0, err
		}
	}
	p, err := m.locate(ctx, m.ground, behind(v), v.Created)
	return p.seq, err
}

func (m *monitor) load(ctx context.Context, c *contender, v registry.Version) error {
	for {
		artifact, err := m.reg.OpenArtifact(ctx, v.Digest, v.Size)
		if err != nil {
			return err
		}
		loaded, err := model.Open(artifact)
		if err == nil {
			loaded.DropTraining()
			if !artifact.Mapped() {
				err = loaded.Detach()
			}
		}
		if errors.Is(err, cache.ErrDamaged) {
			m.log.Warn().Uint64("version", v.Number).Err(err).Msg("a cached file is downloaded again")
			continue
		}
		if err != nil {
			return err
		}
		c.schema, c.classes, c.predictor = loaded.Schema(), places(loaded.Classes()), loaded.NewPredictor()
		c.same = same(c.schema, &m.spec.Schema)
		return nil
	}
}

// grade predicts and grades rows. What cannot be predicted, such as a category that the
// version does not know, has no grade. The grades are valid until the next call. A panic, or a page of a mapped file that
// cannot be read, breaks the contender and nothing else.
func (c *contender) grade(rows *feature.Frame, labels []truth) (grades []grade) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			c.broken, grades = fmt.Errorf("%w: %v", ErrPanic, p), make([]grade, len(labels))
		}
	}()
	if c.broken != nil {
		return make([]grade, len(labels))
	}
	if !c.same {
		seen, err := project(rows, c.schema)
		if err != nil {
			return make([]grade, len(labels))
		}
		rows = seen
	}
	if out, err := c.predictor.Predict(rows); err == nil {
		c.grades = gradesOf(c.grades, out, c.classes, labels)
		return c.grades
	}
	grades = make([]grade, len(labels))
	for i := range grades {
		if out, err := c.predictor.Predict(rows.Range(i, i+1)); err == nil {
			grades[i] = gradeOf(out, 0, c.classes, labels[i])
		}
	}
	return grades
}

// recorded returns the grade of the prediction that an example carries, and the version
// that made it, 0 if it carries none: a label that came late was joined to it.
func recorded(a arrival, labels []truth, classes int) (version uint64, g grade) {
	if len(labels) != 1 {
		return 0, g
	}
	version, err := strconv.ParseUint(a.header.Get(wire.HeaderVersion), 10, 64)
	predicted, there := a.header[wire.HeaderPrediction]
	if err != nil || !there || len(predicted) != 1 {
		return 0, g
	}
	l := labels[0]
	if l.isNumber {
		g.value, err = strconv.ParseFloat(predicted[0], 64)
		if g.ok = err == nil; !g.ok {
			return 0, g
		}
		return version, g
	}
	g.ok, g.right = true, predicted[0] == wire.HeaderText(l.class)
	score, err := strconv.ParseFloat(a.header.Get(wire.HeaderScore), 64)
	if err != nil || !(score >= 0 && score <= 1) {
		score = 1 // as certain as it can be
	}
	if g.probability = score; !g.right { // the rest is shared by the other classes
		g.probability = (1 - score) / float64(max(classes-1, 1))
	}
	return version, g
}
