package wire

import (
	"math"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model/feature"
)

// RowProblem is one example of a batch that cannot be used.
type RowProblem struct {
	Row int // in the message
	Err error
}

// The inputs of a training message beside the features.
const (
	inputFeatures = "features"
	inputLabels   = "labels"
	inputWeights  = "weights"
)

// The keys of a training message.
const (
	exampleFeatures = iota
	exampleLabel
	exampleWeight
	exampleInstances
	exampleLabels
	exampleWeights
	exampleInputs
	exampleID
	exampleParameters
	exampleKeys
)

func exampleKeyNames() []string {
	return []string{"features", "label", "weight", "instances", "labels", "weights", "inputs", "id", "parameters"}
}

// A span is where a value stands in a message; the zero span is nowhere.
type span struct{ lo, hi int }

func (s span) there() bool { return s.hi > 0 }

// DecodeExamples calls add for each example of a training message, in order;
// the row is valid during the call, and its values stand in the schema's order. A row whose values cannot be read, or
// that add refuses, is returned as a problem and the rest goes on; err is for a
// message that cannot be read at all: then add was not called. Forms: {"features": …, "label": …,
// "weight"?}; {"instances": […], "labels": […], "weights"?: […]}; OIP, JSON or
// binary, with inputs "features" and "labels" (and "weights"), or one input a
// feature by name instead of "features". The weight is 1 where none is given.
func DecodeExamples(s *feature.Schema, header nats.Header, body []byte, add func(row int, r feature.Row) error) (rows int, problems []RowProblem, err error) {
	m, err := readExamples(header, body)
	if err != nil {
		return 0, nil, err
	}
	if m.isTensors() {
		return m.decodeTensors(s, add)
	}
	return m.decodeRows(s, add)
}

// An exampleMessage is a training message whose JSON is known to be well formed
// and whose parts belong together.
type exampleMessage struct {
	scan   scanner
	spans  [exampleKeys]span
	inputs []tensor // features, without the two below
	labels *tensor
	weight *tensor
	rows   int
	words  words
}

func (m *exampleMessage) isTensors() bool { return m.spans[exampleInputs].there() }

func readExamples(header nats.Header, body []byte) (*exampleMessage, error) {
	doc, tail, isBinary, err := split(header, body)
	if err != nil {
		return nil, err
	}
	m := &exampleMessage{scan: scanner{data: doc}}
	s := &m.scan
	err = s.object(exampleKeyNames(), func(key int) error {
		s.space()
		lo := s.off
		if key == exampleInputs {
			m.inputs, err = readInputs(s, nil)
		} else {
			err = s.skip()
		}
		m.spans[key] = span{lo, s.off}
		return err
	})
	if err == nil {
		err = s.end()
	}
	if err == nil {
		err = m.oneForm(isBinary)
	}
	if err != nil {
		return nil, err
	}
	switch {
	case m.isTensors():
		err = m.load(tail, isBinary)
	case m.spans[exampleInstances].there():
		err = m.count()
	default:
		m.rows = 1
	}
	return m, err
}

// oneForm checks that the keys that were there are those of one form.
func (m *exampleMessage) oneForm(isBinary bool) error {
	there := func(k int) bool { return m.spans[k].there() }
	var allowed []int
	switch {
	case there(exampleInputs):
		allowed = []int{exampleInputs, exampleID, exampleParameters}
	case isBinary:
		return invalidf("header %s goes with %q", HeaderContentLength, "inputs")
	case there(exampleInstances):
		allowed = []int{exampleInstances, exampleLabels, exampleWeights}
	case there(exampleFeatures):
		allowed = []int{exampleFeatures, exampleLabel, exampleWeight}
	default:
		return invalidf(`missing key: want "features" and "label", "instances" and "labels", or "inputs"`)
	}
	names := exampleKeyNames()
	for k, name := range names {
		known := false
		for _, a := range allowed {
			known = known || a == k
		}
		if there(k) && !known {
			return invalidf("key %q does not go with %q", name, names[allowed[0]])
		}
	}
	if label := allowed[1]; !there(exampleInputs) && !there(label) {
		return invalidf("missing key %q beside %q", names[label], names[allowed[0]])
	}
	return nil
}

// count checks that a batch has as many labels and weights as instances.
func (m *exampleMessage) count() error {
	for _, k := range []int{exampleInstances, exampleLabels, exampleWeights} {
		if !m.spans[k].there() {
			continue
		}
		name := exampleKeyNames()[k]
		s := m.at(m.spans[k])
		if s.next() != tokenArray {
			return invalidf("%s: want a list, got %s", name, s.got())
		}
		n, err := s.elements(func(int) error { return s.skip() })
		if err != nil {
			return err
		}
		if k == exampleInstances {
			m.rows = n
		}
		if n != m.rows {
			return invalidf("want as many %s as instances, %d, got %d", name, m.rows, n)
		}
	}
	if m.rows == 0 {
		return invalidf("instances: want at least one row, got none")
	}
	return nil
}

func (m *exampleMessage) at(p span) scanner { return m.scan.at(p.lo, p.hi) }

// each calls fn with the place of each example's features, label and weight.
func (m *exampleMessage) each(fn func(row int, features, label, weight span) error) error {
	if !m.spans[exampleInstances].there() {
		return fn(0, m.spans[exampleFeatures], m.spans[exampleLabel], m.spans[exampleWeight])
	}
	lists := [3]scanner{m.at(m.spans[exampleInstances]), m.at(m.spans[exampleLabels]), m.at(m.spans[exampleWeights])}
	for row := range m.rows {
		var places [3]span
		for k := range lists {
			if k == 2 && !m.spans[exampleWeights].there() {
				continue
			}
			var err error
			if places[k], err = lists[k].element(row); err != nil {
				return err
			}
		}
		if err := fn(row, places[0], places[1], places[2]); err != nil {
			return err
		}
	}
	return nil
}

// element returns the place of the next element of a list, of which i were read.
func (s *scanner) element(i int) (span, error) {
	if i == 0 {
		if err := s.open('['); err != nil {
			return span{}, err
		}
	}
	if _, err := s.more(']', i == 0); err != nil {
		return span{}, err
	}
	s.space()
	lo := s.off
	err := s.skip()
	return span{lo, s.off}, err
}

func (m *exampleMessage) decodeRows(s *feature.Schema, add func(int, feature.Row) error) (int, []RowProblem, error) {
	var r rowReader
	var problems []RowProblem
	r.reset(s)
	err := m.each(func(row int, features, label, weight span) error {
		if err := m.decodeRow(&r, [3]span{features, label, weight}, row, add); err != nil {
			problems = append(problems, RowProblem{row, err})
		}
		return nil
	})
	return m.rows, problems, err
}

func (m *exampleMessage) decodeRow(r *rowReader, places [3]span, row int, add func(int, feature.Row) error) error {
	s := m.at(places[0])
	if err := r.read(&s); err != nil {
		return err
	}
	s = m.at(places[1])
	label, err := m.label(&s, r.schema)
	if err != nil {
		return err
	}
	out := feature.Row{Values: r.values, Label: label, Weight: 1}
	if places[2].there() {
		s = m.at(places[2])
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
	return scalar(s, &m.words)
}

func checkWeight(w float64) error {
	if !(w > 0) || math.IsInf(w, 0) {
		return invalidf("weight: want a finite number above 0, got %v", w)
	}
	return nil
}

// load reads the tensors and sets labels and weights apart from the features.
func (m *exampleMessage) load(tail []byte, isBinary bool) error {
	if err := loadInputs(&m.scan, m.inputs, tail, isBinary); err != nil {
		return err
	}
	features := m.inputs[:0:0]
	for i := range m.inputs {
		switch t := &m.inputs[i]; t.name {
		case inputLabels:
			m.labels = t
		case inputWeights:
			m.weight = t
		default:
			features = append(features, *t)
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
	if m.inputs = features; len(features) == 0 {
		return invalidf("missing input %q", inputFeatures)
	}
	m.rows = m.labels.rows
	for i := range features {
		if t := &features[i]; t.rows != m.rows {
			return t.wrap(invalidf("has %d rows, but %q has %d", t.rows, inputLabels, m.rows))
		}
	}
	if m.weight != nil && m.weight.rows != m.rows {
		return m.weight.wrap(invalidf("has %d rows, but %q has %d", m.weight.rows, inputLabels, m.rows))
	}
	return nil
}

func (m *exampleMessage) decodeTensors(s *feature.Schema, add func(int, feature.Row) error) (int, []RowProblem, error) {
	inputs := make([]*tensor, len(m.inputs))
	for i := range m.inputs {
		inputs[i] = &m.inputs[i]
	}
	var c columnReader
	if err := c.bind(s, inputs); err != nil {
		return 0, nil, err
	}
	if err := holds(m.labels.datatype, s.Label.Type); err != nil {
		return 0, nil, m.labels.wrap(err)
	}
	var problems []RowProblem
	for row := range m.rows {
		if err := m.decodeTensorRow(&c, row, add); err != nil {
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
	var out []byte
	err = m.each(func(i int, features, label, weight span) error {
		if i != row {
			return nil
		}
		data := m.scan.data
		out = append(out, `{"features":`...)
		out = append(out, data[features.lo:features.hi]...)
		out = append(out, `,"label":`...)
		out = append(out, data[label.lo:label.hi]...)
		if weight.there() {
			out = append(out, `,"weight":`...)
			out = append(out, data[weight.lo:weight.hi]...)
		}
		out = append(out, '}')
		return nil
	})
	return out, err
}

func (m *exampleMessage) tensorRow(row int) []byte {
	out := []byte(`{"features":`)
	if len(m.inputs) == 1 {
		t := &m.inputs[0]
		out = append(out, '[')
		out = t.appendRow(out, row)
		out = append(out, ']')
	} else {
		for i := range m.inputs {
			t := &m.inputs[i]
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
