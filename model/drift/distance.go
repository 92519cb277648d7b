package drift

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
)

// leastShare stands for the share of an empty bin in [PSI].
const leastShare = 1e-4

// PSI returns the Population Stability Index Σ(p − q)·ln(p/q) of the shares of two
// lists of counts, where a share below 1e-4 counts as that. By convention below
// 0.1 is stable and above 0.25 a shift. It is 0 if one of them is empty.
func PSI(reference, live []int64) float64 {
	n, m := total(reference), total(live)
	if n == 0 || m == 0 {
		return 0
	}
	sum := 0.0
	for i := range reference {
		p := max(float64(live[i])/m, leastShare)
		q := max(float64(reference[i])/n, leastShare)
		sum += (p - q) * math.Log(p/q)
	}
	return sum
}

// JensenShannon returns the Jensen-Shannon distance of the shares of two lists of
// counts, the root of the divergence to base 2: 0 if they are equal, 1 if they
// have nothing in common (Endres and Schindelin 2003). It is 0 if one of them is
// empty.
func JensenShannon(reference, live []int64) float64 {
	n, m := total(reference), total(live)
	if n == 0 || m == 0 {
		return 0
	}
	sum := 0.0
	for i := range reference {
		p, q := float64(live[i])/m, float64(reference[i])/n
		for _, x := range []float64{p, q} {
			if x > 0 {
				sum += x * math.Log2(2*x/(p+q)) / 2
			}
		}
	}
	return math.Sqrt(min(max(sum, 0), 1))
}

func total(counts []int64) float64 {
	n := int64(0)
	for _, c := range counts {
		n += c
	}
	return float64(n)
}

// ChiSquare returns Pearson's statistic of two lists of counts, as samples of one
// distribution, and its p-value. Bins in which fewer than 5 are expected on
// either side are taken together. Without two bins that differ, the p-value is 1.
func ChiSquare(reference, live []int64) (statistic, p float64) {
	n, m := total(reference), total(live)
	if n == 0 || m == 0 {
		return 0, 1
	}
	type pair struct{ reference, live float64 }
	var few pair
	var bins []pair
	least := 5 * (n + m) / min(n, m)
	for i := range reference {
		b := pair{float64(reference[i]), float64(live[i])}
		if b.reference+b.live < least {
			few.reference += b.reference
			few.live += b.live
			continue
		}
		bins = append(bins, b)
	}
	if few.reference+few.live > 0 {
		bins = append(bins, few)
	}
	if len(bins) < 2 {
		return 0, 1
	}
	for _, b := range bins {
		share := (b.reference + b.live) / (n + m)
		off := b.live - share*m
		statistic += off * off / share * (1/m + 1/n)
	}
	return statistic, mathext.GammaIncRegComp(float64(len(bins)-1)/2, statistic/2)
}

// Fisher returns the two-sided p-value of Fisher's exact test that hits of n and
// others of m have the same chance: the probability of all tables with the same
// margins that are no likelier. Beyond 100,000 such tables it is that of the
// normal approximation. It is 1 if n or m is 0.
func Fisher(hits, n, others, m int64) float64 {
	if n == 0 || m == 0 {
		return 1
	}
	all := hits + others
	lo, hi := max(0, all-m), min(n, all)
	if hi-lo > 100_000 {
		rate := float64(all) / float64(n+m)
		z := (float64(hits)/float64(n) - float64(others)/float64(m)) /
			math.Sqrt(rate*(1-rate)*(1/float64(n)+1/float64(m)))
		return math.Erfc(math.Abs(z) / math.Sqrt2)
	}
	table := func(k int64) float64 { return choose(n, k) + choose(m, all-k) - choose(n+m, all) }
	// A table that is as likely but for rounding counts too.
	bound := table(hits) + 1e-7
	sum := 0.0
	for k := lo; k <= hi; k++ {
		if l := table(k); l <= bound {
			sum += math.Exp(l)
		}
	}
	return min(1, sum)
}

// choose returns the logarithm of the binomial coefficient.
func choose(n, k int64) float64 {
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return a - b - c
}

// FalseDiscovery adjusts p-values, in place, for being many: of the tests whose
// adjusted value is below q, a share of q is expected to be false (Benjamini and
// Hochberg 1995).
func FalseDiscovery(p []*float64) {
	order := slices.Clone(p)
	slices.SortStableFunc(order, func(a, b *float64) int { return cmp.Compare(*b, *a) })
	least := 1.0
	for i, v := range order {
		rank := len(order) - i
		least = min(least, *v*float64(len(order))/float64(rank))
		*v = least
	}
}
