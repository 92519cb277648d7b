package kernel

import "math"

// Sum returns the sum of x: 16 float64 sums, of every 16th number each in ascending
// order, are added in halves, the second half to the first until one is left.
func Sum(x []float32) float64 {
	if len(x) == 0 {
		return 0
	}
	if l := active.loops(); l != nil {
		return l.sum(len(x), &x[0])
	}
	var sums [16]float64
	for i, v := range x {
		sums[i%16] += float64(v)
	}
	return total(&sums)
}

// SumSquares returns the sum of the squares of x, in the order of [Sum]. It is finite
// whenever x is.
func SumSquares(x []float32) float64 {
	if len(x) == 0 {
		return 0
	}
	if l := active.loops(); l != nil {
		return l.squares(len(x), &x[0])
	}
	var sums [16]float64
	for i, v := range x {
		sums[i%16] += float64(v) * float64(v) // exact, so that fusing the two changes nothing
	}
	return total(&sums)
}

func total(sums *[16]float64) float64 {
	for half := 8; half > 0; half /= 2 {
		for i := range half {
			sums[i] += sums[i+half]
		}
	}
	return sums[0]
}

// Max returns the largest of x, which must not be empty; NaN if there is one. A zero is
// positive.
func Max(x []float32) float32 {
	if l := active.loops(); l != nil {
		return l.max(len(x), &x[0])
	}
	largest := x[0]
	for _, v := range x[1:] {
		largest = max(largest, v)
	}
	return largest + 0
}

// Finite reports whether no number of x is NaN or infinite.
func Finite(x []float32) bool {
	for ; len(x) > stretch; x = x[stretch:] {
		if !Finite(x[:stretch]) {
			return false
		}
	}
	if len(x) == 0 {
		return true
	}
	if l := active.loops(); l != nil {
		return l.finite(len(x), &x[0]) == 0
	}
	const exponent, one = infinity, 0x00800000 // adding one to an exponent of all ones carries into the sign
	var carry uint32
	for _, v := range x {
		carry |= math.Float32bits(v)&exponent + one
	}
	return carry>>31 == 0
}

// SumColumns sets y to the sums of the columns of x, (rows, len(y)), in ascending
// order of the rows.
func SumColumns(y, x []float32, rows int) {
	if l := active.loops(); l != nil && rows > 0 && len(y) > 0 {
		x = x[:rows*len(y)]
		l.sumColumns(len(y), rows, &y[0], &x[0])
		return
	}
	clear(y)
	for r := range rows {
		Add(y, x[r*len(y):][:len(y)])
	}
}
