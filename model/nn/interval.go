package nn

import (
	"math"
	"strconv"
)

// An interval is a range of numbers; Open ends are not part of it.
type interval struct {
	min, max         float64
	minOpen, maxOpen bool
}

func anyNumber() interval   { return interval{min: -math.MaxFloat64, max: math.MaxFloat64} }
func nonNegative() interval { return interval{min: 0, max: math.MaxFloat64} }
func positive() interval    { return interval{min: 0, max: math.MaxFloat64, minOpen: true} }

// fraction is [0, 1), openFraction is (0, 1), closedFraction is [0, 1].
func fraction() interval       { return interval{min: 0, max: 1, maxOpen: true} }
func openFraction() interval   { return interval{min: 0, max: 1, minOpen: true, maxOpen: true} }
func closedFraction() interval { return interval{min: 0, max: 1} }

// contains reports whether f is in r. NaN and infinities never are.
func (r interval) contains(f float64) bool {
	if r.minOpen && f == r.min || r.maxOpen && f == r.max {
		return false
	}
	return f >= r.min && f <= r.max
}

// String returns r as mathematics writes it.
func (r interval) String() string {
	lo, hi := "["+strconv.FormatFloat(r.min, 'g', -1, 64), strconv.FormatFloat(r.max, 'g', -1, 64)+"]"
	if r.min == -math.MaxFloat64 {
		lo = "(-∞"
	} else if r.minOpen {
		lo = "(" + lo[1:]
	}
	if r.max == math.MaxFloat64 {
		hi = "∞)"
	} else if r.maxOpen {
		hi = hi[:len(hi)-1] + ")"
	}
	return lo + ", " + hi
}
