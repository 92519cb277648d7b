package registry_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/registry"
)

func TestPromote(t *testing.T) {
	t.Parallel()
	r, _, digest := withIris(t)
	versions(t, r, "iris", digest, 2)
	m, err := r.Promote(t.Context(), "iris", "canary", 1, "ada", "try it")
	if err != nil || m.From != 0 || m.To != 1 || m.Number != 1 || m.Who != "ada" || m.Why != "try it" || m.When.IsZero() {
		t.Errorf("Promote = %+v, %v", m, err)
	}
	same, err := r.Promote(t.Context(), "iris", "canary", 1, "bob", "again")
	if err != nil || same != m {
		t.Errorf("Promote to where it is = %+v, %v, want %+v", same, err, m)
	}
	if m, err = r.Promote(t.Context(), "iris", "canary", 2, "ada", ""); err != nil || m.From != 1 || m.Number != 2 {
		t.Errorf("second Promote = %+v, %v", m, err)
	}
	moves, err := r.History(t.Context(), "iris", "canary")
	if err != nil || len(moves) != 2 || moves[0].Why != "try it" || moves[1].To != 2 {
		t.Errorf("History = %+v, %v", moves, err)
	}
	if got := events(t, r, "iris", 7); got[5].ID != "canary-1" || got[6].ID != "canary-2" {
		t.Errorf("events = %v", names(got))
	}
}

func TestHistoryIsTheLast64(t *testing.T) {
	t.Parallel()
	r, _, digest := withIris(t)
	versions(t, r, "iris", digest, 2)
	for i := range uint64(70) {
		if _, err := r.Promote(t.Context(), "iris", "canary", 1+i%2, "", ""); err != nil {
			t.Fatal(err)
		}
	}
	moves, err := r.History(t.Context(), "iris", "canary")
	if err != nil || len(moves) != 64 || moves[0].Number != 7 || moves[63].Number != 70 {
		t.Errorf("History = %d moves, %v, want 7 to 70", len(moves), err)
	}
}

func TestRollback(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		steps string // a number promotes that version, "<" rolls back, "-3" deletes version 3
		want  []uint64
		err   error // of one more rollback
	}{
		{name: "once", steps: "1 2 <", want: []uint64{1, 2, 1}, err: registry.ErrInvalid},
		{name: "twice goes back two versions", steps: "1 2 3 < <", want: []uint64{1, 2, 3, 2, 1}, err: registry.ErrInvalid},
		{name: "a promotion after a rollback", steps: "1 2 3 < 4 < <", want: []uint64{1, 2, 3, 2, 4, 2, 1}, err: registry.ErrInvalid},
		{name: "past a deleted version", steps: "1 2 3 -2 <", want: []uint64{1, 2, 3, 1}, err: registry.ErrInvalid},
		{name: "there and back", steps: "1 2 1 < <", want: []uint64{1, 2, 1, 2, 1}, err: registry.ErrInvalid},
		{name: "nothing before", steps: "1", want: []uint64{1}, err: registry.ErrInvalid},
		{name: "all before are deleted", steps: "1 2 -1", want: []uint64{1, 2}, err: registry.ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, _, digest := withIris(t)
			for range 4 {
				publish(t, r, "iris", digest, nil)
			}
			for step := range strings.FieldsSeq(tt.steps) {
				var err error
				switch {
				case step == "<":
					var m registry.Move
					m, err = r.Rollback(t.Context(), "iris", registry.Champion, "ada", "worse")
					if err == nil && (!m.Rollback || m.Who != "ada" || m.Why != "worse") {
						t.Errorf("Rollback = %+v", m)
					}
				case step[0] == '-':
					err = r.DeleteVersion(t.Context(), "iris", uint64(step[1]-'0'), "", "")
				default:
					_, err = r.Promote(t.Context(), "iris", registry.Champion, uint64(step[0]-'0'), "", "")
				}
				if err != nil {
					t.Fatalf("step %s: %v", step, err)
				}
			}
			moves, err := r.History(t.Context(), "iris", registry.Champion)
			if err != nil {
				t.Fatal(err)
			}
			var got []uint64
			for i, m := range moves {
				got = append(got, m.To)
				if i > 0 && m.From != moves[i-1].To || m.Number != uint64(i+1) {
					t.Errorf("move %d = %+v after %+v", i, m, moves[max(i-1, 0)])
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("champion went %v, want %v", got, tt.want)
			}
			if _, err := r.Rollback(t.Context(), "iris", registry.Champion, "", ""); !errors.Is(err, tt.err) {
				t.Errorf("one more Rollback = %v, want %v", err, tt.err)
			}
		})
	}
}

func TestRemoveAlias(t *testing.T) {
	t.Parallel()
	r, _, digest := withIris(t)
	versions(t, r, "iris", digest, 2)
	for _, n := range []uint64{1, 2} {
		if _, err := r.Promote(t.Context(), "iris", "canary", n, "", ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.RemoveAlias(t.Context(), "iris", "canary", "ada", "done"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Resolve(t.Context(), registry.Ref{Model: "iris", Alias: "canary"}); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("Resolve of a removed alias = %v, want ErrNotFound", err)
	}
	if aliases, err := r.Aliases(t.Context(), "iris"); err != nil || len(aliases) != 1 {
		t.Errorf("Aliases = %v, %v, want champion alone", aliases, err)
	}
	if err := r.RemoveAlias(t.Context(), "iris", "canary", "", ""); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("second RemoveAlias = %v, want ErrNotFound", err)
	}
	if err := r.DeleteVersion(t.Context(), "iris", 1, "", ""); err != nil {
		t.Errorf("DeleteVersion of what the alias named = %v", err)
	}
	v, err := r.Publish(t.Context(), registry.Version{Model: "iris", Digest: digest}, &registry.Promotion{Alias: "canary"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	moves, err := r.History(t.Context(), "iris", "canary")
	if err != nil || len(moves) != 4 || moves[2].To != 0 || moves[2].Who != "ada" || moves[3].To != v.Number || moves[3].Number != 4 {
		t.Errorf("History = %+v, %v", moves, err)
	}
	if _, err := r.Rollback(t.Context(), "iris", "canary", "", ""); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("Rollback past a removal = %v, want ErrInvalid", err)
	}
	var removed registry.Move
	for _, e := range events(t, r, "iris", 11) {
		if e.Kind == registry.KindRemoved {
			if err := json.Unmarshal(e.Data, &removed); err != nil || e.ID != "canary-3" {
				t.Errorf("removed = %+v, %v", e, err)
			}
		}
	}
	if removed.Why != "done" || removed.From != 2 {
		t.Errorf("data of removed = %+v", removed)
	}
}
