package dataset

import (
	"strings"

	"github.com/modelbus/modelbus/model/feature"
)

// Cells returns the row that cells in feature order are, a vector taking as many
// as it has numbers, read like the cells of a CSV; an empty one is a missing
// value. An error wraps [feature.ErrInvalid].
func Cells(s *feature.Schema, cells []string) (feature.Row, error) {
	row := feature.Row{Values: make([]feature.Value, len(s.Features))}
	if len(cells) != s.Width() {
		words := make([]string, len(s.Features))
		for i := range s.Features {
			words[i] = s.Features[i].Name
		}
		return row, invalidf("received %d values, want %d: %s", len(cells), s.Width(), strings.Join(words, ", "))
	}
	for i := range s.Features {
		f := &s.Features[i]
		if f.Type != feature.Vector {
			row.Values[i] = Cell(cells[0])
			cells = cells[1:]
			continue
		}
		values := make([]feature.Value, f.Size)
		for j, cell := range cells[:f.Size] {
			values[j] = Cell(cell)
		}
		vector := make([]float32, f.Size)
		missing, err := join(f, vector, values)
		if err != nil {
			return row, err
		}
		if !missing {
			row.Values[i] = feature.Value{Kind: feature.KindVector, Vector: vector}
		}
		cells = cells[f.Size:]
	}
	return row, nil
}

// Cell returns the value of a CSV's cell, in which nothing but no text is missing.
func Cell(text string) feature.Value {
	if text = strings.TrimSpace(text); text == "" {
		return feature.Value{}
	}
	return feature.Value{Kind: feature.KindCell, Text: text}
}

// join writes the numbers in values to vector and reports whether all are
// missing, which only all may.
func join(f *feature.Feature, vector []float32, values []feature.Value) (missing bool, err error) {
	none := 0
	for j, v := range values {
		if v.Kind == feature.KindMissing {
			none++
			continue
		}
		x, ok := number(v)
		if !ok {
			return false, invalidf("feature %q at position %d: got %.40q: a number is due", f.Name, j, v.Text)
		}
		vector[j] = x
	}
	if none > 0 && none < len(values) {
		return false, invalidf("feature %q: %d of %d numbers are missing", f.Name, none, len(values))
	}
	return none > 0, nil
}
