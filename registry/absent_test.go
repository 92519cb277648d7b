package registry_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/modelbus/modelbus/registry"
)

func TestNumbers(t *testing.T) {
	t.Parallel()
	many := make([]uint64, 60)
	for i := range many {
		many[i] = uint64(2*i + 1)
	}
	for _, tt := range []struct {
		numbers []uint64
		want    string
	}{
		{nil, "no version yet: train it"},
		{[]uint64{7}, "version 7"},
		{[]uint64{1, 2}, "versions 1 and 2"},
		{[]uint64{3, 1, 2}, "versions 1 to 3"},
		{[]uint64{1, 2, 3, 5, 7, 8}, "versions 1 to 3, 5, 7 and 8"},
		{many, "60 versions, the last ones 81, 83, 85, 87, 89, 91, 93, 95, 97, 99, 101, 103, 105, 107, 109, 111, 113, 115, 117, 119"},
	} {
		var versions []registry.Version
		for _, n := range tt.numbers {
			versions = append(versions, registry.Version{Number: n})
		}
		if got := registry.Numbers(versions); got != tt.want {
			t.Errorf("Numbers(%v) = %q, want %q", tt.numbers, got, tt.want)
		}
	}
}

func TestInstead(t *testing.T) {
	t.Parallel()
	r, _, digest := withIris(t)
	for range 3 {
		publish(t, r, "iris", digest, nil)
	}
	if _, err := r.Promote(t.Context(), "iris", registry.Champion, 2, "", ""); err != nil {
		t.Fatal(err)
	}
	of := func(ref string) error {
		parsed, err := registry.ParseRef(ref)
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Resolve(t.Context(), parsed)
		return r.Instead(t.Context(), parsed, err)
	}
	check := func(ref, want string) {
		t.Helper()
		if err := of(ref); !errors.Is(err, registry.ErrNotFound) || err.Error() != want {
			t.Errorf("%s: %v, want %s", ref, err, want)
		}
	}
	check("iris@9", "not found: model iris has no version 9; it has versions 1 to 3; champion is version 2")
	check("iris@canary", "not found: model iris has no alias canary; it has versions 1 to 3; champion is version 2")
	check("iris@champoin", "not found: model iris has no alias champoin, did you mean iris@champion? It has versions 1 to 3; champion is version 2")
	check("irs", "not found: model irs, did you mean iris?")
	check("bikes", "not found: model bikes; there is iris")
	if _, err := r.CreateModel(t.Context(), registry.Model{Name: "bikes", Spec: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	check("irs@2", "not found: model irs, did you mean iris? There are bikes, iris")
	check("price", "not found: model price; there are bikes, iris")
	check("bikes@1", "not found: model bikes has no version 1; it has no version yet: train it")
	other := fmt.Errorf("%w: of another kind", registry.ErrConflict)
	if err := r.Instead(t.Context(), registry.Ref{Model: "iris"}, other); err != other { //nolint:errorlint // the same one
		t.Errorf("another error becomes %v", err)
	}
}
