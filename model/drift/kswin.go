package drift

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/modelbus/modelbus/model/nn"
)

// KSWIN compares the newest StatSize numbers of a window with as many drawn from
// the rest of it, by the exact two-sample Kolmogorov-Smirnov test (Raab, Heusinger
// and Schleif 2020, "Reactive Soft Prototype Computing for Concept Drift
// Streams"). A distance of 0.1 or less is never a drift. After a drift the window
// begins empty, as in River: its newest numbers are still partly the old ones, and
// kept they would be a second drift.
type KSWIN struct {
	Alpha      float64 // the p-value of a drift, in (0, 1); default 0.005
	WindowSize int     // default 100
	StatSize   int     // at most half of WindowSize; default 30
	Seed       int     // of the draws
}

func kswinParameters(m *KSWIN) []parameter {
	const longest = 1 << 16
	return []parameter{
		{key: "alpha", float: &m.Alpha, standard: 0.005, max: 1},
		{key: "window_size", integer: &m.WindowSize, standard: 100, min: 2, max: longest},
		{key: "stat_size", integer: &m.StatSize, standard: 30, min: 1, max: longest / 2},
		{key: "seed", integer: &m.Seed, min: math.MinInt32, max: math.MaxInt32},
	}
}

// Config implements [Method].
func (m KSWIN) Config() nn.Config { return configOf("KSWIN", kswinParameters(&m)) }

// New implements [Method].
func (m KSWIN) New() (Detector, error) {
	if err := complete("KSWIN", kswinParameters(&m)); err != nil {
		return nil, err
	}
	if m.StatSize > m.WindowSize/2 {
		return nil, &nn.ConfigError{Name: "KSWIN", Key: "stat_size", Msg: fmt.Sprintf("must be at most half of window_size %d, got %d", m.WindowSize, m.StatSize)}
	}
	d := &kswin{config: m, critical: criticalSteps(m.StatSize, m.Alpha)}
	d.Reset()
	return d, nil
}

// criticalSteps returns the least h for which a distance of h/n is a drift; n+1
// if none is.
func criticalSteps(n int, alpha float64) int {
	h := n/10 + 1 // h/n is above 0.1
	for h <= n && equalSizes(n, h) > alpha {
		h++
	}
	return h
}

type kswinState struct {
	Window  []float64 `json:"window"` // a ring once it is full
	Oldest  int       `json:"oldest"`
	Source  []byte    `json:"source"` // of the random numbers
	Drifted bool      `json:"drifted"`
}

type kswin struct {
	config         KSWIN
	critical       int
	state          kswinState
	source         *rand.PCG
	older          []int // scratch: places in the window
	sample, newest []float64
}

// Update implements [Detector].
func (d *kswin) Update(x float64) Status {
	if !usable(x) {
		return Stable
	}
	s := &d.state
	if s.Drifted {
		d.Reset()
	}
	if len(s.Window) < d.config.WindowSize {
		s.Window = append(s.Window, x)
		if len(s.Window) < d.config.WindowSize {
			return Stable
		}
	} else {
		s.Window[s.Oldest] = x
		s.Oldest = (s.Oldest + 1) % len(s.Window)
	}
	d.split()
	if equalSteps(d.sample, d.newest) < d.critical {
		return Stable
	}
	s.Drifted = true
	return Drift
}

// at returns the i-th number of the window from the oldest.
func (d *kswin) at(i int) float64 {
	return d.state.Window[(d.state.Oldest+i)%len(d.state.Window)]
}

// split fills newest and sample, sorted.
func (d *kswin) split() {
	r := d.config.StatSize
	rest := len(d.state.Window) - r
	d.older = d.older[:0]
	for i := range rest {
		d.older = append(d.older, i)
	}
	random := rand.New(d.source)
	d.sample, d.newest = d.sample[:0], d.newest[:0]
	for i := range r {
		j := i + random.IntN(rest-i)
		d.older[i], d.older[j] = d.older[j], d.older[i]
		d.sample = append(d.sample, d.at(d.older[i]))
		d.newest = append(d.newest, d.at(rest+i))
	}
	slices.Sort(d.sample)
	slices.Sort(d.newest)
}

// Estimate implements [Detector]: what has changed is the newest numbers.
func (d *kswin) Estimate() Estimate {
	var all, before tally
	for i := range d.state.Window {
		all = all.plus(d.at(i))
		if i < len(d.state.Window)-d.config.StatSize {
			before = all
		}
	}
	return estimateAt(all, before)
}

// Reset implements [Detector]. The random numbers begin anew too.
func (d *kswin) Reset() {
	d.state = kswinState{}
	d.source = rand.NewPCG(uint64(int64(d.config.Seed)), 0x6b7377696e)
}

// MarshalJSON implements [json.Marshaler].
func (d *kswin) MarshalJSON() ([]byte, error) {
	s := d.state
	var err error
	if s.Source, err = d.source.MarshalBinary(); err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (d *kswin) UnmarshalJSON(text []byte) error {
	source := &rand.PCG{}
	err := restore(text, "KSWIN", &d.state, func(s *kswinState) error {
		switch full := d.config.WindowSize; {
		case len(s.Window) > full:
			return fmt.Errorf("the window has %d numbers, at most %d are due", len(s.Window), full)
		case s.Oldest < 0 || s.Oldest > 0 && (len(s.Window) < full || s.Oldest >= full),
			s.Drifted && len(s.Window) < full:
			return fmt.Errorf("the oldest of %d numbers is at %d, drifted is %t", len(s.Window), s.Oldest, s.Drifted)
		}
		for i, x := range s.Window {
			if !usable(x) {
				return fmt.Errorf("number %d is %v", i, x)
			}
		}
		err := source.UnmarshalBinary(s.Source)
		s.Source = nil
		return err
	})
	if err == nil {
		d.source = source
	}
	return err
}
