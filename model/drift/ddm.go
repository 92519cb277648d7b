package drift

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/modelbus/modelbus/model/nn"
)

// DDM watches the error rate p, whose deviation is s = √(p(1−p)/n): it warns when
// p+s is above the least there was by WarningThreshold deviations, and says
// drift at DriftThreshold (Gama et al. 2004, "Learning with Drift Detection").
// Numbers are 0 for right and 1 for wrong; others are brought into [0, 1].
type DDM struct {
	WarmStart        int     // updates before the first answer; default 30
	WarningThreshold float64 // default 2
	DriftThreshold   float64 // default 3
}

func ddmParameters(m *DDM) []parameter {
	return []parameter{
		{key: "warm_start", integer: &m.WarmStart, standard: 30, min: 1, max: math.MaxInt32},
		{key: "warning_threshold", float: &m.WarningThreshold, standard: 2, max: math.MaxFloat64},
		{key: "drift_threshold", float: &m.DriftThreshold, standard: 3, max: math.MaxFloat64},
	}
}

// Config implements [Method].
func (m DDM) Config() nn.Config { return configOf("DDM", ddmParameters(&m)) }

// New implements [Method].
func (m DDM) New() (Detector, error) {
	if err := complete("DDM", ddmParameters(&m)); err != nil {
		return nil, err
	}
	return &ddm{config: m}, nil
}

type ddmState struct {
	All     tally   `json:"all"`
	Known   bool    `json:"known"` // whether there is a least
	Least   float64 `json:"least"` // p of the least p+s
	Spread  float64 `json:"spread"`
	Calm    tally   `json:"calm"` // the updates before the warning
	Drifted bool    `json:"drifted"`
}

type ddm struct {
	config DDM
	state  ddmState
}

// Update implements [Detector].
func (d *ddm) Update(x float64) Status {
	if !usable(x) {
		return Stable
	}
	s := &d.state
	if s.Drifted {
		d.Reset()
	}
	before := s.All
	s.All = s.All.plus(min(max(x, 0), 1))
	if s.All.N <= int64(d.config.WarmStart) {
		s.Calm = s.All
		return Stable
	}
	p := s.All.mean()
	spread := math.Sqrt(p * (1 - p) / float64(s.All.N))
	if !s.Known || p+spread <= s.Least+s.Spread {
		s.Known, s.Least, s.Spread = true, p, spread
	}
	switch {
	case p+spread > s.Least+d.config.DriftThreshold*s.Spread:
		s.Drifted = true
		if s.Calm.N == s.All.N { // there was no warning
			s.Calm = before
		}
		return Drift
	case p+spread > s.Least+d.config.WarningThreshold*s.Spread:
		return Warning
	}
	s.Calm = s.All
	return Stable
}

// Estimate implements [Detector]: a change is supposed where the warning began.
func (d *ddm) Estimate() Estimate { return estimateAt(d.state.All, d.state.Calm) }

// Reset implements [Detector].
func (d *ddm) Reset() { d.state = ddmState{} }

// MarshalJSON implements [json.Marshaler].
func (d *ddm) MarshalJSON() ([]byte, error) { return json.Marshal(d.state) }

// UnmarshalJSON implements [json.Unmarshaler].
func (d *ddm) UnmarshalJSON(text []byte) error {
	return restore(text, "DDM", &d.state, func(s *ddmState) error {
		for _, t := range []tally{s.All, s.Calm} {
			if err := t.check(); err != nil {
				return err
			}
			if t.Sum < 0 || t.Sum > float64(t.N) || t.N > s.All.N {
				return fmt.Errorf("%v errors in %d updates are too many", t.Sum, t.N)
			}
		}
		if !finite(s.Least) || !finite(s.Spread) || s.Spread < 0 {
			return fmt.Errorf("the least error rate is %v ± %v", s.Least, s.Spread)
		}
		return nil
	})
}
