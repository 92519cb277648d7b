package learn

import (
	"crypto/sha256"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/modelbus/modelbus/model/feature"
)

// sampled shows a sample n rows, each its own message, in the order given.
func sampled(t *testing.T, size int, seed, last uint64, order []int) *sample {
	t.Helper()
	s := newSample(oneNumber(), size, seed, last)
	for _, i := range order {
		at := spot{seq: uint64(i/3 + 1), row: i % 3}
		if !s.wants(at) {
			continue
		}
		if err := s.add(at, number(float64(i)), sha256.Sum256([]byte{byte(i)})); err != nil {
			t.Fatal(err)
		}
		if s.rows.Len() > 2*size {
			t.Fatalf("a sample of %d rows holds %d", size, s.rows.Len())
		}
	}
	if err := s.thin(); err != nil {
		t.Fatal(err)
	}
	return s
}

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func TestSample(t *testing.T) {
	t.Parallel()
	const n, size = 1000, 50
	first := sampled(t, size, 1, 2000, upTo(n))
	got := values(first.rows)
	if len(got) != size || !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != size {
		t.Errorf("drew %v, want %d rows in order, none twice", got, size)
	}
	shuffled := rand.New(rand.NewPCG(1, 1)).Perm(n)
	if again := sampled(t, size, 1, 2000, shuffled); !slices.Equal(values(again.rows), got) || again.digest() != first.digest() {
		t.Error("in another order other rows are drawn")
	}
	for _, other := range []*sample{sampled(t, size, 2, 2000, upTo(n)), sampled(t, size, 1, 2001, upTo(n))} {
		if slices.Equal(values(other.rows), got) || other.digest() == first.digest() {
			t.Error("with another seed, or by another training, the same rows are drawn")
		}
	}
	// That a row is gone which was not drawn changes nothing; of one that was it does.
	drawn := func(i int) bool { return slices.Contains(got, float64(i)) }
	for _, tt := range []struct {
		gone int
		same bool
	}{{slices.IndexFunc(upTo(n), func(i int) bool { return !drawn(i) }), true}, {int(got[size/2]), false}} {
		rest := slices.DeleteFunc(upTo(n), func(i int) bool { return i == tt.gone })
		if s := sampled(t, size, 1, 2000, rest); (s.digest() == first.digest()) != tt.same {
			t.Errorf("without row %d the digest is the same: %t, want %t", tt.gone, !tt.same, tt.same)
		}
	}
	if few := sampled(t, size, 1, 2000, upTo(7)); few.rows.Len() != 7 {
		t.Errorf("of 7 rows %d are drawn", few.rows.Len())
	}
}

// Each row has the same chance.
func TestSampleIsUniform(t *testing.T) {
	t.Parallel()
	const n, size, rounds = 60, 12, 2000
	counts := make([]float64, n)
	for last := range uint64(rounds) {
		for _, x := range values(sampled(t, size, 7, last, upTo(n)).rows) {
			counts[int(x)]++
		}
	}
	want := float64(rounds) * size / n
	// 5 standard deviations of a binomial count: 60 of them lie within in all but 1 of 30,000 cases.
	within := 5 * math.Sqrt(want*(1-float64(size)/n))
	for i, got := range counts {
		if math.Abs(got-want) > within {
			t.Errorf("row %d was drawn %v times of %d, want %v ± %.0f", i, got, rounds, want, within)
		}
	}
}

// The hash decides what is drawn, and rebuilt: these numbers must never change.
func TestSampleIsFrozen(t *testing.T) {
	t.Parallel()
	s := newSample(&feature.Schema{}, 1, 7, 1000)
	for _, tt := range []struct {
		at   spot
		want uint64
	}{{spot{1, 0}, 0xf09442a134622201}, {spot{12345, 6}, 0xc9eb70e4faa40cf0}} {
		if got := s.hash(tt.at); got != tt.want {
			t.Errorf("hash(%v) = %#x, want %#x", tt.at, got, tt.want)
		}
	}
}

// Of however many rows the newest are kept.
func TestNewest(t *testing.T) {
	t.Parallel()
	const size = 10
	for _, n := range []int{0, 3, 10, 11, 19, 20, 21, 57} {
		rows := newest{size: size}
		for i := range n {
			row := feature.NewFrame(oneNumber(), true)
			if err := row.Append(number(float64(i))); err != nil {
				t.Fatal(err)
			}
			if err := rows.add(row); err != nil {
				t.Fatal(err)
			}
		}
		f, err := rows.frame(oneNumber())
		if err != nil {
			t.Fatal(err)
		}
		var want []float64
		for i := max(n-size, 0); i < n; i++ {
			want = append(want, float64(i))
		}
		if got := values(f); !slices.Equal(got, want) {
			t.Errorf("of %d rows %v are kept, want %v", n, got, want)
		}
	}
}
