package learn

import (
	"cmp"
	"context"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// relearn learns the examples of an online version again, from its parent or from
// nothing.
func (b *Rebuilder) relearn(ctx context.Context, v registry.Version, spec *model.Spec) (*Rebuilt, error) {
	line := &v.Lineage
	var from *model.Model
	before := &registry.Lineage{}
	if line.Warm {
		p, err := b.Registry.Resolve(ctx, registry.Ref{Model: v.Model, Version: line.Parent})
		if err == nil {
			before = &p.Lineage
			from, err = b.parent(ctx, v)
		}
		if err != nil {
			return nil, err
		}
	}
	pupil, err := newPupil(spec, from, before)
	if err != nil {
		return nil, err
	}
	subject := b.Subjects.Train(v.Model)
	if err := b.there(ctx, line, subject); err != nil {
		return nil, err
	}
	var decoder wire.ExampleDecoder
	f := follower{js: b.JetStream, stream: line.Stream, subject: subject}
	err = f.messages(ctx, line.FirstSeq, line.LastSeq, func(_ uint64, msg jetstream.Msg) error {
		meta, err := msg.Metadata()
		if err != nil {
			return err
		}
		d := &delivery{}
		d.decode(pupil.schema(), &decoder, msg, meta)
		_, err = pupil.take(d)
		b.report(wire.Training{State: stateReading, Rows: pupil.stretch.examples + pupil.rows, Reject: pupil.stretch.rejected})
		return err
	})
	if err != nil {
		return nil, err
	}
	if pupil.stretch.last == 0 || pupil.stretch.digest() != line.DataDigest {
		return nil, replaced(line, subject)
	}
	if why, err := pupil.hurry(); why != nil || err != nil {
		return nil, cmp.Or(why, err)
	}
	if err := pupil.learner.Flush(); err != nil {
		return nil, err
	}
	if err := b.rehearseAgain(ctx, pupil, line, subject); err != nil {
		return nil, err
	}
	again, err := pupil.snapshot()
	if err != nil {
		return nil, err
	}
	rebuilt, err := b.compare(v, again)
	if err != nil {
		return nil, err
	}
	if line.Replay != nil {
		rebuilt.Replayed = line.Replay.Examples
	}
	rebuilt.Examples, rebuilt.FirstSeq, rebuilt.LastSeq = pupil.stretch.examples, pupil.stretch.first, pupil.stretch.last
	return rebuilt, nil
}
