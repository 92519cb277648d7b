package wire

import (
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model/feature"
)

// Form is how a request was written; its answer is written likewise.
type Form uint8

// The forms of requests.
const (
	FormRows Form = iota
	FormOIP
	FormBinary
)

// A Request is what a prediction request asks besides its rows. It can be
// reused: decoding overwrites it, and keeps its memory.
type Request struct {
	Form    Form
	ID      []byte // OIP "id", else the Modelbus-Id header
	Rows    int
	Outputs []OutputWanted // OIP "outputs"; none: all

	// BinaryOutput is OIP "binary_data_output": outputs are binary where
	// Outputs does not name them.
	BinaryOutput bool

	bodyID  bool   // ID is the OIP "id"
	stated  []bool // which outputs say themselves whether they are binary
	label   string // of the schema
	scan    scanner
	rows    rowReader
	inputs  []tensor
	bound   []*tensor // inputs
	columns columnReader
	flat    []float32
	all     []OutputWanted // for an answer to a request that names none
	lengths lengths
	last    head
}

// OutputWanted is one requested OIP output.
type OutputWanted struct {
	Name   string
	Binary bool
}

// DecodeRequest appends the instances of a request to dst, an unlabelled frame
// of the model's schema, and fills req. On an error, which wraps [ErrInvalid],
// [feature.ErrInvalid] or [ErrTooLarge], dst is as it was. maxRows bounds the rows
// of one request; 0 does not.
func DecodeRequest(dst *feature.Frame, req *Request, header nats.Header, body []byte, maxRows int) error {
	before := dst.Len()
	req.begin(dst.Schema(), header)
	if err := req.decode(dst, header, body, maxRows); err != nil {
		dst.Truncate(before)
		return err
	}
	req.Rows = dst.Len() - before
	return nil
}

func (r *Request) begin(s *feature.Schema, header nats.Header) {
	r.Form, r.ID, r.Rows, r.Outputs, r.stated = FormRows, r.ID[:0], 0, r.Outputs[:0], r.stated[:0]
	r.BinaryOutput, r.bodyID, r.label = false, false, ""
	if s.Label.Type == feature.Number {
		r.label = s.Label.Name
	}
	if id := header[HeaderID]; len(id) > 0 {
		r.ID = append(r.ID, HeaderText(id[0])...)
	}
}

// The keys of a request, and those that only one form has.
const (
	keyInstances = iota
	keySignature
	keyInputs
	keyOutputs
	keyID
	keyParameters
)

func requestKeys() []string {
	return []string{"instances", "signature_name", "inputs", "outputs", "id", "parameters"}
}

func (r *Request) decode(dst *feature.Frame, header nats.Header, body []byte, maxRows int) error {
	doc, tail, binary, err := split(header, body)
	if err != nil {
		return err
	}
	if binary && len(doc) == 0 {
		return r.raw(dst, tail)
	}
	s := &r.scan
	s.reset(doc)
	if !binary || !r.repeat(dst.Schema(), doc) {
		rows, err := r.document(dst, binary, maxRows)
		if err != nil || rows {
			return err
		}
		if binary {
			r.remember(dst.Schema(), doc)
		}
	}
	if err := loadInputs(s, r.inputs, tail, binary); err != nil {
		return err
	}
	return r.tensors(dst, maxRows)
}

// document reads the JSON of a request, and the rows of form 1, which it reports.
func (r *Request) document(dst *feature.Frame, binary bool, maxRows int) (rows bool, err error) {
	r.last.forget()
	var seen [keyParameters + 1]bool
	s := &r.scan
	err = s.object(requestKeys(), func(key int) error {
		seen[key] = true
		switch key {
		case keyInstances:
			return r.instances(dst, maxRows)
		case keyInputs:
			r.inputs, err = readInputs(s, r.inputs)
			return err
		case keyOutputs:
			return r.outputs(dst.Schema())
		case keyID:
			id, err := s.str()
			r.ID, r.bodyID = append(r.ID[:0], id...), true
			return err
		case keyParameters:
			return r.parameters()
		}
		return s.skip()
	})
	if err == nil {
		err = s.end()
	}
	if err == nil {
		err = oneForm(seen[:], binary)
	}
	if err != nil || seen[keyInstances] {
		return true, err
	}
	r.Form = FormOIP
	if binary {
		r.Form = FormBinary
	}
	for i := range r.Outputs {
		if !r.stated[i] {
			r.Outputs[i].Binary = r.BinaryOutput
		}
	}
	return false, nil
}

// oneForm checks that the keys that were there belong together.
func oneForm(seen []bool, binary bool) error {
	keys := requestKeys()
	form, others := keyInstances, []int{keyInputs, keyOutputs, keyID, keyParameters}
	switch {
	case seen[keyInputs]:
		form, others = keyInputs, []int{keyInstances, keySignature}
	case !seen[keyInstances]:
		return invalidf(`missing key: want "instances" (rows) or "inputs" (Open Inference Protocol)`)
	case binary:
		return invalidf("header %s goes with %q, not with %q", HeaderContentLength, "inputs", "instances")
	}
	for _, k := range others {
		if seen[k] {
			return invalidf("key %q does not go with %q", keys[k], keys[form])
		}
	}
	return nil
}

// instances reads the rows of form 1 into dst.
func (r *Request) instances(dst *feature.Frame, maxRows int) error {
	s := &r.scan
	r.rows.reset(dst.Schema())
	if next := s.next(); next != tokenArray && next != tokenNone {
		return invalidf("instances: want a list of rows, got %s", s.got())
	}
	n, err := s.elements(func(i int) error {
		if maxRows > 0 && i == maxRows {
			return tooManyRows(maxRows)
		}
		err := r.rows.read(s)
		if err == nil {
			err = dst.Append(feature.Row{Values: r.rows.values})
		}
		if err != nil {
			return invalidf("instances[%d]: %w", i, err)
		}
		return nil
	})
	if err == nil && n == 0 {
		return invalidf("instances: want at least one row, got none")
	}
	return err
}

func tooManyRows(maxRows int) error {
	return &sizeError{"more than " + plural(maxRows, "row") + " in one request: send several"}
}

// A sizeError is a message with too much in it.
type sizeError struct{ text string }

func (e *sizeError) Error() string        { return e.text }
func (e *sizeError) Is(target error) bool { return target == ErrTooLarge }

// outputs reads the requested outputs.
func (r *Request) outputs(schema *feature.Schema) error {
	s := &r.scan
	_, err := s.elements(func(i int) error {
		want := OutputWanted{}
		explicit := false
		err := s.object(outputKeys(), func(key int) error {
			if key == 0 {
				name, err := s.str()
				if err == nil {
					want.Name, err = knownOutput(schema, name)
				}
				return err
			}
			return s.parameters(func(name []byte) (bool, error) {
				var err error
				switch string(name) {
				case "binary_data":
					explicit = true
					want.Binary, err = s.boolean()
					return true, err
				case "classification":
					return true, invalidf("parameter %q is not supported: ask for the outputs %s", name, list(outputNames(schema)))
				}
				return false, nil
			})
		})
		if err == nil && want.Name == "" {
			err = invalidf("missing key %q: known are %s", "name", list(outputNames(schema)))
		}
		if err != nil {
			return invalidf("outputs[%d]: %w", i, err)
		}
		return r.want(want, explicit)
	})
	return err
}

func outputKeys() []string { return []string{"name", "parameters"} }

// knownOutput returns the output of that name.
func knownOutput(s *feature.Schema, name []byte) (string, error) {
	if s.Label.Type == feature.Number && string(name) == s.Label.Name {
		return s.Label.Name, nil
	}
	if s.Label.Type != feature.Number {
		for _, known := range [...]string{outputLabel, outputScore, outputProbabilities} {
			if string(name) == known {
				return known, nil
			}
		}
	}
	return "", invalidf("unknown output %s: known are %s", quote(string(name)), list(outputNames(s)))
}

func (r *Request) want(w OutputWanted, explicit bool) error {
	for _, o := range r.Outputs {
		if o.Name == w.Name {
			return invalidf("output %q is there twice", w.Name)
		}
	}
	r.Outputs = append(r.Outputs, w)
	r.stated = append(r.stated, explicit)
	return nil
}

// The outputs of a classification.
const (
	outputLabel         = "label"
	outputScore         = "score"
	outputProbabilities = "probabilities"
)

// outputNames returns the names of a model's outputs in order.
func outputNames(s *feature.Schema) []string {
	if s.Label.Type == feature.Number {
		return []string{s.Label.Name}
	}
	return []string{outputLabel, outputScore, outputProbabilities}
}

func (r *Request) parameters() error {
	s := &r.scan
	return s.parameters(func(name []byte) (bool, error) {
		if string(name) != "binary_data_output" {
			return false, nil
		}
		var err error
		r.BinaryOutput, err = s.boolean()
		return true, err
	})
}

// plural returns "1 row", "2 rows".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
