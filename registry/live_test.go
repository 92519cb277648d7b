package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/modelbus/modelbus/registry"
)

func TestLive(t *testing.T) {
	t.Parallel()
	r, _, _ := withIris(t)
	data, revision, err := r.Live(t.Context(), "iris")
	if data != nil || revision != 0 || err != nil {
		t.Errorf("Live of none = %s, %d, %v", data, revision, err)
	}
	first, err := r.PutLive(t.Context(), "iris", []byte("one"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.PutLive(t.Context(), "iris", []byte("other"), 0); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("PutLive after nothing = %v, want ErrConflict", err)
	}
	second, err := r.PutLive(t.Context(), "iris", []byte("two"), first)
	if err != nil || second <= first {
		t.Errorf("PutLive = %d, %v", second, err)
	}
	if data, revision, err := r.Live(t.Context(), "iris"); string(data) != "two" || revision != second || err != nil {
		t.Errorf("Live = %s, %d, %v, want two at %d", data, revision, err, second)
	}
	if err := r.DeleteModel(t.Context(), "iris", "", ""); err != nil {
		t.Fatal(err)
	}
	data, revision, err = r.Live(t.Context(), "iris")
	if data != nil || revision <= second || err != nil {
		t.Errorf("Live of a deleted model = %s, %d, %v", data, revision, err)
	}
	if _, err := r.PutLive(t.Context(), "iris", []byte("late"), second); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("PutLive of what was removed = %v, want ErrConflict", err)
	}
	if _, err := r.PutLive(t.Context(), "iris", []byte("new"), revision); err != nil {
		t.Errorf("PutLive of the next one = %v", err)
	}
}

func TestWatchLive(t *testing.T) {
	t.Parallel()
	r, _, _ := withIris(t)
	revision, err := r.PutLive(t.Context(), "iris", []byte("one"), 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []string
	err = r.WatchLive(ctx, func(model string, data []byte) {
		got = append(got, model+":"+string(data))
		switch len(got) {
		case 1:
			if _, err := r.PutLive(t.Context(), "iris", []byte("two"), revision); err != nil {
				t.Error(err)
			}
		case 2:
			if err := r.DeleteModel(t.Context(), "iris", "", ""); err != nil {
				t.Error(err)
			}
		default:
			cancel()
		}
	})
	if err != nil || len(got) != 3 || got[0] != "iris:one" || got[1] != "iris:two" || got[2] != "iris:" {
		t.Errorf("WatchLive called with %q, %v", got, err)
	}
}

func TestPromoteIf(t *testing.T) {
	t.Parallel()
	r, _, digest := withIris(t)
	versions(t, r, "iris", digest, 3) // of which the last is the champion
	before := champion(t, r, "iris")
	version := before%3 + 1
	if _, err := r.Promote(t.Context(), "iris", registry.Challenger, version, "", ""); err != nil {
		t.Fatal(err)
	}
	p := registry.Promotion{Alias: registry.Champion, If: before, Remove: registry.Challenger, Who: "ada", Why: "better"}
	for _, wrong := range []registry.Promotion{
		{Alias: registry.Champion, If: version},
		{Alias: registry.Champion, If: before, Remove: "canary"},
	} {
		if _, err := r.PromoteIf(t.Context(), "iris", version, wrong, nil); !errors.Is(err, registry.ErrConflict) {
			t.Errorf("PromoteIf(%+v) = %v, want ErrConflict", wrong, err)
		}
	}
	m, err := r.PromoteIf(t.Context(), "iris", version, p, json.RawMessage(`{"why":"better"}`))
	if err != nil || m.From != before || m.To != version || m.Who != "ada" {
		t.Errorf("PromoteIf = %+v, %v", m, err)
	}
	if again, err := r.PromoteIf(t.Context(), "iris", version, p, nil); err != nil || again != m {
		t.Errorf("PromoteIf again = %+v, %v, want %+v", again, err, m)
	}
	aliases, err := r.Aliases(t.Context(), "iris")
	if _, left := aliases[registry.Challenger]; left || err != nil || aliases[registry.Champion].To != version {
		t.Errorf("aliases = %+v, %v, want the champion alone", aliases, err)
	}
	e, ok, err := r.LastEvent(t.Context(), "iris", registry.KindPromoted)
	var moved registry.Promoted
	if err != nil || !ok || json.Unmarshal(e.Data, &moved) != nil || moved.To != version || string(moved.Verdict) != `{"why":"better"}` {
		t.Errorf("LastEvent = %+v, %v, %v, want the promotion with its verdict", e, ok, err)
	}
	p = registry.Promotion{Alias: registry.Champion, If: version, Rollback: true}
	if m, err = r.PromoteIf(t.Context(), "iris", before, p, nil); err != nil || !m.Rollback || m.To != before {
		t.Errorf("PromoteIf back = %+v, %v, want a rollback", m, err)
	}
	if err := r.RemoveAliasIf(t.Context(), "iris", "canary", 1, "", ""); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("RemoveAliasIf of none = %v, want ErrNotFound", err)
	}
}

func TestNewest(t *testing.T) {
	t.Parallel()
	r, _, digest := withIris(t)
	all := func(*registry.Version) bool { return true }
	if _, ok, err := r.Newest(t.Context(), "iris", all); ok || err != nil {
		t.Errorf("Newest of none = %v, %v", ok, err)
	}
	for range 12 {
		publish(t, r, "iris", digest, nil)
	}
	if err := r.DeleteVersion(t.Context(), "iris", 12, "", ""); err != nil {
		t.Fatal(err)
	}
	if v, ok, err := r.Newest(t.Context(), "iris", all); v.Number != 11 || !ok || err != nil {
		t.Errorf("Newest = %+v, %v, %v, want 11", v, ok, err)
	}
	v, ok, err := r.Newest(t.Context(), "iris", func(v *registry.Version) bool { return v.Number < 10 })
	if v.Number != 9 || !ok || err != nil {
		t.Errorf("Newest below 10 = %+v, %v, %v, want 9", v, ok, err)
	}
	if _, ok, err := r.LastEvent(t.Context(), "iris", "drift"); ok || err != nil {
		t.Errorf("LastEvent of none = %v, %v", ok, err)
	}
}
