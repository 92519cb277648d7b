package registry_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/modelbus/modelbus/registry"
)

func TestSplitCanary(t *testing.T) {
	t.Parallel()
	r, _, digest := withIris(t)
	versions(t, r, "iris", digest, 2)
	ctx := t.Context()
	tenth := registry.Split{Share: 0.1, By: "Tenant"}
	m, err := r.SplitCanary(ctx, "iris", 1, tenth, "ada", "try it")
	if err != nil || m.Alias != "canary" || m.To != 1 || m.Split != tenth || m.Number != 1 {
		t.Fatalf("SplitCanary = %+v, %v", m, err)
	}
	if same, err := r.SplitCanary(ctx, "iris", 1, tenth, "bob", ""); err != nil || same != m {
		t.Errorf("the same again = %+v, %v, want %+v", same, err, m)
	}
	half := registry.Split{Share: 0.5}
	if m, err = r.SplitCanary(ctx, "iris", 1, half, "ada", ""); err != nil || m.From != 1 || m.To != 1 || m.Split != half || m.Number != 2 {
		t.Errorf("another share = %+v, %v", m, err)
	}
	if m, err = r.Promote(ctx, "iris", "canary", 2, "ada", ""); err != nil || m.To != 2 || m.Split != half {
		t.Errorf("Promote = %+v, %v, want version 2 with the share as it was", m, err)
	}
	if m, err = r.Rollback(ctx, "iris", "canary", "ada", ""); err != nil || m.To != 1 || m.Split != half {
		t.Errorf("Rollback = %+v, %v, want version 1 with the share as it was", m, err)
	}
	aliases, err := r.Aliases(ctx, "iris")
	if err != nil || aliases["canary"] != m {
		t.Errorf("Aliases = %+v, %v, want %+v among them", aliases, err, m)
	}
	if err := r.RemoveAlias(ctx, "iris", "canary", "", ""); err != nil {
		t.Fatal(err)
	}
	if m, err = r.Promote(ctx, "iris", "canary", 2, "", ""); err != nil || m.Split != (registry.Split{}) {
		t.Errorf("Promote after the removal = %+v, %v, want no share", m, err)
	}
}

func TestSplitsAreRefused(t *testing.T) {
	t.Parallel()
	r, _, digest := withIris(t)
	versions(t, r, "iris", digest, 1)
	for _, tt := range []struct {
		split   registry.Split
		version uint64
		want    error
	}{
		{registry.Split{Share: 1.1}, 1, registry.ErrInvalid},
		{registry.Split{Share: -0.1}, 1, registry.ErrInvalid},
		{registry.Split{Share: math.NaN()}, 1, registry.ErrInvalid},
		{registry.Split{By: "Tenant"}, 1, registry.ErrInvalid},
		{registry.Split{Share: 0.1, By: "no header"}, 1, registry.ErrInvalid},
		{registry.Split{Share: 0.1}, 7, registry.ErrNotFound},
	} {
		if m, err := r.SplitCanary(t.Context(), "iris", tt.version, tt.split, "", ""); !errors.Is(err, tt.want) {
			t.Errorf("SplitCanary(%d, %+v) = %+v, %v, want %v", tt.version, tt.split, m, err, tt.want)
		}
	}
}

// TestSplitTakesItsShare asks for many callers whose names differ little: the share
// is within five standard deviations, for each kind of name, and who is taken with a
// share is taken with a larger one.
func TestSplitTakesItsShare(t *testing.T) {
	t.Parallel()
	const n = 10_000
	for _, format := range []string{"%d", "user-%05d", "%032x", "_INBOX.QKgpXvX6HhxxSBgvo0%04d"} {
		for _, share := range []float64{0.01, 0.1, 0.5, 0.99} {
			s, larger := registry.Split{Share: share}, registry.Split{Share: share + 0.005}
			taken := 0
			for i := range n {
				key := fmt.Sprintf(format, i)
				if s.Takes("iris", key) {
					taken++
					if !larger.Takes("iris", key) {
						t.Fatalf("%q is taken with share %v and not with %v", key, share, larger.Share)
					}
				}
			}
			sd := math.Sqrt(n * share * (1 - share))
			if off := math.Abs(float64(taken) - n*share); off > 5*sd {
				t.Errorf("%s: share %v takes %d of %d, %.1f standard deviations off", format, share, taken, n, off/sd)
			}
		}
	}
}

// TestSplitIsStable holds the hash that is documented: other programs compute it, and
// servers of two versions must decide alike.
func TestSplitIsStable(t *testing.T) {
	t.Parallel()
	for share, want := range map[float64]string{0: "", 0.1: "h", 0.25: "bfh", 0.75: "abfgh", 1: "abcdefgh"} {
		got := ""
		for _, key := range "abcdefgh" {
			if (registry.Split{Share: share}).Takes("iris", string(key)) {
				got += string(key)
			}
		}
		if got != want {
			t.Errorf("share %v takes %q, want %q", share, got, want)
		}
	}
}
