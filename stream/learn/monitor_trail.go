package learn

import (
	"slices"
	"time"
)

// mostMarks bounds the marks of a trail.
const mostMarks = 192

// A trail knows where in the stream the errors are from that a detector was shown, the newer
// the more exactly: to within an eighth of how many were shown since. It has a bounded
// number of marks, which grows with the logarithm of the number of errors.
type trail struct {
	Updates int64       `json:"updates,omitempty"` // errors shown
	Marks   []trailMark `json:"marks,omitempty"`   // oldest first
}

// A trailMark is where the errors from one on are from, up to the next mark.
type trailMark struct {
	Update int64  `json:"n"`
	Seq    uint64 `json:"seq"`
	Time   int64  `json:"ms"` // when the message was stored
}

// note notes that the next error is of the message seq.
func (t *trail) note(seq uint64, at time.Time) {
	if n := len(t.Marks); n == 0 || t.Marks[n-1].Seq != seq {
		t.Marks = append(t.Marks, trailMark{Update: t.Updates, Seq: seq, Time: at.UnixMilli()})
	}
	t.Updates++
	if len(t.Marks) > mostMarks {
		t.thin()
	}
}

// thin drops marks whose neighbours are near enough to each other.
func (t *trail) thin() {
	kept := t.Marks[:1]
	for i := 1; i < len(t.Marks)-1; i++ {
		next := t.Marks[i+1].Update
		if next-kept[len(kept)-1].Update > (t.Updates-next)/8 {
			kept = append(kept, t.Marks[i])
		}
	}
	t.Marks = append(kept, t.Marks[len(t.Marks)-1])
}

// back returns the message of the error that so many were shown since, itself included, or one
// a little earlier; ok is false if that is not known.
func (t *trail) back(rows int64) (seq uint64, at time.Time, ok bool) {
	for _, m := range slices.Backward(t.Marks) {
		if m.Update <= t.Updates-rows {
			return m.Seq, time.UnixMilli(m.Time).UTC(), true
		}
	}
	return 0, time.Time{}, false
}
