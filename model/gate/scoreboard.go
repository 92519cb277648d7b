package gate

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// maxGroups bounds the groups of a [Scoreboard]; rows of further ones count in the
// whole alone.
const maxGroups = 1000

// A Scoreboard adds up a model's prequential scores, on the whole and in each
// group of rows, for [Config.JudgeStream]. See [NewScoreboard].
type Scoreboard struct {
	fading float64
	state  scoreboardState
}

type scoreboardState struct {
	All    Prequential             `json:"all"`
	Groups map[string]*Prequential `json:"groups,omitempty"`
}

// NewScoreboard returns an empty scoreboard; fading is that of [NewPrequential],
// by examples of the group.
func NewScoreboard(fading float64) (*Scoreboard, error) {
	p, err := NewPrequential(fading)
	if err != nil {
		return nil, err
	}
	return &Scoreboard{fading, scoreboardState{All: *p}}, nil
}

// AddClass is [Prequential.AddClass] for a row of the groups that a [Slicer] gave.
func (b *Scoreboard) AddClass(groups []string, right bool, probability float64) {
	b.state.All.AddClass(right, probability)
	for _, g := range groups {
		if p := b.group(g); p != nil {
			p.AddClass(right, probability)
		}
	}
}

// AddNumber is [Prequential.AddNumber] for a row of the groups that a [Slicer]
// gave.
func (b *Scoreboard) AddNumber(groups []string, predicted, truth float64) {
	b.state.All.AddNumber(predicted, truth)
	for _, g := range groups {
		if p := b.group(g); p != nil {
			p.AddNumber(predicted, truth)
		}
	}
}

// group returns the scores of a group, nil if there are too many.
func (b *Scoreboard) group(name string) *Prequential {
	p := b.state.Groups[name]
	if p == nil && len(b.state.Groups) < maxGroups {
		if b.state.Groups == nil {
			b.state.Groups = make(map[string]*Prequential)
		}
		p = &Prequential{fading: b.fading}
		b.state.Groups[name] = p
	}
	return p
}

// Scorecard returns the scores up to now.
func (b *Scoreboard) Scorecard() Scorecard {
	c := Scorecard{Result: b.state.All.Result()}
	if len(b.state.Groups) > 0 {
		c.Slices = make(map[string]Result, len(b.state.Groups))
	}
	for name, p := range b.state.Groups {
		c.Slices[name] = p.Result()
	}
	return c
}

// MarshalJSON implements [json.Marshaler].
func (b *Scoreboard) MarshalJSON() ([]byte, error) { return json.Marshal(&b.state) }

// UnmarshalJSON implements [json.Unmarshaler]. The fading stays that of b.
func (b *Scoreboard) UnmarshalJSON(text []byte) error {
	return restore(text, "a scoreboard", &b.state, func(s *scoreboardState) error {
		if len(s.Groups) > maxGroups {
			return fmt.Errorf("%d groups are too many", len(s.Groups))
		}
		s.All.fading = b.fading
		for name, p := range s.Groups {
			if p == nil || !utf8.ValidString(name) {
				return fmt.Errorf("the group %.60q has no scores", name)
			}
			p.fading = b.fading
		}
		return nil
	})
}
