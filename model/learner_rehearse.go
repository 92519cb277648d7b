package model

import (
	"fmt"

	"github.com/modelbus/modelbus/model/feature"
)

// Rehearse makes steps on rows that were learned before, as those since a change, so that
// more is learned of them than by what one step and the replay do: epochs passes, each in an
// order of its own that follows from the seed and the number of rows learned, in batches of
// Replay.Size or Batch, whichever is more. Statistics of the transforms, counts of classes and
// the replay's memory stay as they are. Rows that cannot be learned are left out. Like Flush it
// is part of what a learner's numbers follow from.
//
// The learner must be [Learner.Clean]. An error, which wraps [feature.ErrInvalid], is for
// rows that are not labelled or of another schema, too; then nothing was learned.
func (l *Learner) Rehearse(rows *feature.Frame, epochs int) error {
	if !l.Clean() {
		return fmt.Errorf("%w: %d rows wait for their batch to be full", feature.ErrInvalid, l.pending)
	}
	if err := l.check(rows); err != nil {
		return err
	}
	own := l.memory
	defer func() { l.memory = own }()
	l.memory = newMemory(l.Schema(), rows.Len())
	for i := range rows.Len() {
		var target [1]float32
		if l.live().Targets(target[:], rows, i, i+1) != nil {
			continue
		}
		if err := l.memory.add(rows, i, target[0], 0); err != nil {
			return err
		}
	}
	l.weigh(nil) // one that goes on from a version has not done so yet
	n, size := l.memory.frame.Len(), max(l.batch, l.replay.Size)
	for epoch := range epochs {
		const apart = 1 << 15                                                      // from the draws of the replay
		l.pcg.Seed(l.step.Seed, uint64(l.counts.Examples)<<16+apart+uint64(epoch)) //nolint:gosec // not negative
		order := l.random.Perm(n)
		for lo := 0; lo < n; lo += size {
			l.rows = append(l.rows[:0], order[lo:min(lo+size, n)]...)
			l.descend()
		}
	}
	return nil
}
