package model

import (
	"cmp"
	"encoding/json"
	"math"
)

// A Replay has a model learn examples again, against forgetting (Robins, Catastrophic
// forgetting, rehearsal and pseudorehearsal, 1995). Online it is a memory of the most recent
// ones, each step being followed by steps on rows of it. Of mode window it is a share of
// those older than the window.
type Replay struct {
	Rows    int `json:"rows"`              // online: newest examples remembered; 0 is no replay; default 200
	Batches int `json:"batches,omitempty"` // online: steps on remembered examples after each step; default 2
	Size    int `json:"size,omitempty"`    // online: examples of each of them, drawn from the seed; default 8

	// Share is how many older examples a training of mode window has for each one of
	// its window that is trained on, from 0, which is no replay, to 1. They are drawn from
	// the seed, each with the same chance, from those that the stream still keeps, other
	// than held-out ones and those from before a noticed change.
	Share float64 `json:"share,omitempty"`
}

const (
	// maxReplay bounds the rows of a replay, which each version carries along.
	maxReplay = 10_000

	// maxOnlineBatch and maxReplayBatches bound what a learner holds until a batch is
	// full, the memory of one step, and how many steps an example takes.
	maxOnlineBatch   = 10_000
	maxReplayBatches = 1_000
)

// Remember returns the replay of an online model with its defaults filled in.
func (r *Retrain) Remember() Replay {
	if r.Replay == nil {
		return Replay{Rows: 200, Batches: 2, Size: 8}
	}
	out := *r.Replay
	out.Batches, out.Size = cmp.Or(out.Batches, 2), cmp.Or(out.Size, 8)
	return out
}

// Older returns how many older examples a training of mode window has beside so many rows
// that it is trained on.
func (r *Retrain) Older(rows int) int {
	if r == nil || r.Online() || r.Replay == nil {
		return 0
	}
	return int(math.Round(r.Replay.Share * float64(rows)))
}

// MarshalJSON implements json.Marshaler.
func (p Replay) MarshalJSON() ([]byte, error) {
	if p.Share != 0 && p.Rows == 0 {
		return json.Marshal(map[string]float64{"share": p.Share})
	}
	type plain Replay
	return json.Marshal(plain(p))
}

// replayFaults names what is wrong with the replay for the spec's mode.
func (s *Spec) replayFaults() []*fault {
	r := s.Retrain
	p := r.Replay
	if p == nil {
		return nil
	}
	var faults []*fault
	check := func(key string, value, most int) {
		switch {
		case !r.Online() && value != 0:
			faults = append(faults, faultf("retrain.replay."+key,
				"replay.%s is for mode online alone; of mode window replay is a share of older examples, such as {share: 0.1}", key))
		case value < 0 || value > most:
			faults = append(faults, faultf("retrain.replay."+key, "replay.%s must be a whole number from 0 to %d, got %d", key, most, value))
		}
	}
	check("rows", p.Rows, maxReplay)
	check("batches", p.Batches, maxReplayBatches)
	check("size", p.Size, maxOnlineBatch)
	switch {
	case r.Online() && p.Share != 0:
		faults = append(faults, faultf("retrain.replay.share",
			"replay.share is for mode window alone; online replay remembers recent examples, such as {rows: 200, batches: 2, size: 8}"))
	case r.Online() && p.Rows == 0 && (p.Batches > 0 || p.Size > 0):
		faults = append(faults, faultf("retrain.replay", "replay needs to know how many rows to remember: set rows, such as 200"))
	case !(p.Share >= 0 && p.Share <= 1): // NaN, too
		faults = append(faults, faultf("retrain.replay.share", "replay.share must be a number from 0 to 1, got %v", p.Share))
	case p.Share > 0 && r.Window == (Amount{}) && !r.Warm && !s.Training.Warm:
		faults = append(faults, faultf("retrain.replay.share",
			"replay.share is of examples older than the window, which holds all of them: set window, such as 50000, or warm"))
	}
	return faults
}
