package gate

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/modelbus/modelbus/model/metric"
)

// A Prequential adds up the scores of predictions that were made before their
// label was known (Dawid 1984, "the prequential approach"): test, then train. See
// [NewPrequential].
type Prequential struct {
	fading float64
	state  prequentialState
}

// prequentialState holds sums of weights, each faded.
type prequentialState struct {
	Examples int64   `json:"examples"`
	Weight   float64 `json:"weight"`
	Right    float64 `json:"right,omitempty"`
	Loss     float64 `json:"loss,omitempty"` // log loss
	Squared  float64 `json:"squared,omitempty"`
	Absolute float64 `json:"absolute,omitempty"`
	Mean     float64 `json:"mean,omitempty"` // of the truths
	Dev      float64 `json:"dev,omitempty"`  // sum of squares about it
	Classes  bool    `json:"classes,omitempty"`
}

// NewPrequential returns an empty sum. Fading is the factor in (0, 1] by which
// what is one example older counts less (Gama, Sebastião and Rodrigues 2013, "On
// evaluating stream learning algorithms"): 1 counts all alike, 0.999 the last
// thousand or so.
func NewPrequential(fading float64) (*Prequential, error) {
	if !(fading > 0 && fading <= 1) {
		return nil, fmt.Errorf("%w: fading must be in (0, 1], got %v", ErrInvalid, fading)
	}
	return &Prequential{fading: fading}, nil
}

// AddClass takes a prediction of a class: whether it was right, and the
// probability that it gave to the true class.
func (p *Prequential) AddClass(right bool, probability float64) {
	const epsilon = 1e-7 // as in package metric
	if !(probability > epsilon) {
		probability = epsilon
	}
	s := &p.state
	p.fade()
	s.Classes = true
	s.Loss -= math.Log(min(probability, 1-epsilon))
	if right {
		s.Right++
	}
}

// AddNumber takes a prediction of a number. Errors beyond 1e60 count as that.
func (p *Prequential) AddNumber(predicted, truth float64) {
	const most = 1e60
	off := math.Abs(predicted - truth)
	if !(off <= most) {
		off = most
	}
	truth = min(max(truth, -most), most)
	s := &p.state
	p.fade()
	s.Squared += off * off
	s.Absolute += off
	d := truth - s.Mean
	s.Mean += d / s.Weight
	s.Dev += d * (truth - s.Mean)
}

func (p *Prequential) fade() {
	s := &p.state
	s.Examples++
	s.Weight = 1 + p.fading*s.Weight
	for _, x := range []*float64{&s.Right, &s.Loss, &s.Squared, &s.Absolute, &s.Dev} {
		*x *= p.fading
	}
}

// Result returns the scores by the names of package metric: accuracy and
// log_loss, or mse, mae, rmse and, where the truth is not constant, r2.
func (p *Prequential) Result() Result {
	s := &p.state
	r := Result{Rows: int(s.Examples), Values: map[string]float64{}}
	switch {
	case s.Examples == 0:
	case s.Classes:
		r.Values[metric.Accuracy] = s.Right / s.Weight
		r.Values[metric.LogLoss] = s.Loss / s.Weight
	default:
		r.Values[metric.MSE] = s.Squared / s.Weight
		r.Values[metric.RMSE] = math.Sqrt(s.Squared / s.Weight)
		r.Values[metric.MAE] = s.Absolute / s.Weight
		if s.Dev > 0 {
			r.Values[metric.R2] = max(1-s.Squared/s.Dev, -math.MaxFloat64)
		}
	}
	return r
}

// MarshalJSON implements [json.Marshaler].
func (p *Prequential) MarshalJSON() ([]byte, error) { return json.Marshal(p.state) }

// UnmarshalJSON implements [json.Unmarshaler]. The fading stays that of p.
func (p *Prequential) UnmarshalJSON(text []byte) error {
	return restore(text, "a prequential score", &p.state, func(s *prequentialState) error {
		if s.Examples < 0 || s.Examples > maxCount || s.Weight < 0 || s.Weight > float64(s.Examples) || s.Examples > 0 && s.Weight < 1 {
			return fmt.Errorf("%d examples have the weight %v", s.Examples, s.Weight)
		}
		if s.Right < 0 || s.Right > s.Weight || s.Loss < 0 || s.Squared < 0 || s.Absolute < 0 || s.Dev < 0 {
			return errors.New("a sum is negative, or there are more hits than examples")
		}
		return sums("scores", s.Loss, s.Squared, s.Absolute, s.Mean, s.Dev)
	})
}
