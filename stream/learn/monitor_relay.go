package learn

import (
	"encoding/json"
	"errors"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/drift"
)

// relayExamples is for how many examples a detector goes on beside the one of the next
// version: by then that one knows enough of its own. Of changes by 5 points that came within
// 1,000 examples of a version, half as many left some unnoticed.
const relayExamples = 2000

// A relay is a detector of the errors of versions that follow one another. The detector
// of one goes on for a while beside that of the next, which begins anew: so a change
// soon after the next version came is noticed, and small differences between versions
// do not add up to one.
type relay struct {
	now, before drift.Detector
	left        int64          // examples that before goes on for
	told        drift.Detector // of the two, who said what the last update returned
}

var _ drift.Detector = (*relay)(nil)

func newRelay(d model.Detector) (*relay, error) {
	now, err := d.New()
	if err != nil {
		return nil, err
	}
	before, err := d.New()
	if err != nil {
		return nil, err
	}
	return &relay{now: now, before: before, told: now}, nil
}

// hand begins a detector for the next version.
func (r *relay) hand() {
	if r.left == 0 { // else the newer one knows too little to go on
		r.now, r.before = r.before, r.now
	}
	r.now.Reset()
	r.told, r.left = r.now, relayExamples
}

// Update implements [drift.Detector].
func (r *relay) Update(x float64) drift.Status {
	s := r.now.Update(x)
	r.told = r.now
	if r.left == 0 {
		return s
	}
	r.left--
	t := r.before.Update(x)
	if t <= s {
		return s
	}
	if e := r.before.Estimate(); t == drift.Drift && !(e.Mean > e.Before) {
		r.before.Reset() // the next version is better: that is no drift
		r.left = 0
		return s
	}
	r.told = r.before
	return t
}

// Estimate implements [drift.Detector].
func (r *relay) Estimate() drift.Estimate { return r.told.Estimate() }

// Reset implements [drift.Detector].
func (r *relay) Reset() {
	r.now.Reset()
	r.before.Reset()
	r.told, r.left = r.now, 0
}

// storedRelay is a relay as it is stored; one with one detector alone is stored as that.
type storedRelay struct {
	Now    json.RawMessage `json:"relay_now"`
	Before json.RawMessage `json:"relay_before"`
	Left   int64           `json:"relay_left"`
}

// MarshalJSON implements [json.Marshaler].
func (r *relay) MarshalJSON() ([]byte, error) {
	now, err := r.now.MarshalJSON()
	if err != nil || r.left == 0 {
		return now, err
	}
	before, err := r.before.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return json.Marshal(storedRelay{Now: now, Before: before, Left: r.left})
}

// UnmarshalJSON implements [json.Unmarshaler].
func (r *relay) UnmarshalJSON(text []byte) error {
	var s storedRelay
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	if s.Now == nil {
		if err := r.now.UnmarshalJSON(text); err != nil {
			return err
		}
		r.told, r.left = r.now, 0
		return nil
	}
	if s.Left <= 0 || s.Left > relayExamples {
		return errors.New("a detector goes on for a number of examples that cannot be")
	}
	old, err := r.now.MarshalJSON()
	if err != nil {
		return err
	}
	if err := r.now.UnmarshalJSON(s.Now); err != nil {
		return err
	}
	if err := r.before.UnmarshalJSON(s.Before); err != nil {
		return errors.Join(err, r.now.UnmarshalJSON(old))
	}
	r.told, r.left = r.now, s.Left
	return nil
}
