package drift

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/modelbus/modelbus/model/nn"
)

// The directions of [ADWIN] and [PageHinkley].
const (
	Up   = "up"   // the mean has risen, as that of errors does when a model gets worse
	Down = "down" // it has fallen
	Both = "both" // either
)

// PageHinkley sums up by how much the numbers exceed their mean and Delta, and
// says drift when the sum, which never falls below 0, reaches Threshold (Page
// 1954, "Continuous Inspection Schemes"; Hinkley 1971). Alpha lets old numbers
// fade.
type PageHinkley struct {
	MinInstances int     // updates before the first answer; default 30
	Delta        float64 // what a number may exceed the mean by, above 0; default 0.005
	Threshold    float64 // default 50
	Alpha        float64 // in (0, 1]; default 0.9999, 1 lets none fade
	Mode         string  // default [Up]
}

func pageHinkleyParameters(m *PageHinkley) []parameter {
	return []parameter{
		{key: "min_instances", integer: &m.MinInstances, standard: 30, min: 1, max: math.MaxInt32},
		{key: "delta", float: &m.Delta, standard: 0.005, max: math.MaxFloat64},
		{key: "threshold", float: &m.Threshold, standard: 50, max: math.MaxFloat64},
		{key: "alpha", float: &m.Alpha, standard: 0.9999, max: 1, closed: true},
		{key: "mode", text: &m.Mode, words: []string{Up, Down, Both}},
	}
}

// Config implements [Method].
func (m PageHinkley) Config() nn.Config { return configOf("PageHinkley", pageHinkleyParameters(&m)) }

// New implements [Method].
func (m PageHinkley) New() (Detector, error) {
	if err := complete("PageHinkley", pageHinkleyParameters(&m)); err != nil {
		return nil, err
	}
	return &pageHinkley{config: m}, nil
}

// An excess is the sum in one direction, and the updates before it left 0.
type excess struct {
	Sum   float64 `json:"sum"`
	Since tally   `json:"since"`
}

func (e *excess) add(x, alpha float64, before tally) {
	if e.Sum == 0 {
		e.Since = before
	}
	e.Sum = max(0, alpha*e.Sum+x)
}

type pageHinkleyState struct {
	All     tally   `json:"all"`
	Mean    float64 `json:"mean"`
	Up      excess  `json:"up"`
	Down    excess  `json:"down"`
	Drifted bool    `json:"drifted"`
}

type pageHinkley struct {
	config PageHinkley
	state  pageHinkleyState
}

// Update implements [Detector].
func (d *pageHinkley) Update(x float64) Status {
	if !usable(x) {
		return Stable
	}
	s := &d.state
	if s.Drifted {
		d.Reset()
	}
	before := s.All
	s.All = s.All.plus(x)
	s.Mean += (x - s.Mean) / float64(s.All.N)
	if d.config.Mode != Down {
		s.Up.add(x-s.Mean-d.config.Delta, d.config.Alpha, before)
	}
	if d.config.Mode != Up {
		s.Down.add(s.Mean-x-d.config.Delta, d.config.Alpha, before)
	}
	// The count that River's first versions compare is one ahead.
	if s.All.N+1 >= int64(d.config.MinInstances) && max(s.Up.Sum, s.Down.Sum) >= d.config.Threshold {
		s.Drifted = true
		return Drift
	}
	return Stable
}

// Estimate implements [Detector]: a change is supposed where the greater of the
// sums was last 0.
func (d *pageHinkley) Estimate() Estimate {
	s := &d.state
	e := s.Up
	if s.Down.Sum > s.Up.Sum {
		e = s.Down
	}
	if e.Sum == 0 {
		return estimateAt(s.All, tally{})
	}
	return estimateAt(s.All, e.Since)
}

// Reset implements [Detector].
func (d *pageHinkley) Reset() { d.state = pageHinkleyState{} }

// MarshalJSON implements [json.Marshaler].
func (d *pageHinkley) MarshalJSON() ([]byte, error) { return json.Marshal(d.state) }

// UnmarshalJSON implements [json.Unmarshaler].
func (d *pageHinkley) UnmarshalJSON(text []byte) error {
	return restore(text, "PageHinkley", &d.state, func(s *pageHinkleyState) error {
		if err := s.All.check(); err != nil {
			return err
		}
		for _, e := range []excess{s.Up, s.Down} {
			if err := e.Since.check(); err != nil {
				return err
			}
			if !(e.Sum >= 0) || !finite(e.Sum) || e.Since.N > s.All.N {
				return fmt.Errorf("a sum is %v since update %d of %d", e.Sum, e.Since.N, s.All.N)
			}
		}
		if !finite(s.Mean) {
			return fmt.Errorf("the mean is %v", s.Mean)
		}
		return nil
	})
}
