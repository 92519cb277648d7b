package drift

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/modelbus/modelbus/model/nn"
)

// EDDM watches how many updates lie between two errors: v, their mean and two
// deviations, against the most that v was. It warns when the ratio falls below
// Alpha and says drift below Beta (Baena-García et al. 2006, "Early Drift
// Detection Method"), which finds slow changes earlier than [DDM]. A number is
// an error if it is above 0.
type EDDM struct {
	WarmStart int     // errors before the first answer; default 30
	Alpha     float64 // of a warning, in (0, 1); default 0.95
	Beta      float64 // of a drift, in (0, 1); default 0.9
}

func eddmParameters(m *EDDM) []parameter {
	return []parameter{
		{key: "warm_start", integer: &m.WarmStart, standard: 30, min: 1, max: math.MaxInt32},
		{key: "alpha", float: &m.Alpha, standard: 0.95, max: 1},
		{key: "beta", float: &m.Beta, standard: 0.9, max: 1},
	}
}

// Config implements [Method].
func (m EDDM) Config() nn.Config { return configOf("EDDM", eddmParameters(&m)) }

// New implements [Method].
func (m EDDM) New() (Detector, error) {
	if err := complete("EDDM", eddmParameters(&m)); err != nil {
		return nil, err
	}
	return &eddm{config: m}, nil
}

type eddmState struct {
	All     tally   `json:"all"`  // the sum counts errors
	Last    int64   `json:"last"` // the update of the last error, from 1
	Mean    float64 `json:"mean"` // of the distances
	Dev     float64 `json:"dev"`  // sum of squares about it
	Most    float64 `json:"most"`
	Calm    tally   `json:"calm"`
	Status  Status  `json:"status"` // of the last error
	Drifted bool    `json:"drifted"`
}

type eddm struct {
	config EDDM
	state  eddmState
}

// Update implements [Detector].
func (d *eddm) Update(x float64) Status {
	if !usable(x) {
		return Stable
	}
	s := &d.state
	if s.Drifted {
		d.Reset()
	}
	before := s.All
	if x <= 0 {
		s.All = s.All.plus(0)
		if s.Status == Stable {
			s.Calm = s.All
		}
		return Stable
	}
	s.All = s.All.plus(1)
	distance := float64(s.All.N - s.Last)
	s.Last = s.All.N
	off := distance - s.Mean
	s.Mean += off / s.All.Sum
	s.Dev += off * (distance - s.Mean)
	s.Status = d.judge()
	switch {
	case s.Status == Stable:
		s.Calm = s.All
	case s.Calm.N == s.All.N:
		s.Calm = before
	}
	s.Drifted = s.Status == Drift
	return s.Status
}

// judge compares the distances with the longest there were.
func (d *eddm) judge() Status {
	s, warm := &d.state, float64(d.config.WarmStart)
	if float64(s.All.N) <= warm || s.All.Sum < 2 {
		return Stable
	}
	v := s.Mean + 2*math.Sqrt(s.Dev/(s.All.Sum-1))
	switch {
	case v > s.Most:
		s.Most = v
	case s.All.Sum <= warm:
	case v < d.config.Beta*s.Most:
		return Drift
	case v < d.config.Alpha*s.Most:
		return Warning
	}
	return Stable
}

// Estimate implements [Detector]: a change is supposed where the warning began.
func (d *eddm) Estimate() Estimate { return estimateAt(d.state.All, d.state.Calm) }

// Reset implements [Detector].
func (d *eddm) Reset() { d.state = eddmState{} }

// MarshalJSON implements [json.Marshaler].
func (d *eddm) MarshalJSON() ([]byte, error) { return json.Marshal(d.state) }

// UnmarshalJSON implements [json.Unmarshaler].
func (d *eddm) UnmarshalJSON(text []byte) error {
	return restore(text, "EDDM", &d.state, func(s *eddmState) error {
		for _, t := range []tally{s.All, s.Calm} {
			if err := t.check(); err != nil {
				return err
			}
			if t.Sum < 0 || t.Sum > float64(t.N) || t.N > s.All.N {
				return fmt.Errorf("%v errors in %d updates are too many", t.Sum, t.N)
			}
		}
		if s.Last < 0 || s.Last > s.All.N || s.Status > Drift {
			return fmt.Errorf("the last error is at %d of %d, with %s", s.Last, s.All.N, s.Status)
		}
		if !finite(s.Mean) || !finite(s.Dev) || s.Dev < 0 || !finite(s.Most) {
			return fmt.Errorf("the distances are not finite")
		}
		return nil
	})
}
