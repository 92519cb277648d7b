package wire

import (
	"math"

	"github.com/modelbus/modelbus/model/feature"
)

func (m *exampleMessage) decodeRows(r *rowReader, add func(int, feature.Row) error) (int, []RowProblem) {
	var problems []RowProblem
	for row := range m.rows {
		if err := m.decodeRow(r, row, add); err != nil {
			problems = append(problems, RowProblem{row, err})
		}
	}
	return m.rows, problems
}

func (m *exampleMessage) decodeRow(r *rowReader, row int, add func(int, feature.Row) error) error {
	features, place, weight := m.places(row)
	s := m.at(features)
	if err := r.read(&s); err != nil {
		return err
	}
	s = m.at(place)
	label, err := m.label(&s, r.schema)
	if err != nil {
		return err
	}
	out := feature.Row{Values: r.values, Label: label, Weight: 1}
	if weight.there() {
		s = m.at(weight)
		if s.next() != tokenNumber {
			return invalidf("weight: want a number, got %s", s.got())
		}
		if out.Weight, err = s.float(); err != nil {
			return err
		}
		if err := checkWeight(out.Weight); err != nil {
			return err
		}
	}
	return add(row, out)
}

func (m *exampleMessage) label(s *scanner, schema *feature.Schema) (feature.Value, error) {
	t := schema.Label.Type
	if !fits(t, s.next()) {
		return feature.Value{}, invalidf("label %q: want %s, got %s", schema.Label.Name, wanted(t, 0), s.got())
	}
	v, err := scalar(s, &m.words)
	if err != nil {
		return feature.Value{}, err
	}
	return v, checkLabel(&v, schema)
}

// checkLabel refuses an empty class, which is a missing label, as in a file.
func checkLabel(v *feature.Value, schema *feature.Schema) error {
	if v.Kind == feature.KindText && v.Text == "" {
		return invalidf("label %q: it is empty: an example needs one", schema.Label.Name)
	}
	return nil
}

func checkWeight(w float64) error {
	if !(w > 0) || math.IsInf(w, 0) {
		return invalidf("weight: want a finite number above 0, got %v", w)
	}
	return nil
}
