package gate

import (
	"encoding/json"
	"fmt"
	"math"
)

// The names of the baselines.
const (
	Majority = "majority"  // always the class that was the most frequent up to then
	Mean     = "mean"      // always the mean of the labels up to then
	NoChange = "no_change" // always the last label
)

// mostClasses bounds the classes of a [Baseline].
const mostClasses = 1 << 20

// A Baseline is what guesses without a model score on a stream of labels, or on
// held-out rows in their order: a model below them has learned nothing. The first
// label is not scored. See [NewBaseline].
type Baseline struct {
	fading float64
	state  baselineState
}

type baselineState struct {
	Labels   int64       `json:"labels"`
	Counts   []int64     `json:"counts,omitempty"`   // by class; nil of numbers
	Majority int         `json:"majority,omitempty"` // the first of the most frequent classes
	Mean     float64     `json:"mean,omitempty"`
	Last     float64     `json:"last,omitempty"` // a number or the index of a class
	Central  Prequential `json:"central"`        // the majority or the mean
	NoChange Prequential `json:"no_change"`
}

// NewBaseline returns the baselines of labels of the given number of classes, 0
// for numbers. Fading is that of [NewPrequential], of the scores; the guesses
// themselves are of all labels.
func NewBaseline(classes int, fading float64) (*Baseline, error) {
	p, err := NewPrequential(fading)
	if err != nil {
		return nil, err
	}
	if classes < 0 || classes > mostClasses {
		return nil, fmt.Errorf("%w: a baseline is of 0 to %d classes, got %d", ErrInvalid, mostClasses, classes)
	}
	b := &Baseline{fading: fading, state: baselineState{Central: *p, NoChange: *p}}
	if classes > 0 {
		b.state.Counts = make([]int64, classes)
	}
	return b, nil
}

// Grow makes room for labels of more classes, up to 1,048,576. Fewer than there are,
// and those of numbers, change nothing.
func (b *Baseline) Grow(classes int) {
	s := &b.state
	if s.Counts != nil && classes > len(s.Counts) && classes <= mostClasses {
		s.Counts = append(s.Counts, make([]int64, classes-len(s.Counts))...)
	}
}

// AddClass takes the next label, the index of a class. One that is none is passed
// over: no guess could be right.
func (b *Baseline) AddClass(class int) {
	s := &b.state
	if class < 0 || class >= len(s.Counts) {
		return
	}
	if s.Labels > 0 {
		// The frequencies, each class once more than it was seen, are the
		// probabilities of the majority's guess.
		p := float64(s.Counts[class]+1) / float64(s.Labels+int64(len(s.Counts)))
		s.Central.AddClass(class == s.Majority, p)
		same := class == int(s.Last)
		p = 0
		if same {
			p = 1
		}
		s.NoChange.AddClass(same, p)
	}
	s.Labels++
	s.Counts[class]++
	if n, most := s.Counts[class], s.Counts[s.Majority]; n > most || n == most && class < s.Majority {
		s.Majority = class
	}
	s.Last = float64(class)
}

// AddNumber takes the next label, a number. What is not finite is passed over.
func (b *Baseline) AddNumber(label float64) {
	const most = 1e60
	s := &b.state
	if math.IsNaN(label) || math.IsInf(label, 0) || s.Counts != nil {
		return
	}
	label = min(max(label, -most), most)
	if s.Labels > 0 {
		s.Central.AddNumber(s.Mean, label)
		s.NoChange.AddNumber(s.Last, label)
	}
	s.Labels++
	s.Mean += (label - s.Mean) / float64(s.Labels)
	s.Last = label
}

// Results returns the scores of [Majority] or [Mean], and of [NoChange].
func (b *Baseline) Results() map[string]Result {
	central := Mean
	if b.state.Counts != nil {
		central = Majority
	}
	return map[string]Result{central: b.state.Central.Result(), NoChange: b.state.NoChange.Result()}
}

// MarshalJSON implements [json.Marshaler].
func (b *Baseline) MarshalJSON() ([]byte, error) { return json.Marshal(&b.state) }

// UnmarshalJSON implements [json.Unmarshaler] for a baseline of as many classes.
func (b *Baseline) UnmarshalJSON(text []byte) error {
	return restore(text, "a baseline", &b.state, func(s *baselineState) error {
		s.Central.fading, s.NoChange.fading = b.fading, b.fading
		n := int64(0)
		for _, c := range s.Counts {
			if c < 0 || c > maxCount {
				return fmt.Errorf("a class is counted %d times", c)
			}
			n += c
		}
		switch {
		case len(s.Counts) != len(b.state.Counts) || s.Counts != nil && n != s.Labels || s.Labels < 0 || s.Labels > maxCount:
			return fmt.Errorf("%d labels of %d classes, %d classes are due", s.Labels, len(s.Counts), len(b.state.Counts))
		case s.Majority < 0 || s.Majority > max(0, len(s.Counts)-1):
			return fmt.Errorf("the majority is class %d", s.Majority)
		case math.Abs(s.Mean) > 1e60 || math.Abs(s.Last) > 1e60:
			return fmt.Errorf("the mean is %v, the last label %v", s.Mean, s.Last)
		}
		return nil
	})
}
