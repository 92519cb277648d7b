package learn

import (
	"math"
	"slices"
	"testing"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
)

func oneNumber() *feature.Schema {
	return &feature.Schema{
		Features: []feature.Feature{{Name: "x", Type: feature.Number}},
		Label:    feature.Label{Name: "y", Type: feature.Number},
	}
}

func number(x float64) feature.Row {
	v := feature.Value{Kind: feature.KindNumber, Num: x}
	return feature.Row{Values: []feature.Value{v}, Label: v, Weight: 1}
}

func values(f *feature.Frame) []float64 {
	var xs []float64
	for i := range f.Len() {
		xs = append(xs, f.Row(i).Values[0].Num)
	}
	return xs
}

// The first output of SplitMix64 with seed 0, as its reference implementation gives it.
func TestMix64(t *testing.T) {
	t.Parallel()
	if got, want := mix64(0x9e3779b97f4a7c15), uint64(0xe220a8397b1dcdaf); got != want {
		t.Errorf("mix64(gamma) = %#x, want %#x", got, want)
	}
}

// The hash decides for good which rows no version is trained on: these numbers must
// never change.
func TestPlaceHashIsFrozen(t *testing.T) {
	t.Parallel()
	tests := []struct {
		seq  uint64
		row  int
		want uint64
	}{
		{seq: 0, row: 0, want: 0x48218226ff3cd4bf},
		{seq: 1, row: 0, want: 0xdce423fc82c0d5b8},
		{seq: 1, row: 1, want: 0x5e41ab087439611e},
		{seq: math.MaxUint64, row: 7, want: 0xdec5741011329d07},
	}
	for _, tt := range tests {
		if got := placeHash(tt.seq, tt.row); got != tt.want {
			t.Errorf("placeHash(%d, %d) = %#x, want %#x", tt.seq, tt.row, got, tt.want)
		}
	}
}

func TestHeldOutShare(t *testing.T) {
	t.Parallel()
	const n = 20_000
	for _, share := range []float64{0, 0.05, 0.2, 0.5} {
		for _, batch := range []int{1, 100} { // rows of a message
			held := 0
			for i := range n {
				if heldOut(uint64(1+i/batch), i%batch, share) {
					held++
				}
			}
			// 5 standard deviations of a binomial count.
			within := 5 * math.Sqrt(n*share*(1-share))
			if got, want := float64(held), n*share; math.Abs(got-want) > within {
				t.Errorf("share %v, batches of %d: %v of %d rows held out, want %v ± %.0f", share, batch, got, n, want, within)
			}
		}
	}
}

func TestHeldOutGrowsWithShare(t *testing.T) {
	t.Parallel()
	for seq := range uint64(1000) {
		if heldOut(seq, 0, 0.1) && !heldOut(seq, 0, 0.3) {
			t.Fatalf("message %d is held out of 0.1 but not of 0.3", seq)
		}
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	share := func(x float64) *float64 { return &x }
	tests := []struct {
		name     string
		training model.Training
		rows     int
		train    int // rows; -1: any
		held     int
		atLeast  bool // held is a lower bound
	}{
		{name: "nothing asked for", rows: 0, train: 0, held: 0},
		{name: "no holdout", training: model.Training{Holdout: share(0)}, rows: 100, train: 100, held: 0},
		{name: "a small set has one", training: model.Training{Holdout: share(1e-9)}, rows: 5, train: 4, held: 1},
		{name: "and keeps it", training: model.Training{Holdout: share(1e-9)}, rows: 500, train: 499, held: 1},
		{name: "a tiny one has none", training: model.Training{Holdout: share(1e-9)}, rows: 4, train: 4, held: 0},
		{name: "newest", training: model.Training{Holdout: share(0.25), HoldoutBy: "newest"}, rows: 100, train: 75, held: 25},
		{name: "newest, small", training: model.Training{Holdout: share(0.01), HoldoutBy: "newest"}, rows: 5, train: 4, held: 1},
		{name: "newest, tiny", training: model.Training{Holdout: share(0.01), HoldoutBy: "newest"}, rows: 4, train: 4, held: 0},
		{name: "default", rows: 1000, train: -1, held: 150, atLeast: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSplit(&model.Spec{Schema: *oneNumber(), Training: tt.training})
			for i := range tt.rows {
				if err := s.add(uint64(i), 0, number(float64(i))); err != nil {
					t.Fatal(err)
				}
			}
			train, held := s.finish()
			if got := train.Len() + held.Len(); got != tt.rows || got != s.rows() {
				t.Errorf("%d rows came out and rows() says %d, want %d", got, s.rows(), tt.rows)
			}
			if held.Len() != tt.held && (!tt.atLeast || held.Len() < tt.held) {
				t.Errorf("held out %d rows, want %d", held.Len(), tt.held)
			}
			if tt.train >= 0 && train.Len() != tt.train {
				t.Errorf("%d training rows, want %d", train.Len(), tt.train)
			}
			if tt.training.HoldoutBy == "newest" && held.Len() > 0 {
				if got, want := values(held)[0], float64(train.Len()); got != want {
					t.Errorf("the first held-out row is %v, want %v", got, want)
				}
			}
		})
	}
}

// Whatever comes later, a row once held out stays so: versions are compared on rows
// that none of them saw.
func TestSplitIsForGood(t *testing.T) {
	t.Parallel()
	before := map[float64]bool{}
	for _, n := range []int{5, 20, 100, 1000} {
		s := newSplit(&model.Spec{Schema: *oneNumber()})
		for i := range n {
			if err := s.add(uint64(1+i/10), i%10, number(float64(i))); err != nil {
				t.Fatal(err)
			}
		}
		_, held := s.finish()
		now := map[float64]bool{}
		for _, x := range values(held) {
			now[x] = true
		}
		for x := range before {
			if !now[x] {
				t.Errorf("row %v was held out of fewer rows but not of %d", x, n)
			}
		}
		before = now
	}
	if len(before) == 0 {
		t.Fatal("no row was held out")
	}
}

// A window keeps the newest rows, and of the held-out ones those among them.
func TestSplitOfAWindow(t *testing.T) {
	t.Parallel()
	const n, size = 1000, 300
	all := newSplit(&model.Spec{Schema: *oneNumber()})
	s := newSplit(&model.Spec{Schema: *oneNumber(), Retrain: &model.Retrain{Window: model.Amount{Examples: size}}})
	newest := newSplit(&model.Spec{
		Schema: *oneNumber(), Training: model.Training{HoldoutBy: holdoutNewest},
		Retrain: &model.Retrain{Window: model.Amount{Examples: size}},
	})
	for i := range n {
		for _, s := range []*split{all, s, newest} {
			if err := s.add(uint64(1+i/10), i%10, number(float64(i))); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, want := all.finish()
	kept := slices.DeleteFunc(values(want), func(x float64) bool { return x < n-size })
	train, held := s.finish()
	if got := values(held); !slices.Equal(got, kept) {
		t.Errorf("held out %v, want %v", got, kept)
	}
	if train.Len()+held.Len() != size || values(train)[0] < n-size {
		t.Errorf("%d rows and %d held out from %v on, want the newest %d", train.Len(), held.Len(), values(train)[0], size)
	}
	train, held = newest.finish()
	if train.Len() != size-60 || held.Len() != 60 || values(train)[0] != n-size || values(held)[0] != n-60 {
		t.Errorf("newest: %d rows from %v on and %d held out", train.Len(), values(train)[0], held.Len())
	}
}
