package drift

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// priority is a random number that depends on seed and i alone (SplitMix64,
// Steele, Lea and Flood 2014), so that drawing needs no state.
func priority(seed uint64, i int64) uint64 {
	z := seed + (uint64(i)+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns the random number of i as a whole number in [0, n).
func below(seed uint64, i, n int64) int64 {
	hi, _ := bits.Mul64(priority(seed, i), uint64(n))
	return int64(hi)
}

// A drawn is a number of a sample with the priority that it was drawn by.
type drawn struct {
	X        float64 `json:"x"`
	Priority uint64  `json:"priority"`
}

// A sample keeps the size numbers of least priority that it was offered, as a
// heap with the greatest on top. Whatever the order, and whether the parts of a
// stream were sampled apart, it ends with the same numbers.
type sample []drawn

func (s *sample) offer(size int, d drawn) {
	h := *s
	switch {
	case len(h) < size:
		h = append(h, d)
		for i := len(h) - 1; i > 0 && h[(i-1)/2].Priority < h[i].Priority; i = (i - 1) / 2 {
			h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
		}
		*s = h
	case d.Priority < h[0].Priority:
		h[0] = d
		for i := 0; ; {
			child := 2*i + 1
			if child+1 < size && h[child+1].Priority > h[child].Priority {
				child++
			}
			if child >= size || h[child].Priority <= h[i].Priority {
				return
			}
			h[i], h[child] = h[child], h[i]
			i = child
		}
	}
}

// heapify makes a heap of numbers in any order.
func (s *sample) heapify() {
	slices.SortFunc(*s, func(a, b drawn) int { return cmp.Compare(b.Priority, a.Priority) })
}

// sorted returns the numbers in ascending order.
func (s *sample) sorted() []float64 {
	x := make([]float64, len(*s))
	for i, d := range *s {
		x[i] = d.X
	}
	slices.Sort(x)
	return x
}

// single is x as samples keep it: what is beyond a float32 is at its end. Live
// numbers are rounded alike, so that equal numbers stay equal.
func single(x float64) float32 {
	return float32(min(max(x, -math.MaxFloat32), math.MaxFloat32))
}
