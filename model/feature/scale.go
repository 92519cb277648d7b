package feature

import (
	"math"
	"slices"
)

// The statistics kept for each scale, by their names in a State. Those of
// rescale have one value for all positions, the others one a position.
const (
	statMean   = "mean"
	statStd    = "std"
	statMin    = "min"
	statMax    = "max"
	statLeast  = "least"
	statMost   = "most"
	statMedian = "median"
	statQ25    = "q25"
	statQ75    = "q75"
	statFill   = "fill"
)

// A step is a fitted scale: ln(1 + x), or (x − sub) / div where div is not 0 and
// 0 where it is.
type step struct {
	log      bool
	sub, div []float64 // by position
}

// forward returns the scaled x of position j; NaN if x is outside the domain.
func (s *step) forward(x float64, j int) float64 {
	switch {
	case s.log:
		if x <= -1 {
			return math.NaN()
		}
		return math.Log1p(x)
	case s.div[j] == 0:
		return 0
	}
	return (x - s.sub[j]) / s.div[j]
}

// inverse undoes forward; where that gave 0 for all x, it returns the training
// rows' constant.
func (s *step) inverse(y float64, j int) float64 {
	if s.log {
		return math.Expm1(y)
	}
	return y*s.div[j] + s.sub[j]
}

// steps are applied in order.
type steps []step

func (s steps) forward(x float64, j int) float64 {
	for i := range s {
		x = s[i].forward(x, j)
	}
	return x
}

func (s steps) inverse(y float64, j int) float64 {
	for i := range slices.Backward(s) {
		y = s[i].inverse(y, j)
	}
	return y
}

// stepOf builds the step of a scale from its statistics; read returns the named
// one with as many values as asked for.
func stepOf(scale Scale, size int, read func(stat string, size int) ([]float64, error)) (step, error) {
	switch scale {
	case Standardize:
		mean, err := read(statMean, size)
		if err != nil {
			return step{}, err
		}
		std, err := read(statStd, size)
		if err != nil {
			return step{}, err
		}
		if slices.ContainsFunc(std, func(x float64) bool { return x < 0 }) {
			return step{}, invalidf("%s is negative", statStd)
		}
		return step{sub: mean, div: std}, nil
	case MinMax:
		return span(statMin, statMax, size, read)
	case Rescale:
		s, err := span(statLeast, statMost, 1, read)
		if err != nil {
			return step{}, err
		}
		return step{sub: slices.Repeat(s.sub, size), div: slices.Repeat(s.div, size)}, nil
	case Robust:
		median, err := read(statMedian, size)
		if err != nil {
			return step{}, err
		}
		s, err := span(statQ25, statQ75, size, read)
		if err != nil {
			return step{}, err
		}
		for j, d := range s.div {
			if d == 0 {
				s.div[j] = 1
			}
		}
		return step{sub: median, div: s.div}, nil
	case Log1p:
		return step{log: true}, nil
	case None:
	}
	return step{}, invalidf("unknown scale %q", scale)
}

// span builds the step that maps the statistic low to 0 and high to 1.
func span(low, high string, size int, read func(string, int) ([]float64, error)) (step, error) {
	lo, err := read(low, size)
	if err != nil {
		return step{}, err
	}
	hi, err := read(high, size)
	if err != nil {
		return step{}, err
	}
	div := make([]float64, size)
	for j := range div {
		div[j] = hi[j] - lo[j]
		if div[j] < 0 || math.IsInf(div[j], 0) {
			return step{}, invalidf("%s %v and %s %v are no range", low, lo[j], high, hi[j])
		}
	}
	return step{sub: lo, div: div}, nil
}
