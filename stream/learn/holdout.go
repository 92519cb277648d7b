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

// A holdout says which rows are held out, if their places decide.
type holdout struct {
	share  float64 // [0, 1)
	newest bool

	trained, kept int // rows so far
}

func holdoutOf(spec *model.Spec) holdout {
	h := holdout{share: defaultHoldout, newest: spec.Training.HoldoutBy == holdoutNewest}
	if spec.Training.Holdout != nil {
		h.share = *spec.Training.Holdout
	}
	return h
}

// holds reports whether a row is held out. It is asked of each row, in order.
//
// By hash, the place alone decides, so that a row held out once is held out by
// every later training. The fifth row is held out, too, if none before it was:
// small sets have something to compare on, and as long as the stream begins with
// the same rows the answer stays the same.
func (h *holdout) holds(at spot) bool {
	held := !h.newest && heldOut(at.seq, at.row, h.share)
	if !h.newest && h.share > 0 && h.kept == 0 && h.trained == holdoutFrom-1 {
		held = true
	}
	if held {
		h.kept++
	} else {
		h.trained++
	}
	return held
}

// A split sends each row to the training rows or to the held-out ones.
type split struct {
	holdout

	window int // the newest rows that count, 0 for all

	train, held *feature.Frame
	begin       spot    // of the first row of what finish returned
	order       []where // with a window: the rows in order
}

// where is where a row was, and where it went.
type where struct {
	spot

	held bool
}

func newSplit(spec *model.Spec) *split {
	s := &split{
		holdout: holdoutOf(spec),
		train:   feature.NewFrame(&spec.Schema, true),
		held:    feature.NewFrame(&spec.Schema, true),
	}
	if spec.Retrain != nil {
		s.window = spec.Retrain.Window.Examples
	}
	return s
}

// add takes row number row of the message at sequence seq.
func (s *split) add(seq uint64, row int, r feature.Row) error {
	at, before := spot{seq, row}, s.holdout
	held := s.holds(at)
	to := s.train
	if held {
		to = s.held
	}
	if err := to.Append(r); err != nil {
		s.holdout = before
		return err
	}
	if s.rows() == 1 {
		s.begin = at
	}
	if s.window > 0 {
		s.order = append(s.order, where{at, held})
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
		s.begin = s.order[past].spot
		kept := 0
		for _, row := range s.order[past:] {
			if row.held {
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
