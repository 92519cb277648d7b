package learn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/registry"
)

// errAnew ends whoever follows the stream of examples when it is not the one that it was: it
// was deleted and made again, or its end was lost. The next one finds where to go on.
var errAnew = errors.New("their stream was made anew, or has lost its end")

// clockSkew is by how much the clocks of a trainer and of a server may differ.
const clockSkew = time.Minute

// A stream that seems to be too short is looked at again so often before that counts.
const (
	leaderTries = 5
	leaderPause = 100 * time.Millisecond
)

// A position is a place in the stream of examples: behind the message of a sequence. When that
// was stored, and the stream made, tells whether the stream still has it.
type position struct {
	seq    uint64
	stored time.Time // zero if that is not known
	made   time.Time // zero of a record that does not have it
}

// behind returns the position where the examples of a version end.
func behind(v *registry.Version) position {
	return position{seq: v.Lineage.LastSeq, stored: v.Lineage.LastTime, made: v.Lineage.StreamCreated}
}

// A ground is the stream of examples as it is now.
type ground struct {
	made time.Time
	last uint64 // sequence of its last message
}

// ground asks the leader of the stream of examples how it is.
func (t *Trainer) ground(ctx context.Context) (g ground, err error) {
	err = registry.Retry(ctx, func(ctx context.Context) error {
		stream, err := t.js.Stream(ctx, t.opts.Subjects.Stream("TRAIN"))
		if err == nil {
			info := stream.CachedInfo()
			g = ground{made: info.Created, last: info.State.LastSeq}
		}
		return err
	})
	if err != nil {
		return ground{}, fmt.Errorf("looking at the examples: %w", err)
	}
	return g, nil
}

// locate returns where to go on in g for whoever came to p, which was so at the time
// known: there; at the beginning if the stream was made anew since; and if it has lost its
// end, with the message of p, behind the last one that was there then. What is lost counts
// already.
func (t *Trainer) locate(ctx context.Context, g ground, p position, known time.Time) (position, error) {
	to := position{made: g.made}
	if p.seq == 0 {
		return to, nil
	}
	g, err := t.caughtUp(ctx, g, p)
	if err != nil {
		return to, err
	}
	switch {
	case p.made.IsZero():
		to.seq = countFrom(g, p.seq, known)
		return to, nil
	case !p.made.Equal(g.made):
		return to, nil
	case p.stored.IsZero():
		to.seq = min(p.seq, g.last)
		return to, nil
	}
	seq, stored, err := messageOf(ctx, t.js, t.opts.Subjects.Stream("TRAIN"), place{Seq: p.seq})
	if err != nil {
		return to, err
	}
	if seq == p.seq && stored.Equal(p.stored) {
		return p, nil
	}
	// It is not there: it was removed, or lost. All that was stored later is new.
	after := p.stored.Add(1)
	w := window{js: t.js, stream: t.opts.Subjects.Stream("TRAIN"), subject: t.opts.Subjects.Train("*")}
	info, err := w.probe(ctx, jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &after})
	if err != nil {
		return to, err
	}
	to.seq = min(p.seq, info.Delivered.Stream)
	return to, nil
}

// caughtUp returns the stream as it is, once a new leader, which may not have all that there is at
// once, has had the time for that, if it ends before p.
func (t *Trainer) caughtUp(ctx context.Context, g ground, p position) (ground, error) {
	for range leaderTries {
		if g.last >= p.seq || !p.made.IsZero() && !p.made.Equal(g.made) {
			return g, nil
		}
		timer := time.NewTimer(leaderPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return g, context.Cause(ctx)
		}
		now, err := t.ground(ctx)
		if err != nil {
			return g, err
		}
		if !now.made.Equal(g.made) { // while we waited: whoever asked asks again
			return g, errAnew
		}
		g = now
	}
	return g, nil
}

// holds returns the stream as it is, and errAnew unless p is a place in it.
func (t *Trainer) holds(ctx context.Context, p position) (ground, error) {
	g, err := t.ground(ctx)
	if err != nil {
		return g, err
	}
	now, err := t.locate(ctx, g, p, time.Time{})
	if err == nil && (now.seq != p.seq || !now.made.Equal(p.made)) {
		err = errAnew
	}
	return g, err
}

// countFrom returns the sequence to go on after in a stream that had a message seq at that
// time, of records that do not say more: seq; 0 if the stream was made anew since; the
// last one there is if a crash of the machine has taken some.
func countFrom(g ground, seq uint64, at time.Time) uint64 {
	switch {
	case g.made.After(at.Add(clockSkew)):
		return 0
	case g.last >= seq:
		return seq
	case g.made.After(at.Add(-clockSkew)):
		return 0
	}
	return g.last
}

// A thread is the examples as a consumer delivers them. The client makes another consumer
// when one is lost, also in a stream that has become another: then all ends that counts
// on the sequences.
type thread struct {
	*Trainer

	consumer string // that the last message came from
	at       position
}

// pull takes notice of the next message before anything is made of it.
func (t *thread) pull(ctx context.Context, meta *jetstream.MsgMetadata) error {
	if meta.Consumer != t.consumer {
		if meta.Sequence.Stream <= t.at.seq { // of a stream that ends before it
			return errAnew
		}
		if _, err := t.holds(ctx, t.at); err != nil {
			return err
		}
		t.consumer = meta.Consumer
	}
	t.at.seq, t.at.stored = meta.Sequence.Stream, meta.Timestamp
	return nil
}
