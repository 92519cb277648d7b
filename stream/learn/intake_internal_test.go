package learn

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// A payload is a message of which only the size counts.
type payload struct {
	jetstream.Msg

	data []byte
}

func (p payload) Data() []byte { return p.data }

func sized(seq uint64, size int) *delivery {
	return &delivery{seq: seq, msg: payload{data: make([]byte, size)}}
}

// An intake keeps the order and takes no more than its bounds, but always one message.
func TestIntakeIsBounded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		size int
		want int
	}{
		{"by messages", 10, mostQueued},
		{"by bytes", prefetch / 8, 4},
		{"one that is too large", prefetch, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q := newIntake()
			for seq := range uint64(tt.want) {
				if err := q.put(t.Context(), sized(seq, tt.size)); err != nil {
					t.Fatal(err)
				}
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			more := sized(uint64(tt.want), tt.size)
			if err := q.put(ended, more); !errors.Is(err, context.Canceled) {
				t.Fatalf("put beyond the bound: %v, want it to wait", err)
			}
			done := make(chan error, 1)
			go func() { done <- q.put(t.Context(), more) }()
			got := q.take(nil)
			if len(got) != tt.want {
				t.Fatalf("took %d messages, want %d", len(got), tt.want)
			}
			for i, d := range got {
				if d.seq != uint64(i) {
					t.Fatalf("message %d is %d", i, d.seq)
				}
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if got := q.take(nil); len(got) != 1 || got[0] != more {
				t.Errorf("after there was room: %v, want one message more", got)
			}
		})
	}
}

// Learned messages are decoded into again.
func TestIntakeReuses(t *testing.T) {
	t.Parallel()
	q, used := newIntake(), sized(1, 1)
	q.take([]*delivery{used})
	if got := q.blank(); got != used {
		t.Error("blank() is another delivery than the one that was given back")
	}
	if got := q.blank(); got == nil || got == used {
		t.Errorf("blank() = %p, want a new one", got)
	}
}

// Whatever was heeded in between, a message that is there is seen.
func TestSessionSeesEachMessage(t *testing.T) {
	t.Parallel()
	s := &session{intake: newIntake()}
	for seq := range uint64(4) {
		if err := s.intake.put(t.Context(), sized(seq, 1)); err != nil {
			t.Fatal(err)
		}
		if seq%2 == 0 && !s.another() {
			t.Fatalf("message %d is not there", seq)
		}
	}
	for seen := range uint64(4) {
		select {
		case <-s.messages():
		default:
			t.Fatalf("nothing says that there is a message after %d", seen)
		}
		if !s.another() || s.left[0].seq != seen {
			t.Fatalf("message %d is not next", seen)
		}
		s.left = s.left[1:]
	}
}
