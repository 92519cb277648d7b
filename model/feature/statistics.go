package feature

import (
	"math"
	"slices"
)

// samples are the values of one number, boolean or vector column, seen through
// the steps fitted so far.
type samples struct {
	column *column
	first  int
	rows   []int
	prior  steps
}

// each calls visit with the values of every row that has any, in row order.
func (s *samples) each(visit func(x []float64)) error {
	buf := make([]float64, s.column.size)
	for _, r := range s.rows {
		if !s.column.floats(buf, s.first+r) {
			continue
		}
		if len(s.prior) > 0 {
			for j, x := range buf {
				if buf[j] = s.prior.forward(x, j); math.IsNaN(buf[j]) {
					return &RowError{Row: r, Err: domainError(s.column.title, x)}
				}
			}
		}
		visit(buf)
	}
	return nil
}

// extremes returns the least and greatest value of each position.
func (s *samples) extremes() (least, most []float64, err error) {
	err = s.each(func(x []float64) {
		if least == nil {
			least, most = slices.Clone(x), slices.Clone(x)
		}
		for j, v := range x {
			least[j] = min(least[j], v)
			most[j] = max(most[j], v)
		}
	})
	return least, most, err
}

// means returns the mean of each position.
func (s *samples) means() ([]float64, error) {
	sum := make([]float64, s.column.size)
	n := 0.0
	err := s.each(func(x []float64) {
		for j, v := range x {
			sum[j] += v
		}
		n++
	})
	for j := range sum {
		sum[j] /= n
	}
	return sum, err
}

// moments returns mean and standard deviation (ddof 0) of each position, in two
// passes; the deviation of a constant position is exactly 0.
func (s *samples) moments() (mean, std []float64, err error) {
	least, most, err := s.extremes()
	if err != nil {
		return nil, nil, err
	}
	mean, err = s.means()
	if err != nil {
		return nil, nil, err
	}
	std = make([]float64, s.column.size)
	n := 0.0
	err = s.each(func(x []float64) {
		for j, v := range x {
			std[j] += (v - mean[j]) * (v - mean[j])
		}
		n++
	})
	for j := range std {
		std[j] = math.Sqrt(std[j] / n)
		if least[j] == most[j] { // summing may have rounded
			mean[j], std[j] = least[j], 0
		}
	}
	return mean, std, err
}

// quantiles returns the quantile of each position for each q.
func (s *samples) quantiles(qs ...float64) ([][]float64, error) {
	out := make([][]float64, len(qs))
	for k := range out {
		out[k] = make([]float64, s.column.size)
	}
	// Positions are sorted a few at a time: one pass over the rows each, and
	// little memory beside them.
	const atOnce = 16
	sorted := make([][]float64, atOnce)
	for from := 0; from < s.column.size; from += atOnce {
		to := min(from+atOnce, s.column.size)
		for j := range sorted {
			sorted[j] = sorted[j][:0]
		}
		err := s.each(func(x []float64) {
			for j, v := range x[from:to] {
				sorted[j] = append(sorted[j], v)
			}
		})
		if err != nil {
			return nil, err
		}
		for j := range to - from {
			slices.Sort(sorted[j])
			for k, q := range qs {
				out[k][from+j] = quantile(sorted[j], q)
			}
		}
	}
	return out, nil
}

// quantile interpolates linearly between the order statistics around (n−1)·q, as
// numpy.quantile does by default (Hyndman and Fan 1996, definition 7).
func quantile(sorted []float64, q float64) float64 {
	h := float64(len(sorted)-1) * q
	i := int(h)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	a, b, t := sorted[i], sorted[i+1], h-float64(i)
	if t >= 0.5 {
		return b - (b-a)*(1-t)
	}
	return a + (b-a)*t
}

func domainError(title string, x float64) error {
	return invalidf("%s: got %v: scale %q needs values above -1", title, x, Log1p)
}
