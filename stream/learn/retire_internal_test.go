package learn

import (
	"slices"
	"testing"

	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/registry"
)

// Of versions that the spec does not keep those stay that an alias names, that a
// rollback may go to, or that were imported.
func TestRetire(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, reg := t.Context(), b.trainer.reg
	v, err := reg.Resolve(ctx, registry.Ref{Model: "iris", Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	for n := uint64(3); n <= 8; n++ { // 1 is the champion, 2 the challenger
		v.Lineage.LastSeq = 100
		if n == 4 {
			v.Lineage.LastSeq = 0 // imported
		}
		if _, err := reg.Publish(ctx, v, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := reg.Promote(ctx, "iris", registry.Champion, 3, "ann", ""); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		keep int
		want []uint64
	}{
		{0, []uint64{1, 2, 3, 4, 5, 6, 7, 8}},
		{3, []uint64{1, 2, 3, 4, 6, 7, 8}},
		{2, []uint64{1, 2, 3, 4, 7, 8}},
	} {
		b.trainer.retire(ctx, "iris", &model.Retrain{Keep: tt.keep}, zerolog.Nop())
		versions, err := reg.Versions(ctx, "iris")
		if err != nil {
			t.Fatal(err)
		}
		var got []uint64
		for _, v := range versions {
			got = append(got, v.Number)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("with keep %d there are %v, want %v", tt.keep, got, tt.want)
		}
	}
}
