package dataset_test

import (
	"errors"
	"testing"

	"github.com/modelbus/modelbus/model/dataset"
	"github.com/modelbus/modelbus/model/feature"
)

// TestCells checks that cells mean what they mean in a CSV.
func TestCells(t *testing.T) {
	s := schema("y", number("a"), vector("x", 2), feature.Feature{Name: "k", Type: feature.Category})
	tests := []struct {
		name  string
		cells []string
		want  string
	}{
		{"plain", []string{"1", "2", "3", "k"}, `#1|[2 3]|"k"`},
		{"numbers as a CSV has them", []string{" +1 ", "2.", ".5", "-1"}, `#1|[2 0.5]|"-1"`},
		{"missing", []string{"", "", " ", ""}, "-|-|-"},
		{"too few", []string{"1", "2", "3"}, "received 3 values, want 4: a, x, k"},
		{"too many", []string{"1", "2", "3", "4", "5"}, "received 5 values, want 4: a, x, k"},
		{"half a vector", []string{"1", "", "3", "k"}, `feature "x": 1 of 2 numbers are missing`},
		{"no number", []string{"1", "2", "0x3", "k"}, `feature "x" at position 1: got "0x3": a number is due`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			row, err := dataset.Cells(s, tt.cells)
			if err != nil {
				if !errors.Is(err, feature.ErrInvalid) || err.Error() != tt.want {
					t.Errorf("got error %v, want %q", err, tt.want)
				}
				return
			}
			f := feature.NewFrame(schema("y", optional(number("a")), optional(vector("x", 2)),
				feature.Feature{Name: "k", Type: feature.Category, Missing: feature.MissingCategory}), false)
			if err := f.Append(row); err != nil {
				t.Fatal(err)
			}
			if got := showAll(f.Row(0).Values); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
