package wire

import (
	"math"

	"github.com/nats-io/nats.go"
)

// ExampleRow returns example row of a training message as a message of its own,
// for the dead subject: {"features": …, "label": …, "weight"?}. A number that is
// not finite, which JSON does not have, is written as a string.
func ExampleRow(header nats.Header, body []byte, row int) ([]byte, error) {
	m, err := readExamples(header, body)
	if err != nil {
		return nil, err
	}
	if row < 0 || row >= m.rows {
		return nil, invalidf("row %d of a message of %d", row, m.rows)
	}
	if m.isTensors() {
		return m.tensorRow(row), nil
	}
	features, label, weight := m.places(row)
	data := m.scan.data
	out := []byte(`{"features":`)
	out = append(out, data[features.lo:features.hi]...)
	out = append(out, `,"label":`...)
	out = append(out, data[label.lo:label.hi]...)
	if weight.there() {
		out = append(out, `,"weight":`...)
		out = append(out, data[weight.lo:weight.hi]...)
	}
	return append(out, '}'), nil
}

func (m *exampleMessage) tensorRow(row int) []byte {
	out := []byte(`{"features":`)
	if len(m.features) == 1 {
		t := m.features[0]
		out = append(out, '[')
		out = t.appendRow(out, row)
		out = append(out, ']')
	} else {
		for i, t := range m.features {
			out = append(out, "{,"[min(i, 1)])
			out = appendQuoted(out, t.name)
			out = append(out, ':')
			if t.width > 1 {
				out = append(out, '[')
			}
			out = t.appendRow(out, row)
			if t.width > 1 {
				out = append(out, ']')
			}
		}
		out = append(out, '}')
	}
	out = append(out, `,"label":`...)
	out = m.labels.appendRow(out, row)
	if m.weight != nil {
		out = append(out, `,"weight":`...)
		out = m.weight.appendRow(out, row)
	}
	return append(out, '}')
}

// appendRow appends the elements of a row, separated by commas.
func (t *tensor) appendRow(b []byte, row int) []byte {
	for i := row * t.width; i < (row+1)*t.width; i++ {
		if i > row*t.width {
			b = append(b, ',')
		}
		b = t.appendElement(b, i)
	}
	return b
}

func (t *tensor) appendElement(b []byte, i int) []byte {
	switch t.datatype { //nolint:exhaustive // the rest are numbers
	case typeBytes:
		return appendQuoted(b, string(t.texts[i]))
	case typeBool:
		return append(b, [2]string{"false", "true"}[int(t.number(i))]...)
	}
	out, err := appendNumber(b, t.number(i), 64)
	if err != nil {
		return appendQuoted(b, formatNonFinite(t.number(i)))
	}
	return out
}

func formatNonFinite(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	}
	return "NaN"
}
