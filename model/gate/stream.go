package gate

import (
	"encoding/json"
	"fmt"
	"math"
)

// An Outcome is what a [Stream] knows of the challenger.
type Outcome string

// The outcomes of a stream.
const (
	Undecided Outcome = "undecided" // no difference has been proved
	Better    Outcome = "better"    // the challenger is better: promote it, or roll back to it
	Worse     Outcome = "worse"     // it is worse: it need not be scored on
)

// The tests of a stream.
const (
	// Paired bets on the difference of the two scores of the same example. What
	// both get right or wrong does not disturb it: a challenger at 0.85 beside a
	// champion at 0.80 is found after some 1,000 examples if their errors are
	// independent, after 600 if they are alike on three quarters of them.
	Paired = "paired"

	// Separate asks that the intervals of the two scores do not overlap, as Vowpal
	// Wabbit does: in the same two cases it takes 2,500 and 2,700 examples, and
	// at 0.55 beside 0.50 a third of the challengers are not found within 5,000.
	Separate = "separate"
)

// StreamOptions are the settings of a [Stream]. Zero fields mean the default.
type StreamOptions struct {
	Alpha       float64 // chance to call a challenger better that is not, in (0, 1); default 0.05
	MinExamples int     // before which nothing is decided; default 500
	Test        string  // default [Paired]

	// Margin is by how much the mean score must be better, in [0, 1): what a
	// promotion costs, or in a watch what one bears before rolling back.
	Margin float64
}

// A Stream compares a challenger with the champion on labelled examples, each
// scored by both. Its test is sequential: the chance that a challenger that is
// not better is ever called Better is at most alpha, though it is looked at after
// each example. A new challenger needs a new Stream. The zero value is of no use:
// see [NewStream].
type Stream struct {
	options              StreamOptions
	champion, challenger Sequence
	state                streamState
}

type streamState struct {
	Examples int64           `json:"examples"`
	Outcome  Outcome         `json:"outcome"`
	Decided  int64           `json:"decided"` // after which example
	Next     int64           `json:"next"`    // when the separate test looks again
	Better   wealth          `json:"better"`
	Worse    wealth          `json:"worse"`
	Means    [2]float64      `json:"means"` // sums of the scores
	Losses   float64         `json:"losses"`
	Lossy    int64           `json:"lossy"` // how many losses
	Champion json.RawMessage `json:"champion"`
	Other    json.RawMessage `json:"challenger"`
}

// NewStream returns a stream that has seen nothing.
func NewStream(o StreamOptions) (*Stream, error) {
	if o.Alpha == 0 {
		o.Alpha = defaultAlpha
	}
	if o.MinExamples == 0 {
		o.MinExamples = defaultMinExamples
	}
	if o.Test == "" {
		o.Test = Paired
	}
	switch {
	case !(o.Alpha > 0 && o.Alpha < 1):
		return nil, fmt.Errorf("%w: alpha must be in (0, 1), got %v", ErrInvalid, o.Alpha)
	case o.MinExamples < 0:
		return nil, fmt.Errorf("%w: min_examples must not be negative, got %d", ErrInvalid, o.MinExamples)
	case !(o.Margin >= 0 && o.Margin < 1):
		return nil, fmt.Errorf("%w: margin must be in [0, 1), got %v", ErrInvalid, o.Margin)
	case o.Test != Paired && o.Test != Separate:
		return nil, fmt.Errorf("%w: test must be %s or %s, got %.60q", ErrInvalid, Paired, Separate, o.Test)
	}
	s := &Stream{options: o}
	s.champion.alpha, s.challenger.alpha = o.Alpha, o.Alpha
	s.state = streamState{Outcome: Undecided, Better: newWealth(), Worse: newWealth()}
	return s, nil
}

// Add takes the scores of one example, from 0 to 1 (1 for a right class, 0 for a
// wrong one, or the probability of the true class). Once decided, the outcome
// stays.
func (s *Stream) Add(champion, challenger float64) error {
	if !(champion >= 0 && champion <= 1 && challenger >= 0 && challenger <= 1) {
		return fmt.Errorf("%w: got the scores %v and %v: numbers from 0 to 1 are due", ErrInvalid, champion, challenger)
	}
	if err := s.champion.Add(1, champion); err != nil {
		return err
	}
	if err := s.challenger.Add(1, challenger); err != nil {
		return err
	}
	st := &s.state
	st.Examples++
	st.Means[0] += champion
	st.Means[1] += challenger
	d := challenger - champion
	st.Better.add((d - s.options.Margin) / (1 + s.options.Margin))
	st.Worse.add((-d - s.options.Margin) / (1 + s.options.Margin))
	if st.Outcome == Undecided && st.Examples >= int64(s.options.MinExamples) {
		st.Outcome = s.judge()
		st.Decided = st.Examples
	}
	return nil
}

// AddLosses takes the losses of one example, 0 or more (squared or absolute
// errors), as the scores m/(m + loss), where m is the mean of the champion's
// losses before it: a loss like most gives ½, an outlier near 0, so that no single
// one decides.
func (s *Stream) AddLosses(champion, challenger float64) error {
	if !(champion >= 0 && champion <= math.MaxFloat32 && challenger >= 0 && challenger <= math.MaxFloat32) {
		return fmt.Errorf("%w: got the losses %v and %v: finite numbers of 0 or more are due", ErrInvalid, champion, challenger)
	}
	mean := 0.0
	if s.state.Lossy > 0 {
		mean = s.state.Losses / float64(s.state.Lossy)
	}
	score := func(loss float64) float64 {
		if loss == 0 {
			return 1
		}
		return mean / (mean + loss)
	}
	if err := s.Add(score(champion), score(challenger)); err != nil {
		return err
	}
	s.state.Lossy++
	s.state.Losses += champion
	return nil
}

func (s *Stream) judge() Outcome {
	st := &s.state
	if s.options.Test == Separate {
		if st.Examples < st.Next {
			return Undecided
		}
		st.Next = st.Examples + 1 + st.Examples/64 // looking less often costs little
		a, b := s.champion.Interval(), s.challenger.Interval()
		switch {
		case b.Lower > a.Upper+s.options.Margin:
			return Better
		case a.Lower > b.Upper+s.options.Margin:
			return Worse
		}
		return Undecided
	}
	switch {
	case st.Better.exceeds(1 / s.options.Alpha):
		return Better
	case st.Worse.exceeds(1 / s.options.Alpha):
		return Worse
	}
	return Undecided
}

// Outcome returns what is known. It costs nothing.
func (s *Stream) Outcome() Outcome { return s.state.Outcome }

// A Side is one of the two models of a comparison.
type Side struct {
	Mean     float64  `json:"mean"` // of the scores
	Interval Interval `json:"interval"`
}

// A Comparison is what a stream says to people.
type Comparison struct {
	Outcome    Outcome `json:"outcome"`
	Examples   int64   `json:"examples"`
	Decided    int64   `json:"decided,omitempty"` // after how many of them
	Alpha      float64 `json:"alpha"`
	Test       string  `json:"test"`
	Champion   Side    `json:"champion"`
	Challenger Side    `json:"challenger"`

	// Evidence is the logarithm, to base 10, of the odds that betting on the
	// challenger has won: 1.3 is what alpha 0.05 asks for.
	Evidence float64 `json:"evidence"`
	Reason   string  `json:"reason"`
}

// Compare returns the comparison up to now, with both intervals, each of
// confidence 1 − alpha. It takes some hundred microseconds.
func (s *Stream) Compare() Comparison {
	st := &s.state
	c := Comparison{
		Outcome: st.Outcome, Examples: st.Examples, Alpha: s.options.Alpha, Test: s.options.Test,
		Champion:   Side{Interval: s.champion.Interval()},
		Challenger: Side{Interval: s.challenger.Interval()},
		Evidence:   st.Better.log() / math.Ln10,
	}
	if st.Outcome != Undecided {
		c.Decided = st.Decided
	}
	if st.Examples > 0 {
		c.Champion.Mean = st.Means[0] / float64(st.Examples)
		c.Challenger.Mean = st.Means[1] / float64(st.Examples)
	}
	c.Reason = c.words(s.options)
	return c
}

func (c *Comparison) words(o StreamOptions) string {
	means := fmt.Sprintf("the challenger scores %.4f, the champion %.4f", c.Challenger.Mean, c.Champion.Mean)
	switch {
	case c.Outcome != Undecided:
		return fmt.Sprintf("%s: the challenger was proved %s at alpha %v after %d examples", means, c.Outcome, o.Alpha, c.Decided)
	case c.Examples < int64(o.MinExamples):
		return fmt.Sprintf("%d examples have been seen, at least %d are due", c.Examples, o.MinExamples)
	}
	return fmt.Sprintf("%s after %d examples: the difference is within chance at alpha %v", means, c.Examples, o.Alpha)
}

// MarshalJSON implements [json.Marshaler].
func (s *Stream) MarshalJSON() ([]byte, error) {
	st := s.state
	var err error
	if st.Champion, err = s.champion.MarshalJSON(); err != nil {
		return nil, err
	}
	if st.Other, err = s.challenger.MarshalJSON(); err != nil {
		return nil, err
	}
	return json.Marshal(st)
}

// UnmarshalJSON implements [json.Unmarshaler]. The options stay those of s.
func (s *Stream) UnmarshalJSON(text []byte) error {
	a, b := s.champion, s.challenger
	err := restore(text, "a stream gate", &s.state, func(st *streamState) error {
		if err := st.check(); err != nil {
			return err
		}
		if err := json.Unmarshal(st.Champion, &a); err != nil {
			return err
		}
		if err := json.Unmarshal(st.Other, &b); err != nil {
			return err
		}
		if a.Count() != st.Examples || b.Count() != st.Examples {
			return fmt.Errorf("%d and %d scores of %d examples", a.Count(), b.Count(), st.Examples)
		}
		st.Champion, st.Other = nil, nil
		return nil
	})
	if err == nil {
		s.champion, s.challenger = a, b
	}
	return err
}

func (st *streamState) check() error {
	if st.Outcome != Undecided && st.Outcome != Better && st.Outcome != Worse {
		return fmt.Errorf("the outcome is %.60q", string(st.Outcome))
	}
	for _, n := range []int64{st.Examples, st.Decided, st.Next, st.Lossy} {
		if n < 0 || n > maxCount {
			return fmt.Errorf("a count is %d", n)
		}
	}
	for _, w := range []*wealth{&st.Better, &st.Worse} {
		if err := w.check(); err != nil {
			return err
		}
	}
	return sums("scores", st.Means[0], st.Means[1], st.Losses)
}
