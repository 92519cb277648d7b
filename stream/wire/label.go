package wire

import (
	"encoding/json"
	"math"
)

// A Label is the message on <prefix>.label.<model>: the truth about a prediction that
// was captured, by its id: {"id", "label"}, with "row" for one row of several, or
// {"id", "labels"} with one a row, null where there is none.
type Label struct {
	ID     string            `json:"id"`
	Row    int               `json:"row,omitempty"` // from 0
	Label  json.RawMessage   `json:"label,omitempty"`
	Labels []json.RawMessage `json:"labels,omitempty"`
}

// DecodeLabel reads a label message; errors wrap [ErrInvalid].
func DecodeLabel(body []byte) (*Label, error) {
	l := &Label{}
	s := scanner{data: body}
	var seen [labelEnd]bool
	err := s.object(labelKeys(), func(key int) error {
		seen[key] = true
		switch key {
		case labelID:
			id, err := s.str()
			l.ID = string(id)
			return err
		case labelRow:
			return l.row(&s)
		case labelOne:
			raw, err := s.raw()
			l.Label = raw
			return err
		}
		_, err := s.elements(func(int) error {
			raw, err := s.raw()
			l.Labels = append(l.Labels, raw)
			return err
		})
		return err
	})
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return nil, err
	}
	switch {
	case !seen[labelID]:
		return nil, invalidf(`missing key "id": want {"id": …, "label": …}`)
	case seen[labelOne] == seen[labelAll]:
		return nil, invalidf(`want "label", or "labels" with one for each row: one of the two`)
	case seen[labelRow] && seen[labelAll]:
		return nil, invalidf(`key "row" does not go with "labels"`)
	case seen[labelAll] && len(l.Labels) == 0:
		return nil, invalidf("labels: want one for each row, got none")
	case string(l.Label) == "null":
		return nil, invalidf("label: got null")
	case string(l.Label) == `""`:
		return nil, invalidf("label: it is empty: want what was true")
	}
	return l, CheckID(l.ID)
}

func labelKeys() []string { return []string{"id", "row", "label", "labels"} }

// The keys of a label message.
const (
	labelID = iota
	labelRow
	labelOne
	labelAll
	labelEnd
)

func (l *Label) row(s *scanner) error {
	v, err := s.float()
	if err != nil {
		return err
	}
	if !(v >= 0 && v < 1<<31) || v != math.Trunc(v) {
		return invalidf("row: want a whole number from 0, got %v", v)
	}
	l.Row = int(v)
	return nil
}

// raw returns the next value as it is written.
func (s *scanner) raw() (json.RawMessage, error) {
	s.space()
	lo := s.off
	if err := s.skip(); err != nil {
		return nil, err
	}
	return json.RawMessage(append([]byte(nil), s.data[lo:s.off]...)), nil
}
