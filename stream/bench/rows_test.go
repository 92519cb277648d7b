package bench_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/bench"
)

func everyType() *feature.Schema {
	return &feature.Schema{
		Features: []feature.Feature{
			{Name: "n", Type: feature.Number, Scale: []feature.Scale{feature.Log1p}},
			{Name: "v", Type: feature.Vector, Size: 3},
			{Name: "b", Type: feature.Boolean},
			{Name: "fixed", Type: feature.Category, Vocabulary: []string{"x", "y"}},
			{Name: "any", Type: feature.Category, Encode: feature.Hashing, Buckets: 4},
			{Name: "learned", Type: feature.Category},
		},
		Label: feature.Label{Name: "y", Type: feature.Number},
	}
}

func drawn(t *testing.T, seed uint64) []feature.Row {
	t.Helper()
	known := func(name string) []string {
		if name != "learned" {
			t.Errorf("the categories of %q were asked for", name)
		}
		return []string{"p", "q"}
	}
	s, err := bench.NewSampler(everyType(), known, seed)
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Rows(50)
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]feature.Row, f.Len())
	for i := range rows {
		rows[i] = f.Row(i)
	}
	return rows
}

func TestSampler(t *testing.T) {
	rows := drawn(t, 7)
	if again := drawn(t, 7); !reflect.DeepEqual(again, rows) {
		t.Errorf("the same seed gave other rows: %v and %v", again[0], rows[0])
	}
	if other := drawn(t, 8); reflect.DeepEqual(other, rows) {
		t.Error("another seed gave the same rows")
	}
	words := map[string]int{}
	for _, r := range rows {
		for _, x := range append([]float32{float32(r.Values[0].Num)}, r.Values[1].Vector...) {
			if x < 0 || x >= 1 {
				t.Errorf("number = %v, want one in [0, 1)", x)
			}
		}
		words[r.Values[3].Text]++
		words[r.Values[5].Text]++
	}
	if len(words) != 4 || words["x"] == 0 || words["y"] == 0 || words["p"] == 0 || words["q"] == 0 {
		t.Errorf("categories = %v, want x, y, p and q, each at times", words)
	}
}

func TestSamplerRefuses(t *testing.T) {
	for name, known := range map[string]func(string) []string{
		"nobody knows": nil,
		"none":         func(string) []string { return nil },
	} {
		if s, err := bench.NewSampler(everyType(), known, 0); !errors.Is(err, feature.ErrInvalid) {
			t.Errorf("%s: NewSampler() = %v, %v, want %v", name, s, err, feature.ErrInvalid)
		}
	}
}
