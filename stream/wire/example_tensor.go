package wire

import (
	"github.com/modelbus/modelbus/model/feature"
)

// load reads the tensors and sets labels and weights apart from the features.
func (m *exampleMessage) load(tail []byte, isBinary bool) error {
	if err := loadInputs(&m.scan, m.inputs, tail, isBinary); err != nil {
		return err
	}
	m.features, m.labels, m.weight = m.features[:0], nil, nil
	for i := range m.inputs {
		switch t := &m.inputs[i]; t.name {
		case inputLabels:
			m.labels = t
		case inputWeights:
			m.weight = t
		default:
			m.features = append(m.features, t)
		}
	}
	if m.labels == nil {
		return invalidf("missing input %q", inputLabels)
	}
	for _, t := range []*tensor{m.labels, m.weight} {
		if t != nil && t.width != 1 {
			return t.wrap(invalidf("want shape [rows] or [rows, 1], got %v", t.shape))
		}
	}
	if m.weight != nil && (m.weight.datatype == typeBytes || m.weight.datatype == typeBool) {
		return m.weight.wrap(invalidf("want a datatype of numbers, got %s", m.weight.datatype))
	}
	if len(m.features) == 0 {
		return invalidf("missing input %q", inputFeatures)
	}
	m.rows = m.labels.rows
	for _, t := range m.features {
		if t.rows != m.rows {
			return t.wrap(invalidf("has %d rows, but %q has %d", t.rows, inputLabels, m.rows))
		}
	}
	if m.weight != nil && m.weight.rows != m.rows {
		return m.weight.wrap(invalidf("has %d rows, but %q has %d", m.weight.rows, inputLabels, m.rows))
	}
	return nil
}

func (m *exampleMessage) decodeTensors(s *feature.Schema, c *columnReader, add func(int, feature.Row) error) (int, []RowProblem, error) {
	if err := c.bind(s, m.features); err != nil {
		return 0, nil, err
	}
	if err := holds(m.labels.datatype, s.Label.Type); err != nil {
		return 0, nil, m.labels.wrap(err)
	}
	var problems []RowProblem
	for row := range m.rows {
		if err := m.decodeTensorRow(c, row, add); err != nil {
			problems = append(problems, RowProblem{row, err})
		}
	}
	return m.rows, problems, nil
}

func (m *exampleMessage) decodeTensorRow(c *columnReader, row int, add func(int, feature.Row) error) error {
	if err := c.read(row); err != nil {
		return err
	}
	label, err := m.labels.value(row)
	if err == nil {
		err = checkLabel(&label, c.schema)
	}
	if err != nil {
		return err
	}
	weight := 1.0
	if m.weight != nil {
		weight = m.weight.number(row)
		if err := checkWeight(weight); err != nil {
			return err
		}
	}
	return add(row, feature.Row{Values: c.values, Label: label, Weight: weight})
}
