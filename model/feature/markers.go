package feature

import "slices"

// markerCount is how many markers follow a distribution: at its ends, at the
// quartiles, and between them.
const markerCount = 9

// markers estimate quartiles of a stream of numbers in constant memory by the P²
// algorithm (Jain and Chlamtac 1985), in its extension to several quantiles with
// common markers (Raatikainen 1987), which keeps them in order. Up to markerCount
// numbers they are the numbers themselves.
type markers struct {
	heights []float64 // ascending
	ranks   []float64 // how many numbers are at or below each, from 1
}

// add takes x, the n-th number from 1.
func (m markers) add(x, n float64) {
	if n <= markerCount {
		k := int(n) - 1
		at, _ := slices.BinarySearch(m.heights[:k], x)
		copy(m.heights[at+1:k+1], m.heights[at:k])
		m.heights[at], m.ranks[k] = x, n
		return
	}
	last := markerCount - 1
	cell := 0
	switch {
	case x < m.heights[0]:
		m.heights[0] = x
	case x >= m.heights[last]:
		m.heights[last], cell = x, last-1
	default:
		for x >= m.heights[cell+1] {
			cell++
		}
	}
	for i := cell + 1; i <= last; i++ {
		m.ranks[i]++
	}
	for i := 1; i < last; i++ {
		due := 1 + (n-1)*float64(i)/float64(last)
		switch off := due - m.ranks[i]; {
		case off >= 1 && m.ranks[i+1]-m.ranks[i] > 1:
			m.move(i, 1)
		case off <= -1 && m.ranks[i]-m.ranks[i-1] > 1:
			m.move(i, -1)
		}
	}
}

// move moves marker i by one rank, to where a parabola through it and its
// neighbours says that its height is, or a line where that is out of order.
func (m markers) move(i int, by float64) {
	h, r := m.heights, m.ranks
	up, down := (h[i+1]-h[i])/(r[i+1]-r[i]), (h[i]-h[i-1])/(r[i]-r[i-1])
	next := h[i] + by/(r[i+1]-r[i-1])*((r[i]-r[i-1]+by)*up+(r[i+1]-r[i]-by)*down)
	if !(next > h[i-1] && next < h[i+1]) {
		slope := up
		if by < 0 {
			slope = down
		}
		next = min(max(h[i]+by*slope, h[i-1]), h[i+1])
	}
	h[i] = next
	r[i] += by
}

// quantile returns the estimate for q, a multiple of an eighth, of n numbers.
func (m markers) quantile(q, n float64) float64 {
	switch {
	case n == 0:
		return 0
	case n < markerCount:
		return m.heights[min(int(n*q), int(n)-1)]
	}
	return m.heights[int(q*(markerCount-1))]
}

// guess places the markers as n numbers with these quartiles may have them, which
// are between and beyond them in equal steps.
func (m markers) guess(q25, median, q75, n float64) {
	for i := range markerCount {
		p := float64(i) / (markerCount - 1)
		slope, from := (q75-median)/0.25, 0.5
		if p < 0.5 {
			slope = (median - q25) / 0.25
		}
		m.heights[i] = median + slope*(p-from)
		m.ranks[i] = 1 + float64(int((n-1)*p))
	}
}

// inOrder reports whether the markers can be those of n numbers.
func (m markers) inOrder(n float64) bool {
	k := int(min(n, markerCount))
	for i := range k {
		if m.ranks[i] < 1 || m.ranks[i] > n || m.ranks[i] != float64(int64(m.ranks[i])) ||
			i > 0 && (m.ranks[i] <= m.ranks[i-1] || m.heights[i] < m.heights[i-1]) {
			return false
		}
	}
	return k == 0 || m.ranks[0] == 1 && m.ranks[k-1] == n
}
