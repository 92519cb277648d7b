package learn

import (
	"errors"
	"testing"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// Where the examples since a change have been removed, a version is cut without learning them
// again, and one that has learned them again cannot be rebuilt.
func TestRehearsalOfRemovedExamples(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := pupilOf(t, openSpec(t))
	subjects := wire.Subjects{}
	r := recall{js: b.trainer.js, stream: subjects.Stream("TRAIN"), subject: subjects.Train("iris")}
	old, err := r.rehearse(t.Context(), p, 1, 5)
	if err != nil || old.Examples != 0 {
		t.Errorf("of an empty stream rehearse() = %+v, %v, want no examples", old, err)
	}
	again := &Rebuilder{JetStream: b.trainer.js}
	line := &registry.Lineage{
		Stream: r.stream,
		Replay: &registry.Replayed{FirstSeq: 1, LastSeq: 5, Examples: 5, DataDigest: "of five examples"},
	}
	if err := again.rehearseAgain(t.Context(), p, line, r.subject); !errors.Is(err, ErrRemoved) {
		t.Errorf("rehearseAgain() = %v, want %v", err, ErrRemoved)
	}
}
