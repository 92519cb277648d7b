package drift

import (
	"math"
)

// exactCells is the largest product of two different sizes for which the
// Kolmogorov-Smirnov test is exact: its cost is that product, about 2 ms.
const exactCells = 1 << 20

// KolmogorovSmirnov returns the two-sample Kolmogorov-Smirnov distance of two
// sorted samples, the greatest difference of their empirical distributions, and
// the two-sided p-value.
//
// The p-value is exact for samples of equal size and for sizes whose product is
// at most 2^20, by counting lattice paths (Hodges 1958, "The significance
// probability of the Smirnov two-sample test"); beyond it is that of
// Kolmogorov's limit with Stephens' correction for size (1970). With ties it is
// at most too large. An empty sample has distance 0 and p-value 1.
func KolmogorovSmirnov(a, b []float64) (distance, p float64) {
	n, m := len(a), len(b)
	if n == 0 || m == 0 {
		return 0, 1
	}
	if n == m {
		h := equalSteps(a, b)
		return float64(h) / float64(n), equalSizes(n, h)
	}
	// In steps of 1/(n·m) distances are whole numbers and compare exactly.
	var most int64
	for i, j := 0, 0; i < n && j < m; {
		x := min(a[i], b[j])
		for i < n && a[i] == x {
			i++
		}
		for j < m && b[j] == x {
			j++
		}
		most = max(most, abs(int64(i)*int64(m)-int64(j)*int64(n)))
	}
	distance = float64(most) / (float64(n) * float64(m))
	if n*m <= exactCells {
		return distance, outside(n, m, most)
	}
	return distance, limit(distance, n, m)
}

func abs(x int64) int64 { return max(x, -x) }

// equalSteps returns the Kolmogorov-Smirnov distance of two sorted samples of
// the same size n in steps of 1/n.
func equalSteps(a, b []float64) int {
	n, most := len(a), 0
	for i, j := 0, 0; i < n && j < n; {
		x := min(a[i], b[j])
		for i < n && a[i] == x {
			i++
		}
		for j < n && b[j] == x {
			j++
		}
		most = max(most, i-j, j-i)
	}
	return most
}

// equalSizes returns the probability that two samples of size n are h/n or more
// apart: 2·Σ(−1)^(j−1)·C(2n, n−j·h)/C(2n, n) (Gnedenko and Korolyuk 1951).
func equalSizes(n, h int) float64 {
	if h <= 0 {
		return 1
	}
	sum, sign := 0.0, 1.0
	term, k := 1.0, 0
	for end := h; end <= n; end += h {
		for ; k < end; k++ {
			term *= float64(n-k) / float64(n+k+1)
		}
		sum += sign * term
		sign = -sign
		if term < 1e-18*sum {
			break
		}
	}
	return min(1, 2*sum)
}

// outside returns the probability that a lattice path from (0, 0) to (n, m),
// each being equally likely, is somewhere at least d/(n·m) away from the
// diagonal. All terms are positive, so that small probabilities are exact too.
func outside(n, m int, d int64) float64 {
	if d <= 0 {
		return 1
	}
	row := make([]float64, m+1)
	for i := range n + 1 {
		for j := range row {
			switch {
			case abs(int64(i)*int64(m)-int64(j)*int64(n)) >= d:
				row[j] = 1
			case i == 0 && j == 0:
			case i == 0:
				row[j] = row[j-1]
			case j == 0:
			default:
				row[j] = (float64(i)*row[j] + float64(j)*row[j-1]) / float64(i+j)
			}
		}
	}
	return row[m]
}

// limit is Kolmogorov's distribution at a distance of two large samples.
func limit(distance float64, n, m int) float64 {
	size := math.Sqrt(float64(n) * float64(m) / float64(n+m))
	x := (size + 0.12 + 0.11/size) * distance
	if x < 0.2 {
		return 1 // to 12 digits, where the series converges slowly
	}
	sum, sign := 0.0, 1.0
	for j := 1.0; j <= 100; j++ {
		term := math.Exp(-2 * j * j * x * x)
		sum += sign * term
		if term < 1e-18*sum {
			break
		}
		sign = -sign
	}
	return min(1, 2*sum)
}
