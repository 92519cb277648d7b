package gate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// An Interval is where a mean score lies with the confidence asked for.
type Interval struct {
	Lower float64 `json:"lower"`
	Upper float64 `json:"upper"`
}

// A Sequence bounds the mean of a stream of scores in [0, 1] at all times at
// once: the chance that the mean is ever outside the interval given is at most
// alpha, however often one looks and whenever one stops.
//
// It is the robust confidence sequence of Mineiro (2022, "A lower confidence
// sequence for the changing mean of non-negative right heavy-tailed observations
// with bounded mean") with the constants of Vowpal Wabbit's champion-challenger
// selection: one betting lower bound for the scores and one for 1 − score, alpha/2
// each. Scores may carry importance weights of mean 1. The zero value is of no
// use: see [NewSequence].
type Sequence struct {
	alpha float64
	state sequenceState
}

type sequenceState struct {
	Score wagers `json:"score"` // on weight·score
	Rest  wagers `json:"rest"`  // on weight·(1 − score)
}

// NewSequence returns a sequence that has seen nothing; alpha is in (0, 1).
func NewSequence(alpha float64) (*Sequence, error) {
	if !(alpha > 0 && alpha < 1) {
		return nil, fmt.Errorf("%w: alpha must be in (0, 1), got %v", ErrInvalid, alpha)
	}
	return &Sequence{alpha: alpha}, nil
}

// maxWeight bounds importance weights: the histogram of large weights has then at
// most 69 bins.
const maxWeight = 1e12

// Add takes a score in [0, 1] of the given importance weight, 1 where every
// example is labelled.
func (s *Sequence) Add(weight, score float64) error {
	switch {
	case !(weight >= 0 && weight <= maxWeight):
		return fmt.Errorf("%w: got weight %v: a number from 0 to %v is due", ErrInvalid, weight, maxWeight)
	case !(score >= 0 && score <= 1):
		return fmt.Errorf("%w: got score %v: a number from 0 to 1 is due", ErrInvalid, score)
	}
	s.state.Score.add(weight * score)
	s.state.Rest.add(weight * (1 - score))
	return nil
}

// Count returns how many scores there were.
func (s *Sequence) Count() int64 { return s.state.Score.N }

// Interval returns the bounds, [0, 1] at first. It takes tens of microseconds.
func (s *Sequence) Interval() Interval {
	threshold := math.Log(2 / s.alpha)
	return Interval{s.state.Score.lower(threshold), 1 - s.state.Rest.lower(threshold)}
}

// MarshalJSON implements [json.Marshaler].
func (s *Sequence) MarshalJSON() ([]byte, error) { return json.Marshal(s.state) }

// UnmarshalJSON implements [json.Unmarshaler]. The alpha stays that of s.
func (s *Sequence) UnmarshalJSON(text []byte) error {
	return restore(text, "a confidence sequence", &s.state, func(st *sequenceState) error {
		if err := st.Score.check(); err != nil {
			return err
		}
		return st.Rest.check()
	})
}

// The constants of Vowpal Wabbit's sequence. Bets are a countable mixture: the
// j-th stakes steepest·ratio^−(j+½) and has the prior weight
// (ratio − 1)·ratio^−(j+1), times scale.
const (
	steepest = 0.5
	ratio    = 1.6
	binRatio = 1.5 // of the histogram of errors above 1

	// scale is ½·(1 + Li₂(η)/(η·ζ(2))) with η = 0.95.
	scale = 0.5 * (1 + 1.4406337969700393/(0.95*1.6449340668482264))
)

// wagers is a bet against the mean of non-negative numbers being as low as
// supposed: what it has to remember of them.
type wagers struct {
	N    int64   `json:"n"`
	Sum  float64 `json:"sum"`
	Low  float64 `json:"low"` // squared errors of predictions that were too high
	Mid  float64 `json:"mid"` // too low, by at most 1
	High []bin   `json:"high,omitempty"`
}

// A bin holds the errors near binRatio^Power: how many, and the correction for
// their being between two powers.
type bin struct {
	Power int     `json:"power"`
	Count float64 `json:"count"`
	Curve float64 `json:"curve"`
}

func (w *wagers) add(x float64) {
	guess := min(1, (w.Sum+0.5)/float64(w.N+1))
	switch off := x - guess; {
	case off <= 0:
		w.Low += off * off
	case off <= 1:
		w.Mid += off * off
	default:
		w.addHigh(off)
	}
	w.N++
	w.Sum += x
}

// addHigh shares an error above 1 between the powers around it.
func (w *wagers) addHigh(x float64) {
	power := int(math.Floor(math.Log(x) / math.Log(binRatio)))
	base := math.Pow(binRatio, float64(power))
	near := (binRatio*base - x) / ((binRatio - 1) * base)
	b := w.bin(power)
	b.Count += near
	b.Curve -= near * (1 - near) / 2
	w.bin(power + 1).Count += 1 - near
}

func (w *wagers) bin(power int) *bin {
	i, found := slices.BinarySearchFunc(w.High, power, func(b bin, p int) int { return cmp.Compare(b.Power, p) })
	if !found {
		w.High = slices.Insert(w.High, i, bin{Power: power})
	}
	return &w.High[i]
}

// cost is what a bet of the stake must pay for the errors.
func (w *wagers) cost(stake float64) float64 {
	sum := 0.5 * stake * stake * (w.Low/(1-stake) + w.Mid)
	for _, b := range w.High {
		x := stake * math.Pow(binRatio, float64(b.Power))
		steep := (binRatio - 1) * x / (1 + binRatio*x)
		sum += b.Count*(x-math.Log1p(x)) + b.Curve*steep*steep
	}
	return sum
}

// A bet is one of the mixture: what it has won when the mean is m is, as a
// logarithm, prior + stake·(sum − n·m) − cost.
type bet struct{ stake, fixed float64 }

// lower returns the least mean in [0, 1] at which the bets have not won
// exp(threshold).
func (w *wagers) lower(threshold float64) float64 {
	if w.N == 0 {
		return 0
	}
	// Bets whose stake is far below 1/n can win nothing; the prior weight of
	// those left out is below 1e-8, and leaving them out can only widen.
	most := 40 + int(math.Ceil(math.Log(float64(w.N)+1)/math.Log(ratio)))
	bets := make([]bet, most)
	for j := range bets {
		stake := steepest * math.Pow(ratio, -(float64(j)+0.5))
		prior := math.Log(scale*(ratio-1)) - float64(j+1)*math.Log(ratio)
		bets[j] = bet{stake, prior - w.cost(stake)}
	}
	won := func(mean float64) bool {
		gain := w.Sum - float64(w.N)*mean
		sum := 0.0
		for _, b := range bets {
			sum += math.Exp(min(b.fixed+b.stake*gain-threshold, 1))
			if sum >= 1 {
				return true
			}
		}
		return false
	}
	lo, hi := 0.0, 1.0
	switch {
	case !won(lo):
		return lo
	case won(hi):
		return hi
	}
	for hi-lo > 1e-9 {
		if mid := (lo + hi) / 2; won(mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

func (w *wagers) check() error {
	if w.N < 0 || w.N > maxCount || w.Sum < 0 || w.Low < 0 || w.Mid < 0 || len(w.High) > 100 {
		return fmt.Errorf("%d numbers with the sum %v and %d bins are none", w.N, w.Sum, len(w.High))
	}
	for i, b := range w.High {
		if b.Power < 0 || b.Power > 100 || i > 0 && b.Power <= w.High[i-1].Power {
			return fmt.Errorf("bin %d is of power %d", i, b.Power)
		}
		if err := sums("a bin", b.Count, b.Curve); err != nil {
			return err
		}
	}
	return sums("scores", w.Sum, w.Low, w.Mid)
}
