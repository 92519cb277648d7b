package dataset

import (
	"fmt"
	"slices"
	"strings"

	"github.com/modelbus/modelbus/model/nn"
)

// An Ignored is a column that neither a feature nor the label is read from.
type Ignored struct {
	Column string

	// Meant is the feature, or the label, that has no column and that the
	// column's name may be a misspelling of; empty if there is none.
	Meant string
}

// Ignored returns the columns that are ignored, in order, of those that the
// file is known to have so far: all but for JSON Lines, where later rows may add
// some.
func (b *Bound) Ignored() []Ignored {
	columns := b.reader.Columns()
	used := make([]bool, len(columns))
	for _, from := range append(slices.Clone(b.from), []int{b.label, b.weight, b.dropped}) {
		for _, i := range from {
			if i >= 0 {
				used[i] = true
			}
		}
	}
	lost := b.lost()
	var ignored []Ignored
	for i, c := range columns {
		if !used[i] {
			ignored = append(ignored, Ignored{Column: c.Name, Meant: nn.Nearest(c.Name, lost)})
		}
	}
	return ignored
}

// lost returns the names of the features, and of the label if one is of use,
// that have no column.
func (b *Bound) lost() []string {
	var lost []string
	for i, from := range b.from {
		if len(from) == 0 {
			lost = append(lost, b.schema.Features[i].Name)
		}
	}
	if b.label < 0 && b.use != "none" {
		lost = append(lost, b.schema.Label.Name)
	}
	return lost
}

// misspelled says which of the lost names a column may be meant to be, as the end
// of a message; it is empty if none is near.
func (b *Bound) misspelled() string {
	var text strings.Builder
	for _, c := range b.Ignored() {
		if c.Meant != "" {
			fmt.Fprintf(&text, "; is %.60q meant to be %.60q?", c.Column, c.Meant)
		}
	}
	return text.String()
}
