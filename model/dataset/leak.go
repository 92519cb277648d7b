package dataset

import (
	"fmt"
	"math"
	"strconv"

	"github.com/modelbus/modelbus/model/feature"
)

// Where Infer sees that features give the label away.
const (
	leakRows        = 1000  // that are looked at
	leakLeast       = 20    // rows; fewer show nothing
	leakColumns     = 128   // features that are looked at
	leakCorrelation = 0.999 // of a feature with the label
	leakError       = 1e-6  // of a sum, as a share of the label's range
)

// A sample has the numbers of the first rows, NaN for what is none.
type sample struct{ rows [][]float64 }

func (s *sample) add(values []feature.Value) {
	if len(s.rows) == leakRows || len(values) > leakColumns {
		return
	}
	row := make([]float64, len(values))
	for i := range values {
		row[i] = numberIn(&values[i])
	}
	s.rows = append(s.rows, row)
}

func numberIn(v *feature.Value) float64 {
	switch {
	case v.Kind == feature.KindNumber:
		return v.Num
	case v.Kind == feature.KindCell && decimal(v.Text):
		if x, err := strconv.ParseFloat(v.Text, 64); err == nil {
			return x
		}
	}
	return math.NaN()
}

// column returns column i of the rows, NaN where a row is shorter.
func (s *sample) column(i int) []float64 {
	c := make([]float64, len(s.rows))
	for r, row := range s.rows {
		c[r] = math.NaN()
		if i < len(row) {
			c[r] = row[i]
		}
	}
	return c
}

// leaks notes features that nearly are the label, or two that add up to it: as a
// rule they are not known when the label is to be predicted.
func (in *Inferred) leaks(s *sample, profiles []*profile, label int) {
	y := s.column(label)
	features := map[string]bool{}
	for _, f := range in.Schema.Features {
		features[f.Name] = f.Type == feature.Number
	}
	var names []string
	var columns [][]float64
	for i, p := range profiles {
		if i != label && features[p.column.Name] && p.column.Role == RoleValue {
			names, columns = append(names, p.column.Name), append(columns, s.column(i))
		}
	}
	for i, x := range columns {
		if r := correlation(x, y); math.Abs(r) >= leakCorrelation {
			in.leak(fmt.Sprintf("its correlation with the label is %.4g", r), names[i])
		}
		for j := range i {
			if addUp(x, columns[j], y) {
				in.leak(fmt.Sprintf("%s + %s is the label", names[j], names[i]), names[j], names[i])
			}
		}
	}
}

func (in *Inferred) leak(why string, names ...string) {
	for _, name := range names {
		in.note(name, "%s: %s", Leak, why)
	}
}

// correlation returns Pearson's coefficient over the rows that have both, 0 for
// fewer than leakLeast of them or if either is constant.
func correlation(x, y []float64) float64 {
	var n, mx, my, xx, yy, xy float64 // Welford's recurrences
	for i := range x {
		if math.IsNaN(x[i]) || math.IsNaN(y[i]) {
			continue
		}
		n++
		dx, dy := x[i]-mx, y[i]-my
		mx += dx / n
		my += dy / n
		xx += dx * (x[i] - mx)
		yy += dy * (y[i] - my)
		xy += dx * (y[i] - my)
	}
	if n < leakLeast || xx == 0 || yy == 0 {
		return 0
	}
	return xy / math.Sqrt(xx) / math.Sqrt(yy)
}

// addUp reports whether a + b is y in all rows that have the three, leakLeast or
// more in which y varies.
func addUp(a, b, y []float64) bool {
	n, least, most, off := 0, math.Inf(1), math.Inf(-1), 0.0
	for i := range y {
		d := math.Abs(a[i] + b[i] - y[i])
		if math.IsNaN(d) {
			continue
		}
		n++
		least, most, off = min(least, y[i]), max(most, y[i]), max(off, d)
	}
	return n >= leakLeast && most > least && off <= leakError*(most-least)
}
