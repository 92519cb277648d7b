package learn

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/nn"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// A Rebuilder trains versions again from their lineage, to prove what they were
// made from. It changes nothing: no version, no event, no dead letter.
type Rebuilder struct {
	JetStream jetstream.JetStream
	Registry  *registry.Registry
	Subjects  wire.Subjects

	// Software is what trains now, to name beside what trained then.
	Software string

	// Progress, if not nil, is told how far the training is.
	Progress func(wire.Training)
}

// A Rebuilt is what training a version again came to.
type Rebuilt struct {
	Model    string `json:"model"`
	Version  uint64 `json:"version"`
	Same     bool   `json:"same"`   // the digests are equal
	Digest   string `json:"digest"` // of the version's artifact
	Rebuilt  string `json:"rebuilt"`
	Examples int    `json:"examples"`           // rows read again, held-out ones included
	Replayed int    `json:"replayed,omitempty"` // older ones, or online those learned again
	FirstSeq uint64 `json:"first_seq"`
	LastSeq  uint64 `json:"last_seq"`
	Software string `json:"software"` // that trained the version
	Here     string `json:"here"`     // that trained it again
}

// Rebuild reads the examples of the version's lineage, trains with its spec, from its
// parent if it was warm, and compares the artifacts. A difference is no error:
// other software or another kernel gives other last bits.
//
// It returns [ErrRemoved] if the stream no longer holds those examples,
// [ErrImported] if the version was not trained from them, and
// [registry.ErrNotFound] for an unknown ref or a parent that was deleted.
func (b *Rebuilder) Rebuild(ctx context.Context, ref registry.Ref) (*Rebuilt, error) {
	v, err := b.Registry.Resolve(ctx, ref)
	if err != nil {
		return nil, b.Registry.Instead(ctx, ref, err)
	}
	of := fmt.Sprintf("version %d of %s", v.Number, v.Model)
	if v.Lineage.Imported != "" || v.Lineage.LastSeq == 0 {
		return nil, fmt.Errorf("rebuilding %s: %w: it was imported, and its lineage names no examples", of, ErrImported)
	}
	original, err := b.load(ctx, v)
	if err != nil {
		return nil, fmt.Errorf("rebuilding %s: %w", of, err)
	}
	if v.Lineage.Online {
		rebuilt, err := b.relearn(ctx, v, original.Spec())
		if err != nil {
			return nil, fmt.Errorf("rebuilding %s: %w", of, err)
		}
		return rebuilt, nil
	}
	opts := model.FitOptions{Progress: func(e nn.Epoch) { b.report(epoch(e)) }}
	if v.Lineage.Warm {
		if opts.Parent, err = b.parent(ctx, v); err != nil {
			return nil, fmt.Errorf("rebuilding %s: %w", of, err)
		}
	}
	data, err := b.read(ctx, v, original.Spec())
	if err != nil {
		return nil, fmt.Errorf("rebuilding %s: %w", of, err)
	}
	opts.HeldOut = data.held
	again, err := fitAgain(ctx, original, data.train, opts)
	if err != nil {
		return nil, fmt.Errorf("rebuilding %s: %w", of, err)
	}
	rebuilt, err := b.compare(v, again)
	if err != nil {
		return nil, fmt.Errorf("rebuilding %s: %w", of, err)
	}
	rebuilt.Examples, rebuilt.FirstSeq, rebuilt.LastSeq = data.rows(), data.first, data.last
	if data.replayed != nil {
		rebuilt.Replayed = data.replayed.Examples
	}
	return rebuilt, nil
}

// compare compares the version with what was trained again.
func (b *Rebuilder) compare(v registry.Version, again *model.Model) (*Rebuilt, error) {
	artifact, err := again.Encode()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(artifact)
	digest := hex.EncodeToString(sum[:])
	return &Rebuilt{
		Model: v.Model, Version: v.Number,
		Same: digest == v.Digest, Digest: v.Digest, Rebuilt: digest,
		Software: v.Lineage.Software, Here: b.Software,
	}, nil
}

// fitAgain returns a model that is fitted as original was.
func fitAgain(ctx context.Context, original *model.Model, train *feature.Frame, opts model.FitOptions) (*model.Model, error) {
	again, _, err := model.Fit(ctx, original.Spec(), train, opts)
	if err != nil {
		return nil, err
	}
	if r, err := original.Reference(); r == nil && err == nil {
		return again.WithReference(nil) // it was trained before there were references
	}
	return again, nil
}

func (b *Rebuilder) report(at wire.Training) {
	if b.Progress != nil {
		b.Progress(at)
	}
}

func (b *Rebuilder) load(ctx context.Context, v registry.Version) (*model.Model, error) {
	artifact, err := b.Registry.Artifact(ctx, v.Digest)
	if err != nil {
		return nil, err
	}
	return model.Decode(artifact)
}

// parent loads the version that training started from.
func (b *Rebuilder) parent(ctx context.Context, v registry.Version) (*model.Model, error) {
	p, err := b.Registry.Resolve(ctx, registry.Ref{Model: v.Model, Version: v.Lineage.Parent})
	if errors.Is(err, registry.ErrNotFound) {
		return nil, fmt.Errorf("its training went on from version %d, its parent, which was deleted: %w", v.Lineage.Parent, err)
	}
	if err != nil {
		return nil, fmt.Errorf("its parent, version %d: %w", v.Lineage.Parent, err)
	}
	m, err := b.load(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("its parent, version %d: %w", p.Number, err)
	}
	return m, nil
}

// read reads the examples of v and checks that they are those of its lineage.
func (b *Rebuilder) read(ctx context.Context, v registry.Version, spec *model.Spec) (*reading, error) {
	line := &v.Lineage
	r := reader{
		js:      b.JetStream,
		stream:  line.Stream,
		subject: b.Subjects.Train(v.Model),
		schema:  &spec.Schema,
		report: func(rows, rejected int) {
			b.report(wire.Training{State: stateReading, Rows: rows, Reject: rejected})
		},
	}
	if err := b.there(ctx, line, r.subject); err != nil {
		return nil, err
	}
	data, err := r.read(ctx, line.FirstSeq, line.LastSeq, newSplit(spec))
	if err != nil && !errors.Is(err, ErrNoExamples) {
		return nil, err
	}
	if err != nil || data.digest != line.DataDigest {
		return nil, replaced(line, r.subject)
	}
	old := line.Replay
	if old == nil {
		return data, nil
	}
	if err := r.replay(ctx, spec, data, old.FirstSeq); err != nil {
		return nil, err
	}
	if data.replayed == nil || data.replayed.DataDigest != old.DataDigest {
		return nil, fmt.Errorf("%w or replaced: of the %d older examples that it was trained on, of messages %d to %d of %s in stream %s, not all are there any more",
			ErrRemoved, old.Examples, old.FirstSeq, old.LastSeq, r.subject, line.Stream)
	}
	return data, nil
}

func replaced(line *registry.Lineage, subject string) error {
	return fmt.Errorf("%w or replaced: messages %d to %d of %s in stream %s are not the %d rows that it was trained on (their digest is not %.12s…)",
		ErrRemoved, line.FirstSeq, line.LastSeq, subject, line.Stream, line.Examples, line.DataDigest)
}

// there returns an error if the stream no longer begins with the examples.
func (b *Rebuilder) there(ctx context.Context, line *registry.Lineage, subject string) error {
	first, err := sequenceOf(ctx, b.JetStream, line.Stream, place{Seq: line.FirstSeq, Next: subject})
	switch {
	case err != nil:
		return err
	case first == 0 || first > line.LastSeq:
		return fmt.Errorf("%w: messages %d to %d of %s, which it was trained on, are all gone from stream %s",
			ErrRemoved, line.FirstSeq, line.LastSeq, subject, line.Stream)
	case first > line.FirstSeq:
		return fmt.Errorf("%w: messages %d to %d of %s, the first that it was trained on, are gone from stream %s",
			ErrRemoved, line.FirstSeq, first-1, subject, line.Stream)
	}
	return nil
}
