package registry

import (
	"context"
	"errors"
	"testing"
)

// TestLostAnswer is a commit that came in although its answer did not.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	stumble := errors.New("the change was made already")
	tests := []struct {
		name   string
		writer string // of the commit that came in
		want   int
		err    error
	}{
		{name: "the writer's own", writer: "w-0", want: 7},
		{name: "another writer's", writer: "x-0", err: stumble},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRegistry(t)
			l, base, err := r.readLedger(t.Context(), "iris")
			if err != nil {
				t.Fatal(err)
			}
			first, err := l.seal("iris", base, tt.writer)
			if err != nil {
				t.Fatal(err)
			}
			seq, _, err := r.commit(t.Context(), newPacer(), []put{first, {key: "alias.iris.champion", data: []byte("{}")}})
			if err != nil {
				t.Fatal(err)
			}
			d := decision[int]{r: r, model: "iris", writer: "w", pace: newPacer(), base: base, open: map[string]int{"w-0": 7}}
			out, again, err := d.step(t.Context(), func(context.Context, *ledger) (int, []put, error) { return 0, nil, stumble })
			if out.result != tt.want || again != nil || !errors.Is(err, tt.err) {
				t.Errorf("step = %+v, %v, %v, want %d, nil, %v", out, again, err, tt.want, tt.err)
			}
			if tt.err == nil && out.seq != seq {
				t.Errorf("sequence = %d, want %d", out.seq, seq)
			}
		})
	}
}

// TestLateCommit is a commit that comes in while the writer, who was told of an
// error, chooses anew: it must not see its own change as somebody else's.
func TestLateCommit(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	l, base, err := r.readLedger(t.Context(), "iris")
	if err != nil {
		t.Fatal(err)
	}
	d := decision[int]{r: r, model: "iris", writer: "w", pace: newPacer(), base: base, open: map[string]int{"w-0": 7}}
	out, again, err := d.step(t.Context(), func(ctx context.Context, _ *ledger) (int, []put, error) {
		first, err := l.seal("iris", base, "w-0")
		if err != nil {
			return 0, nil, err
		}
		if _, _, err := r.commit(ctx, newPacer(), []put{first}); err != nil {
			return 0, nil, err
		}
		return 0, nil, ErrConflict
	})
	if out.result != 7 || again != nil || err != nil {
		t.Errorf("step = %+v, %v, %v, want 7, nil, nil", out, again, err)
	}
}
