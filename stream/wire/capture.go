package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
)

// MaxID bounds the characters of the id of a prediction that is captured.
const MaxID = 128

// CheckID returns an error that wraps [ErrInvalid] if id cannot be the id of a
// prediction that is captured: it is a token of a subject.
func CheckID(id string) error {
	if !isToken(id, MaxID) {
		return invalidf("id %s: want 1 to %d of A-Z a-z 0-9 _ -", quote(id), MaxID)
	}
	return nil
}

// An Outcome is what was predicted for one row: a number, or a class and its
// probability. In JSON it is the number, or {"label", "score"}.
type Outcome struct {
	Class bool    // Label and Score hold, else Value
	Label string  // the most probable class
	Score float32 // its probability
	Value float32
}

// Outcomes appends what out predicts for n rows from row on to dst.
func Outcomes(dst []Outcome, out *model.Output, row, n int) []Outcome {
	for i := row; i < row+n; i++ {
		if out.Classes == nil {
			dst = append(dst, Outcome{Value: out.Values[i]})
			continue
		}
		best := out.Label(i)
		dst = append(dst, Outcome{Class: true, Label: out.Classes[best], Score: out.Probs[i*len(out.Classes)+best]})
	}
	return dst
}

// Text returns the prediction as a header has it: the class, or the number.
func (o Outcome) Text() string {
	if o.Class {
		return o.Label
	}
	return formatSingle(o.Value)
}

func formatSingle(v float32) string { return strconv.FormatFloat(float64(v), 'g', -1, 32) }

func (o Outcome) append(b []byte) []byte {
	if !o.Class {
		return strconv.AppendFloat(b, float64(o.Value), 'g', -1, 32)
	}
	b = appendQuoted(append(b, `{"label":`...), o.Label)
	b = strconv.AppendFloat(append(b, `,"score":`...), float64(o.Score), 'g', -1, 32)
	return append(b, '}')
}

// MarshalJSON implements json.Marshaler.
func (o Outcome) MarshalJSON() ([]byte, error) { return o.append(nil), nil }

// UnmarshalJSON implements json.Unmarshaler.
func (o *Outcome) UnmarshalJSON(text []byte) error {
	*o = Outcome{}
	if len(text) > 0 && text[0] != '{' {
		return json.Unmarshal(text, &o.Value)
	}
	var c struct {
		Label string  `json:"label"`
		Score float32 `json:"score"`
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return err
	}
	*o = Outcome{Class: true, Label: c.Label, Score: c.Score}
	return nil
}

// A Capture is a request that was answered, kept for labels that come late: the
// message on <prefix>.capture.<model>.<id>.
type Capture struct {
	Model       string            `json:"model_name"`
	Version     uint64            `json:"model_version,string"`
	Time        time.Time         `json:"time"`        // of the answer
	Instances   []json.RawMessage `json:"instances"`   // objects by feature
	Predictions []Outcome         `json:"predictions"` // one a row
	Shadow      *Shadowed         `json:"shadow,omitempty"`

	// Classes are those that the version knows, where its spec does not list them.
	Classes []string `json:"classes,omitempty"`
}

// Shadowed is what the shadow would have answered.
type Shadowed struct {
	Version     uint64    `json:"model_version,string"`
	Predictions []Outcome `json:"predictions"`
}

// A Join is which rows of a captured request have a label: the message on
// <prefix>.join.<model>.<id>.
type Join struct {
	Time   time.Time      `json:"time"` // of the captured request: an id may be used again
	Labels map[int]*Truth `json:"labels"`
}

// A Truth is the label of a row that was captured.
type Truth struct {
	Label json.RawMessage `json:"label"`

	// Joined says that the training example is stored; until then After is a sequence
	// of the training stream before it.
	Joined bool   `json:"joined,omitempty"`
	After  uint64 `json:"after,omitempty"`
}

// EncodeCapture fills msg with c, whose instances are the rows of f instead.
func EncodeCapture(msg *nats.Msg, c *Capture, f *feature.Frame) error {
	b := appendQuoted(append(msg.Data[:0], `{"model_name":`...), c.Model)
	b = append(strconv.AppendUint(append(b, `,"model_version":"`...), c.Version, 10), '"')
	b = append(c.Time.UTC().AppendFormat(append(b, `,"time":"`...), time.RFC3339Nano), `","instances":[`...)
	for i := range f.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendNamed(b, f.Schema(), f.Row(i).Values); err != nil {
			return fmt.Errorf("capturing row %d: %w", i, err)
		}
	}
	b = appendOutcomes(append(b, `],"predictions":`...), c.Predictions)
	if s := c.Shadow; s != nil {
		b = strconv.AppendUint(append(b, `,"shadow":{"model_version":"`...), s.Version, 10)
		b = appendOutcomes(append(b, `","predictions":`...), s.Predictions)
		b = append(b, '}')
	}
	for i, class := range c.Classes {
		b = appendQuoted(append(b, [2]string{`,"classes":[`, `,`}[min(i, 1)]...), class)
	}
	if len(c.Classes) > 0 {
		b = append(b, ']')
	}
	msg.Data = append(b, '}')
	return nil
}

func appendOutcomes(b []byte, all []Outcome) []byte {
	b = append(b, '[')
	for i, o := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = o.append(b)
	}
	return append(b, ']')
}

// appendNamed appends a row as an object by feature, without those that are missing.
func appendNamed(b []byte, s *feature.Schema, values []feature.Value) ([]byte, error) {
	b = append(b, '{')
	first := true
	for k := range values {
		if values[k].Kind == feature.KindMissing {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendQuoted(b, s.Features[k].Name), ':')
		var err error
		if b, err = appendValue(b, values[k]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// DecodeCapture reads what EncodeCapture wrote.
func DecodeCapture(body []byte) (*Capture, error) {
	var c Capture
	if err := json.Unmarshal(body, &c); err != nil {
		return nil, fmt.Errorf("%w: reading a captured prediction: %w", ErrInternal, err)
	}
	if len(c.Predictions) != len(c.Instances) {
		return nil, fmt.Errorf("%w: reading a captured prediction: %d instances, %d predictions", ErrInternal, len(c.Instances), len(c.Predictions))
	}
	return &c, nil
}

// DecodeJoin reads the labels of a captured request.
func DecodeJoin(body []byte, c *Capture) (*Join, error) {
	var j Join
	if err := json.Unmarshal(body, &j); err != nil {
		return nil, fmt.Errorf("%w: reading the labels of a captured prediction: %w", ErrInternal, err)
	}
	for row, t := range j.Labels {
		if row < 0 || row >= len(c.Instances) || t == nil || len(t.Label) == 0 {
			return nil, fmt.Errorf("%w: reading the labels of a captured prediction: row %d of %d", ErrInternal, row, len(c.Instances))
		}
	}
	return &j, nil
}

// Example returns row i with its label as a training message.
func (c *Capture) Example(i int, label json.RawMessage) []byte {
	return bytes.Join([][]byte{[]byte(`{"features":`), c.Instances[i], []byte(`,"label":`), label, []byte(`}`)}, nil)
}
