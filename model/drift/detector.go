package drift

import (
	"encoding/json"
	"fmt"
	"math"
)

// A Status is what a detector says after an update.
type Status uint8

// What a detector can say.
const (
	Stable  Status = iota // nothing has changed, or too little is known
	Warning               // something may be about to change
	Drift                 // it has changed
)

// String returns "stable", "warning" or "drift".
func (s Status) String() string {
	switch s {
	case Stable:
		return "stable"
	case Warning:
		return "warning"
	case Drift:
		return "drift"
	}
	return fmt.Sprintf("status %d", uint8(s))
}

// A Detector watches a stream of numbers for change. It belongs to one goroutine
// at a time and needs bounded memory, however long the stream is.
type Detector interface {
	// Update takes the next number. The update after a Drift begins afresh with
	// the numbers that its method keeps. NaN, infinities and numbers beyond ±1e100,
	// whose squares could not be summed, are passed over: they change nothing and
	// return Stable.
	Update(x float64) Status

	// Estimate returns where the latest change is supposed, and how large it is.
	Estimate() Estimate

	// Reset forgets everything.
	Reset()

	json.Marshaler
	json.Unmarshaler // of the same method; on an error the detector is as it was
}

// An Estimate places a change in a stream.
type Estimate struct {
	Rows   int64   `json:"rows"`   // how many of the newest updates are after the change; all, if none is suspected
	Mean   float64 `json:"mean"`   // of those
	Before float64 `json:"before"` // the mean before them; Mean, if there is no before
}

// The largest number that detectors take, and the largest sum of such.
const (
	largest    = 1e100
	largestSum = largest * maxCount
)

func usable(x float64) bool { return math.Abs(x) <= largest }

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// A tally is a count of numbers and their sum.
type tally struct {
	N   int64   `json:"n"`
	Sum float64 `json:"sum"`
}

func (t tally) plus(x float64) tally { return tally{t.N + 1, t.Sum + x} }

func (t tally) mean() float64 {
	if t.N == 0 {
		return 0
	}
	return t.Sum / float64(t.N)
}

func (t tally) minus(o tally) tally { return tally{t.N - o.N, t.Sum - o.Sum} }

// check reports whether the tally could be that of a stream.
func (t tally) check() error {
	if t.N < 0 || t.N > maxCount || !(math.Abs(t.Sum) <= largestSum) {
		return fmt.Errorf("a sum of %v over %d numbers is none", t.Sum, t.N)
	}
	return nil
}

// maxCount bounds the counts of a restored state so that they cannot overflow.
const maxCount = 1 << 53

// estimateAt returns the estimate for a change after the first numbers of all.
func estimateAt(all, before tally) Estimate {
	after := all.minus(before)
	if before.N == 0 || after.N == 0 {
		return Estimate{Rows: all.N, Mean: all.mean(), Before: all.mean()}
	}
	return Estimate{Rows: after.N, Mean: after.mean(), Before: before.mean()}
}
