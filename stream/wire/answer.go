package wire

import (
	"fmt"
	"math"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model/feature"
)

// Predictions is a decoded answer in rows form.
type Predictions struct {
	Model   string
	Version uint64
	ID      string
	Values  []float64        // regression
	Labels  []Classification // classification

	// Requests are those that a call was made of, in order; nil if it was one.
	Requests []Asked
}

// Asked is one request of a call.
type Asked struct {
	ID   string // as the answer has it; empty if it has none
	Rows int
}

// Row returns under which id, and as which row of its request, a label names row i.
func (p *Predictions) Row(i int) (id string, row int) {
	for _, r := range p.Requests {
		if i < r.Rows {
			return r.ID, i
		}
		i -= r.Rows
	}
	return p.ID, i
}

// Len returns the number of rows.
func (p *Predictions) Len() int { return len(p.Values) + len(p.Labels) }

// Classification is one row's answer.
type Classification struct {
	Label  string             `json:"label"`
	Score  float64            `json:"score"`
	Scores map[string]float64 `json:"scores"`
}

// DecodeReply decodes an answer in rows form, or the error it carries. An answer
// that cannot be read is an error that wraps [ErrInternal].
func DecodeReply(msg *nats.Msg) (*Predictions, error) {
	if err := ErrorFrom(msg); err != nil {
		return nil, err
	}
	p := &Predictions{ID: msg.Header.Get(HeaderID)}
	s := scanner{data: msg.Data}
	if err := p.read(&s); err != nil {
		return nil, fmt.Errorf("%w: reading an answer: %s", ErrInternal, err.Error())
	}
	return p, nil
}

func (p *Predictions) read(s *scanner) error {
	seen := false
	err := s.members(func(key []byte) error {
		switch string(key) {
		case "predictions":
			seen = true
			_, err := s.elements(func(int) error { return p.prediction(s) })
			return err
		case "model_name":
			name, err := s.str()
			p.Model = string(name)
			return err
		case "model_version":
			text, err := s.str()
			if err != nil {
				return err
			}
			p.Version, err = strconv.ParseUint(string(text), 10, 64)
			return err
		}
		return s.skip()
	})
	if err == nil {
		err = s.end()
	}
	switch {
	case err != nil:
		return err
	case !seen:
		return invalidf("missing key %q", "predictions")
	case len(p.Values) > 0 && len(p.Labels) > 0:
		return invalidf("numbers and classes in one answer")
	}
	return nil
}

func (p *Predictions) prediction(s *scanner) error {
	if s.next() != tokenObject {
		v, err := s.float()
		p.Values = append(p.Values, v)
		return err
	}
	c := Classification{}
	err := s.members(func(key []byte) error {
		var err error
		switch string(key) {
		case "label":
			var label []byte
			label, err = s.str()
			c.Label = string(label)
		case "score":
			c.Score, err = s.float()
		case "scores":
			c.Scores = map[string]float64{}
			err = s.members(func(key []byte) error {
				class := string(key)
				score, err := s.float()
				c.Scores[class] = score
				return err
			})
		default:
			err = s.skip()
		}
		return err
	})
	p.Labels = append(p.Labels, c)
	return err
}

// EncodeInstances returns a request in rows form for rows [lo, hi) of f.
func EncodeInstances(f *feature.Frame, lo, hi int) ([]byte, error) {
	b := []byte(`{"instances":[`)
	var err error
	for i := lo; i < hi; i++ {
		if i > lo {
			b = append(b, ',')
		}
		if b, err = appendRow(b, f.Row(i).Values); err != nil {
			return nil, fmt.Errorf("encoding row %d: %w", i, err)
		}
	}
	return append(b, "]}"...), nil
}

// appendRow appends a row as a list in schema order; a vector is a nested list
// unless it is all there is.
func appendRow(b []byte, values []feature.Value) ([]byte, error) {
	if len(values) == 1 && values[0].Kind == feature.KindVector {
		return appendValue(b, values[0])
	}
	b = append(b, '[')
	var err error
	for k, v := range values {
		if k > 0 {
			b = append(b, ',')
		}
		if b, err = appendValue(b, v); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendValue(b []byte, v feature.Value) ([]byte, error) {
	switch v.Kind {
	case feature.KindMissing:
		return append(b, "null"...), nil
	case feature.KindNumber:
		return appendNumber(b, v.Num, 64)
	case feature.KindBool:
		return strconv.AppendBool(b, v.Num != 0), nil
	case feature.KindText, feature.KindCell:
		return appendQuoted(b, v.Text), nil
	case feature.KindVector:
		b = append(b, '[')
		var err error
		for k, x := range v.Vector {
			if k > 0 {
				b = append(b, ',')
			}
			if b, err = appendNumber(b, float64(x), 32); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	}
	return nil, invalidf("unknown kind of value %d", v.Kind)
}

func appendNumber(b []byte, v float64, bits int) ([]byte, error) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil, invalidf("%v has no JSON form", v)
	}
	return strconv.AppendFloat(b, v, 'g', -1, bits), nil
}
