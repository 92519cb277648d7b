package learn

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/stream/wire"
)

// place10 stores ten examples and returns when each was stored, by sequence.
func place10(t *testing.T, b *bench) (stored [11]time.Time, made time.Time) {
	t.Helper()
	for range 10 {
		if _, err := b.trainer.js.Publish(t.Context(), "modelbus.train.iris", []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	s, err := b.trainer.js.Stream(t.Context(), "MODELBUS_TRAIN")
	if err != nil {
		t.Fatal(err)
	}
	for seq := range uint64(10) {
		msg, err := s.GetMsg(t.Context(), seq+1)
		if err != nil {
			t.Fatal(err)
		}
		stored[seq+1] = msg.Time
	}
	return stored, s.CachedInfo().Created
}

// remake deletes the stream of examples and makes it anew.
func remake(t *testing.T, b *bench) {
	t.Helper()
	if err := b.trainer.js.DeleteStream(t.Context(), "MODELBUS_TRAIN"); err != nil {
		t.Fatal(err)
	}
	if err := Setup(t.Context(), b.trainer.js, wire.Subjects{}, 0); err != nil {
		t.Fatal(err)
	}
}

// A place in the stream is known by when its message was stored, in a stream known by when it was made.
func TestLocate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	stored, made := place10(t, b)
	s, err := b.trainer.js.Stream(t.Context(), "MODELBUS_TRAIN")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteMsg(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		at   position
		want uint64
	}{
		{"nothing yet", position{}, 0},
		{"in the stream", position{7, stored[7], made}, 7},
		{"at its end", position{10, stored[10], made}, 10},
		{"its message was removed", position{4, stored[3].Add(1), made}, 4},
		{"the stream was made anew, and is longer", position{7, stored[7], made.Add(-time.Second)}, 0},
		{"its end was lost", position{20, stored[10].Add(1), made}, 10},
		{"its end was lost, and has grown again", position{8, stored[6].Add(1), made}, 6},
		{"its end was lost, and is longer now", position{9, stored[9].Add(-1), made}, 8},
		{"nothing of what it was is left", position{9, stored[1].Add(-1), made}, 0},
		{"of a record that does not say when it was stored", position{seq: 20, made: made}, 10},
		{"of an older record", position{seq: 7}, 7},
	} {
		g, err := b.trainer.ground(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.trainer.locate(t.Context(), g, tt.at, time.Now())
		if err != nil || got.seq != tt.want || !got.made.Equal(made) && !tt.at.made.IsZero() {
			t.Errorf("%s: locate() = %+v, %v, want message %d", tt.name, got, err, tt.want)
		}
	}
	if err := s.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	g, err := b.trainer.ground(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := b.trainer.locate(t.Context(), g, position{7, stored[7], made}, time.Now()); err != nil || got.seq != 7 {
		t.Errorf("after a purge: locate() = %+v, %v, want message 7", got, err)
	}
}

// Messages of a stream that was made anew, or has lost its end, are not taken for those that
// follow, however many they are.
func TestThread(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	stored, made := place10(t, b)
	meta := func(consumer string, seq uint64) *jetstream.MsgMetadata {
		return &jetstream.MsgMetadata{Consumer: consumer, Sequence: jetstream.SequencePair{Stream: seq}, Timestamp: stored[seq]}
	}
	begin := func() *thread { return &thread{Trainer: b.trainer, at: position{2, stored[2], made}} }
	one := begin()
	for _, m := range []*jetstream.MsgMetadata{meta("a", 3), meta("a", 5), meta("b", 6)} {
		if err := one.pull(t.Context(), m); err != nil {
			t.Fatalf("pull(%+v) = %v, want it taken", m, err)
		}
	}
	if err := one.pull(t.Context(), meta("c", 6)); !errors.Is(err, errAnew) {
		t.Errorf("pull() of a message again = %v, want %v", err, errAnew)
	}
	lost := begin()
	lost.at.seq, lost.at.stored = 8, stored[6].Add(1)
	if err := lost.pull(t.Context(), meta("a", 9)); !errors.Is(err, errAnew) {
		t.Errorf("pull() behind a lost end = %v, want %v", err, errAnew)
	}
	remake(t, b)
	if err := one.pull(t.Context(), meta("b", 7)); err != nil {
		t.Errorf("pull() of a message that was on its way = %v, want it taken", err)
	}
	if err := one.pull(t.Context(), meta("c", 8)); !errors.Is(err, errAnew) {
		t.Errorf("pull() of another stream's = %v, want %v", err, errAnew)
	}
	if err := begin().pull(t.Context(), meta("a", 3)); !errors.Is(err, errAnew) {
		t.Errorf("pull() of another stream's first = %v, want %v", err, errAnew)
	}
}

// A place is the same one whoever leads the stream.
func TestLocateAfterLeaderChanges(t *testing.T) {
	t.Parallel()
	conns := embeddedtest.Cluster(t, 3)
	js, err := jetstream.New(conns[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := Setup(t.Context(), js, wire.Subjects{}, 3); err != nil {
		t.Fatal(err)
	}
	b := &bench{trainer: &Trainer{js: js}}
	stored, made := place10(t, b)
	for range 2 {
		for i := 0; embeddedtest.StepDown(conns[1], "MODELBUS_TRAIN") != nil; i++ {
			if i == 100 {
				t.Fatal("the leader of the stream does not step down")
			}
		}
		if _, err := b.trainer.holds(t.Context(), position{10, stored[10], made}); err != nil {
			t.Errorf("holds() = %v, want it in the stream", err)
		}
	}
}
