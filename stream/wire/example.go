package wire

import (
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

// exampleLists is how many of them are lists: exampleInstances and those after it.
const exampleLists = 3

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
	return new(ExampleDecoder).Decode(s, header, body, add)
}

// An ExampleDecoder decodes training messages one after the other in the same memory: it
// allocates nothing for messages like those before. The zero value is ready. It is not
// safe for concurrent use.
type ExampleDecoder struct {
	message exampleMessage
	row     rowReader
	columns columnReader
}

// Decode is [DecodeExamples].
func (d *ExampleDecoder) Decode(s *feature.Schema, header nats.Header, body []byte, add func(row int, r feature.Row) error) (rows int, problems []RowProblem, err error) {
	m := &d.message
	if err := m.read(header, body); err != nil {
		return 0, nil, err
	}
	if m.isTensors() {
		return m.decodeTensors(s, &d.columns, add)
	}
	d.row.reset(s)
	rows, problems = m.decodeRows(&d.row, add)
	return rows, problems, nil
}

// An exampleMessage is a training message whose JSON is known to be well formed
// and whose parts belong together.
type exampleMessage struct {
	scan     scanner
	spans    [exampleKeys]span
	lists    [exampleLists][]span // of the elements of lists, in the order of the keys from exampleInstances on
	inputs   []tensor
	features []*tensor // of inputs, those but for the two below
	labels   *tensor
	weight   *tensor
	rows     int
	words    words
}

func (m *exampleMessage) isTensors() bool { return m.spans[exampleInputs].there() }

func readExamples(header nats.Header, body []byte) (*exampleMessage, error) {
	m := &exampleMessage{}
	return m, m.read(header, body)
}

// read reads a message into the memory of m.
func (m *exampleMessage) read(header nats.Header, body []byte) error {
	doc, tail, isBinary, err := split(header, body)
	if err != nil {
		return err
	}
	m.scan.reset(doc)
	m.spans, m.inputs, m.rows = [exampleKeys]span{}, m.inputs[:0], 0
	s := &m.scan
	err = s.object(exampleKeyNames(), func(key int) error {
		s.space()
		lo := s.off
		err := m.value(key)
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
		return err
	}
	switch {
	case m.isTensors():
		return m.load(tail, isBinary)
	case m.spans[exampleInstances].there():
		return m.count()
	}
	m.rows = 1
	return nil
}

// value reads the value of a key, inputs as far as their headers, and of lists where their
// elements are.
func (m *exampleMessage) value(key int) (err error) {
	s := &m.scan
	switch {
	case key == exampleInputs:
		m.inputs, err = readInputs(s, m.inputs)
		return err
	case key < exampleInstances || key > exampleWeights || s.next() != tokenArray:
		return s.skip()
	}
	places := m.lists[key-exampleInstances][:0]
	_, err = s.elements(func(int) error {
		s.space()
		lo := s.off
		err := s.skip()
		places = append(places, span{lo, s.off})
		return err
	})
	m.lists[key-exampleInstances] = places
	return err
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
	m.rows = len(m.lists[0])
	for i := range m.lists {
		key := exampleInstances + i
		if !m.spans[key].there() {
			continue
		}
		name := exampleKeyNames()[key]
		if s := m.at(m.spans[key]); s.next() != tokenArray {
			return invalidf("%s: want a list, got %s", name, s.got())
		}
		if n := len(m.lists[i]); n != m.rows {
			return invalidf("want as many %s as instances, %d, got %d", name, m.rows, n)
		}
	}
	if m.rows == 0 {
		return invalidf("instances: want at least one row, got none")
	}
	return nil
}

func (m *exampleMessage) at(p span) scanner { return m.scan.at(p.lo, p.hi) }

// places returns where features, label and weight of an example stand.
func (m *exampleMessage) places(row int) (features, label, weight span) {
	if !m.spans[exampleInstances].there() {
		return m.spans[exampleFeatures], m.spans[exampleLabel], m.spans[exampleWeight]
	}
	if m.spans[exampleWeights].there() {
		weight = m.lists[2][row]
	}
	return m.lists[0][row], m.lists[1][row], weight
}
