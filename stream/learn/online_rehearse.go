package learn

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

const (
	// rehearsedRows and rehearsals are how many of the newest examples since a change a
	// learner learns again, and how often. Of the changes of SEA concepts 10 times leaves a
	// third of what there is to gain, and 100 times gain no more than 30.
	rehearsedRows = 1000
	rehearsals    = 30
)

// A recall reads examples that were learned, to be learned again.
type recall struct {
	js      jetstream.JetStream
	stream  string
	subject string
}

// rehearse has a learner learn again what it learned of the messages with sequences in
// [from, until], the newest of it, and returns what that was: no examples if the stream has none of
// them any more.
func (r *recall) rehearse(ctx context.Context, p *pupil, from, until uint64) (*registry.Replayed, error) {
	old, sum := &registry.Replayed{}, sha256.New()
	rows := newest{size: rehearsedRows}
	f := follower{js: r.js, stream: r.stream, subject: r.subject}
	var decoder wire.ExampleDecoder
	err := f.messages(ctx, from, until, func(seq uint64, msg jetstream.Msg) error {
		meta, err := msg.Metadata()
		if err != nil {
			return err
		}
		var d delivery
		d.decode(p.schema(), &decoder, msg, meta)
		if old.FirstSeq == 0 {
			old.FirstSeq = seq
		}
		old.LastSeq = seq
		addPayload(sum, msg.Data())
		return rows.add(d.rows)
	})
	if err != nil {
		return nil, fmt.Errorf("reading the examples since a change from stream %s: %w", r.stream, err)
	}
	again, err := rows.frame(p.schema())
	if err != nil {
		return nil, err
	}
	old.Examples, old.DataDigest = again.Len(), hex.EncodeToString(sum.Sum(nil))
	if old.Examples == 0 {
		return old, nil
	}
	return old, p.learner.Rehearse(again, rehearsals)
}

// newest keeps the newest rows, and at most as many others.
type newest struct {
	size          int
	before, after *feature.Frame // nil: there are none
}

func (n *newest) add(rows *feature.Frame) error {
	for i := range rows.Len() {
		if n.after == nil || n.after.Len() == n.size {
			n.before, n.after = n.after, feature.NewFrame(rows.Schema(), true)
		}
		if err := n.after.AppendFrom(rows, i); err != nil {
			return err
		}
	}
	return nil
}

// frame returns them.
func (n *newest) frame(s *feature.Schema) (*feature.Frame, error) {
	out := feature.NewFrame(s, true)
	for _, part := range []*feature.Frame{n.before, n.after} {
		if part == nil {
			continue
		}
		first := 0
		if part == n.before {
			first = n.after.Len()
		}
		for i := first; i < part.Len(); i++ {
			if err := out.AppendFrom(part, i); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// rehearse has the learner learn again what came since a change, if the version that is about
// to be cut is an answer to one.
func (s *session) rehearse(ctx context.Context, line *registry.Lineage) error {
	since := s.monitor.relearned(s.last, s.at)
	if since == 0 || since > s.at {
		return nil
	}
	r := recall{js: s.js, stream: s.opts.Subjects.Stream("TRAIN"), subject: s.opts.Subjects.Train(s.name)}
	old, err := r.rehearse(ctx, s.pupil, since, s.at)
	if err != nil || old.Examples == 0 {
		return err
	}
	line.Change, line.Replay = since, old
	s.log.Info().Int("examples", old.Examples).Uint64("since", since).Msg("what came since a change was learned again")
	return nil
}

// rehearseAgain does to a learner what was done before the version of that lineage was cut.
func (b *Rebuilder) rehearseAgain(ctx context.Context, p *pupil, line *registry.Lineage, subject string) error {
	old := line.Replay
	if old == nil {
		return nil
	}
	r := recall{js: b.JetStream, stream: line.Stream, subject: subject}
	again, err := r.rehearse(ctx, p, old.FirstSeq, old.LastSeq)
	if err != nil {
		return err
	}
	if again.DataDigest != old.DataDigest {
		return fmt.Errorf("%w or replaced: of messages %d to %d of %s in stream %s, which were learned again, not all are there any more",
			ErrRemoved, old.FirstSeq, old.LastSeq, subject, line.Stream)
	}
	return nil
}
