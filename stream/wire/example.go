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
