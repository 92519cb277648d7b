package learn

import (
	"math"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
)

const (
	defaultHoldout = 0.2
	holdoutNewest  = "newest"

	// holdoutFrom is the number of rows from which at least one is held out.
	holdoutFrom = 5
)

// A split sends each row to the training rows or to the held-out ones.
type split struct {
	share  float64 // [0, 1)
	newest bool
	window int // the newest rows that count, 0 for all

	train, held *feature.Frame
	order       []bool // with a window: whether each row, in order, is a held-out one
}

func newSplit(spec *model.Spec) *split {
	t := &spec.Training
	s := &split{
		share:  defaultHoldout,
		newest: t.HoldoutBy == holdoutNewest,
		train:  feature.NewFrame(&spec.Schema, true),
		held:   feature.NewFrame(&spec.Schema, true),
	}
	if spec.Retrain != nil {
		s.window = spec.Retrain.Window.Examples
	}
	if t.Holdout != nil {
		s.share = *t.Holdout
	}
	return s
}

// add takes row number row of the message at sequence seq.
//
// By hash, the place alone decides, so that a row held out once is held out by
// every later training. The fifth row is held out, too, if none before it was:
// small sets have something to compare on, and as long as the stream begins with
// the same rows the answer stays the same.
func (s *split) add(seq uint64, row int, r feature.Row) error {
	held := !s.newest && heldOut(seq, row, s.share)
	if !s.newest && s.share > 0 && s.held.Len() == 0 && s.train.Len() == holdoutFrom-1 {
		held = true
	}
	to := s.train
	if held {
		to = s.held
	}
	if err := to.Append(r); err != nil {
		return err
	}
	if s.window > 0 {
		s.order = append(s.order, held)
	}
	return nil
}

// rows returns how many rows were taken.
func (s *split) rows() int { return s.train.Len() + s.held.Len() }

// finish returns both parts, of the window alone. By "newest" it is now that the last
// rows become the held-out ones.
func (s *split) finish() (train, held *feature.Frame) {
	train, held = s.train, s.held
	if past := len(s.order) - s.window; s.window > 0 && past > 0 {
		kept := 0
		for _, isHeld := range s.order[past:] {
			if isHeld {
				kept++
			}
		}
		train = train.Range(train.Len()-(s.window-kept), train.Len())
		held = held.Range(held.Len()-kept, held.Len())
		if n := train.Len(); kept == 0 && !s.newest && s.share > 0 && n >= holdoutFrom {
			train, held = train.Range(0, n-1), train.Range(n-1, n) // small windows have one, too
		}
	}
	if !s.newest {
		return train, held
	}
	n := train.Len()
	k := int(math.Round(s.share * float64(n)))
	if k == 0 && s.share > 0 && n >= holdoutFrom {
		k = 1
	}
	return train.Range(0, n-k), train.Range(n-k, n)
}

// heldOut reports whether a row's place in the stream hashes into the share.
func heldOut(seq uint64, row int, share float64) bool {
	// 53 bits, as many as a float64 holds exactly.
	return float64(placeHash(seq, row)>>11)*0x1p-53 < share
}

// placeHash hashes a row's place in the stream. It never changes: which rows are
// held out depends on it. The mixing is the finalizer of SplitMix64 (Steele, Lea,
// Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, figure 14),
// once for each word.
func placeHash(seq uint64, row int) uint64 {
	const gamma = 0x9e3779b97f4a7c15
	return mix64(mix64(seq+gamma) + uint64(row)*gamma)
}

func mix64(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
