package drift

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/modelbus/modelbus/model/nn"
)

// ADWIN keeps a window as long as the mean of its older part agrees with that of
// its newer part, and drops the older part where it does not (Bifet and Gavaldà
// 2007, "Learning from Time-Changing Data with Adaptive Windowing"). Numbers may
// have any range; what is due is roughly [0, 1]. The window is kept as an
// exponential histogram: memory grows with the logarithm of its length.
//
// Every bucket is tried as a cut. Ports that skip the newest bucket of each row,
// as River's before 0.22 and scikit-multiflow's, answer later.
type ADWIN struct {
	Delta      float64 // confidence: the chance of a false cut, in (0, 1); default 0.002
	Clock      int     // updates between two tests; default 32
	MaxBuckets int     // buckets of equal size before two are merged; default 5
	MinWindow  int     // numbers on either side of a cut, at least; default 5
	Grace      int     // numbers before the first test; default 10

	// Mode is [Both], the default, or the one direction that is a drift: with [Up]
	// an error that falls, as after a promotion, shortens the window in silence.
	Mode string
}

func adwinParameters(m *ADWIN) []parameter {
	return []parameter{
		{key: "delta", float: &m.Delta, standard: 0.002, max: 1},
		{key: "clock", integer: &m.Clock, standard: 32, min: 1, max: math.MaxInt32},
		{key: "max_buckets", integer: &m.MaxBuckets, standard: 5, min: 2, max: 1000},
		{key: "min_window_length", integer: &m.MinWindow, standard: 5, min: 1, max: math.MaxInt32},
		{key: "grace_period", integer: &m.Grace, standard: 10, min: 1, max: math.MaxInt32},
		{key: "mode", text: &m.Mode, words: []string{Both, Up, Down}},
	}
}

// Config implements [Method].
func (m ADWIN) Config() nn.Config { return configOf("ADWIN", adwinParameters(&m)) }

// New implements [Method].
func (m ADWIN) New() (Detector, error) {
	if err := complete("ADWIN", adwinParameters(&m)); err != nil {
		return nil, err
	}
	return &adwin{config: m}, nil
}

// A bucket holds 1<<r numbers, r being its row: their sum, and the sum of the
// squared distances from their mean.
type bucket struct {
	Sum float64 `json:"sum"`
	Dev float64 `json:"dev"`
}

type adwinState struct {
	Ticks   int64      `json:"ticks"`
	All     tally      `json:"all"`
	Dev     float64    `json:"dev"`  // of all buckets together
	Rows    [][]bucket `json:"rows"` // from the newest; in a row the oldest is first
	Dropped tally      `json:"dropped"`
	Cut     tally      `json:"cut"` // what came before the clearest cut, dropped or not
	Drifted bool       `json:"drifted"`
}

type adwin struct {
	config ADWIN
	state  adwinState
}

// Update implements [Detector].
func (d *adwin) Update(x float64) Status {
	if !usable(x) {
		return Stable
	}
	s := &d.state
	if s.Drifted {
		d.Reset()
	}
	s.Ticks++
	d.insert(x)
	if s.Ticks%int64(d.config.Clock) != 0 || s.All.N <= int64(d.config.Grace) {
		return Stable
	}
	cut := false
	for d.cuts() {
		d.dropOldest()
		cut = true
	}
	if !cut || !d.counts() {
		return Stable
	}
	s.Drifted = true
	return Drift
}

// counts reports whether the change that was found is in a direction asked for.
func (d *adwin) counts() bool {
	e := d.Estimate()
	return d.config.Mode == Both || (d.config.Mode == Up) == (e.Mean > e.Before)
}

func (d *adwin) insert(x float64) {
	s := &d.state
	if s.All.N > 0 {
		n := float64(s.All.N)
		off := x - s.All.Sum/n
		s.Dev += n * off * off / (n + 1)
	}
	s.All = s.All.plus(x)
	if len(s.Rows) == 0 {
		s.Rows = append(s.Rows, nil)
	}
	s.Rows[0] = append(s.Rows[0], bucket{Sum: x})
	for r := 0; len(s.Rows[r]) > d.config.MaxBuckets; r++ {
		if r+1 == len(s.Rows) {
			s.Rows = append(s.Rows, nil)
		}
		row := s.Rows[r]
		a, b, n := row[0], row[1], float64(int64(1)<<r)
		off := (a.Sum - b.Sum) / n
		s.Rows[r+1] = append(s.Rows[r+1], bucket{Sum: a.Sum + b.Sum, Dev: a.Dev + b.Dev + n*off*off/2})
		s.Rows[r] = slices.Delete(row, 0, 2)
	}
}

// cuts reports whether some cut between two buckets leaves parts whose means
// differ by more than chance allows, and keeps where that is clearest.
func (d *adwin) cuts() bool {
	s, least := &d.state, int64(d.config.MinWindow)
	w := float64(s.All.N)
	logs := math.Log(2 * math.Log(w) / d.config.Delta)
	variance := max(s.Dev, 0) / w
	var old, clearest tally
	most := 1.0
	for r, row := range slices.Backward(s.Rows) {
		for _, b := range row {
			old.N += int64(1) << r
			old.Sum += b.Sum
			recent := s.All.minus(old)
			if old.N < least || recent.N < least {
				continue
			}
			m := 1/float64(old.N-least+1) + 1/float64(recent.N-least+1)
			epsilon := math.Sqrt(2*m*variance*logs) + 2.0/3*logs*m
			if excess := math.Abs(old.mean()-recent.mean()) / epsilon; excess > most {
				most, clearest = excess, old
			}
		}
	}
	if clearest.N > 0 {
		s.Cut = tally{s.Dropped.N + clearest.N, s.Dropped.Sum + clearest.Sum}
	}
	return clearest.N > 0
}

func (d *adwin) dropOldest() {
	s := &d.state
	r := len(s.Rows) - 1
	b, n := s.Rows[r][0], int64(1)<<r
	s.Rows[r] = slices.Delete(s.Rows[r], 0, 1)
	if len(s.Rows[r]) == 0 {
		s.Rows = s.Rows[:r]
	}
	s.Dropped.N += n
	s.Dropped.Sum += b.Sum
	s.All = s.All.minus(tally{n, b.Sum})
	off := b.Sum/float64(n) - s.All.mean()
	s.Dev -= b.Dev + float64(n)*float64(s.All.N)*off*off/float64(n+s.All.N)
}

// Estimate implements [Detector]: a change is supposed where the means on both
// sides differ most clearly, to within a bucket.
func (d *adwin) Estimate() Estimate {
	s := &d.state
	all := tally{s.All.N + s.Dropped.N, s.All.Sum + s.Dropped.Sum}
	return estimateAt(all, s.Cut)
}

// Reset implements [Detector].
func (d *adwin) Reset() { d.state = adwinState{} }

// MarshalJSON implements [json.Marshaler].
func (d *adwin) MarshalJSON() ([]byte, error) { return json.Marshal(d.state) }

// UnmarshalJSON implements [json.Unmarshaler].
func (d *adwin) UnmarshalJSON(text []byte) error {
	return restore(text, "ADWIN", &d.state, func(s *adwinState) error {
		for _, t := range []tally{s.All, s.Dropped, s.Cut} {
			if err := t.check(); err != nil {
				return err
			}
		}
		if s.Ticks < 0 || s.Ticks > maxCount || !finite(s.Dev) {
			return fmt.Errorf("after %d updates the deviation is %v", s.Ticks, s.Dev)
		}
		return checkBuckets(s.Rows, d.config.MaxBuckets, s.All.N)
	})
}

// checkBuckets checks that rows of buckets hold n numbers.
func checkBuckets(rows [][]bucket, most int, n int64) error {
	if len(rows) > 53 {
		return fmt.Errorf("%d rows of buckets are too many", len(rows))
	}
	held := int64(0)
	for r, row := range rows {
		if len(row) > most || len(row) == 0 && r == len(rows)-1 {
			return fmt.Errorf("row %d has %d buckets, at most %d are due", r, len(row), most)
		}
		held += int64(len(row)) << r
		for _, b := range row {
			if !(math.Abs(b.Sum) <= largestSum) || !(b.Dev >= 0) || !finite(b.Dev) {
				return fmt.Errorf("a bucket of row %d is not finite", r)
			}
		}
	}
	if held != n {
		return fmt.Errorf("the buckets hold %d numbers, %d are due", held, n)
	}
	return nil
}
