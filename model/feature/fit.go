package feature

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// Fit fits a pipeline on all rows of a labelled frame. It fails, wrapping
// [ErrInvalid], on no rows, on a feature without any value, on a value outside
// a scale's domain or a fixed vocabulary, and on a classification label with a single
// class.
func Fit(f *Frame) (*Pipeline, error) {
	rows := make([]int, f.rows)
	for i := range rows {
		rows[i] = i
	}
	return FitRows(f, rows)
}

// FitRows is [Fit] on the listed rows alone, such as those that are not kept for
// validation, without copying them.
func FitRows(f *Frame, rows []int) (*Pipeline, error) {
	if err := f.schema.Validate(); err != nil {
		return nil, err
	}
	if !f.Labeled() {
		return nil, invalidf("fitting needs rows with labels")
	}
	if len(rows) == 0 {
		return nil, invalidf("there are no rows to fit to")
	}
	for _, r := range rows {
		if r < 0 || r >= f.rows {
			return nil, invalidf("got row %d of a frame of %d", r, f.rows)
		}
	}
	fit := fitting{frame: f, rows: rows, state: State{
		Stats:        make(map[string][]float64),
		Vocabularies: make(map[string][]string),
	}}
	for i := range f.schema.Features {
		if err := fit.feature(&f.schema.Features[i], f.columns[i]); err != nil {
			return nil, err
		}
	}
	if err := fit.label(&f.schema.Label); err != nil {
		return nil, err
	}
	p, err := compile(f.schema, fit.state)
	if err != nil {
		return nil, err
	}
	p.fitted = f.schema
	return p, nil
}

// A fitting collects the state of a pipeline.
type fitting struct {
	frame *Frame
	rows  []int // of frame
	state State
}

func (fit *fitting) feature(ft *Feature, c *column) error {
	if err := fit.anyValue(c); err != nil {
		return err
	}
	switch ft.Type {
	case Number, Vector:
		if err := fit.fill(ft, c); err != nil {
			return err
		}
		return fit.scales(ft.Name, ft.scales(), c)
	case Category:
		if ft.Encode != Hashing {
			return fit.vocabulary(ft, c)
		}
	case Boolean:
	}
	return nil
}

func (fit *fitting) anyValue(c *column) error {
	for _, r := range fit.rows {
		if v := c.value(fit.frame.first + r); v.Kind != KindMissing {
			return nil
		}
	}
	return invalidf("%s: all %d values are missing", c.title, len(fit.rows))
}

func (fit *fitting) fill(ft *Feature, c *column) error {
	s := samples{column: c, first: fit.frame.first, rows: fit.rows}
	switch ft.Missing {
	case MissingMean:
		mean, err := s.means()
		if err != nil {
			return err
		}
		fit.state.Stats[ft.Name+"."+statFill] = mean
	case MissingMedian:
		q, err := s.quantiles(0.5)
		if err != nil {
			return err
		}
		fit.state.Stats[ft.Name+"."+statFill] = q[0]
	case "", MissingError, MissingConstant, MissingCategory:
	}
	return nil
}

// scales fits each scale to what those before it give.
func (fit *fitting) scales(name string, scales []Scale, c *column) error {
	s := samples{column: c, first: fit.frame.first, rows: fit.rows}
	for _, scale := range scales {
		stats, err := s.fit(scale)
		if err != nil {
			return err
		}
		for stat, values := range stats {
			if err := checkFinite(stat, values); err != nil {
				return fmt.Errorf("%s: %w", c.title, err)
			}
			fit.state.Stats[name+"."+stat] = values
		}
		next, err := stepOf(scale, c.size, func(stat string, _ int) ([]float64, error) { return stats[stat], nil })
		if err != nil {
			return fmt.Errorf("%s: %w", c.title, err)
		}
		s.prior = append(s.prior, next)
	}
	if n := len(scales); n > 0 && scales[n-1] == Log1p {
		return s.each(func([]float64) {}) // only to check the domain
	}
	return nil
}

// fit returns the statistics of a scale.
func (s *samples) fit(scale Scale) (map[string][]float64, error) {
	switch scale {
	case Standardize:
		mean, std, err := s.moments()
		return map[string][]float64{statMean: mean, statStd: std}, err
	case MinMax:
		least, most, err := s.extremes()
		return map[string][]float64{statMin: least, statMax: most}, err
	case Rescale:
		least, most, err := s.extremes()
		if err != nil {
			return nil, err
		}
		return map[string][]float64{statLeast: {slices.Min(least)}, statMost: {slices.Max(most)}}, nil
	case Robust:
		q, err := s.quantiles(0.25, 0.5, 0.75)
		if err != nil {
			return nil, err
		}
		return map[string][]float64{statQ25: q[0], statMedian: q[1], statQ75: q[2]}, nil
	case None, Log1p:
	}
	return map[string][]float64{}, nil
}

func (fit *fitting) vocabulary(ft *Feature, c *column) error {
	words, rows := fit.words(c)
	if len(ft.Vocabulary) > 0 {
		fit.state.Vocabularies[ft.Name] = slices.Clone(ft.Vocabulary)
		if ft.Unknown == UnknownZeros {
			return nil
		}
		return within(c.title, "category", words, rows, ft.Vocabulary)
	}
	if ft.Missing == MissingConstant {
		fill, err := ft.fillText()
		if err != nil {
			return fmt.Errorf("%s: fill: %w", c.title, err)
		}
		if !slices.Contains(words, fill) {
			words = append(words, fill)
		}
	}
	SortClasses(words)
	fit.state.Vocabularies[ft.Name] = words
	return nil
}

// within checks that words, each first seen in the row given, are all known.
func within(title, what string, words []string, rows []int, known []string) error {
	index := indexOf(known)
	for i, w := range words {
		if _, ok := index[w]; !ok {
			return &RowError{Row: rows[i], Err: invalidf("%s: unknown %s %s: the schema lists %s", title, what, quote(w), list(known))}
		}
	}
	return nil
}

func (fit *fitting) label(l *Label) error {
	c := fit.frame.label
	switch l.Type {
	case Number:
		return fit.scales(labelKey, l.scales(), c)
	case Boolean:
		first := c.truths.row(fit.frame.first + fit.rows[0])[0]
		for _, r := range fit.rows {
			if c.truths.row(fit.frame.first + r)[0] != first {
				return nil
			}
		}
		return fit.oneClass(c, strconv.FormatBool(first == 1))
	case Category, Vector:
	}
	words, rows := fit.words(c)
	if len(l.Classes) > 0 { // of a frame that was made for another schema
		if err := within(c.title, "class", words, rows, l.Classes); err != nil {
			return err
		}
	}
	if len(words) == 1 {
		return fit.oneClass(c, words[0])
	}
	if len(l.Classes) > 0 {
		words = slices.Clone(l.Classes)
	} else {
		SortClasses(words)
	}
	fit.state.Vocabularies[labelKey] = words
	return nil
}

func (fit *fitting) oneClass(c *column, class string) error {
	return invalidf("%s: all %d rows are %s: a classifier needs two classes or more", c.title, len(fit.rows), quote(class))
}

// words returns the categories of the frame's rows in order of appearance, and
// the row where each was first.
func (fit *fitting) words(c *column) (words []string, rows []int) {
	seen := make([]bool, len(c.words))
	for _, r := range fit.rows {
		code := c.codes.row(fit.frame.first + r)[0]
		if code == noCode || seen[code] {
			continue
		}
		seen[code] = true
		words = append(words, c.words[code])
		rows = append(rows, r)
	}
	return words, rows
}

// SortClasses sorts categories or classes as a pipeline does: as numbers if all are plain whole numbers, so that
// "10" comes after "9", else as text.
func SortClasses(words []string) {
	numbers := make(map[string]int64, len(words))
	for _, w := range words {
		n, err := strconv.ParseInt(w, 10, 64)
		if err != nil || strconv.FormatInt(n, 10) != w {
			slices.Sort(words)
			return
		}
		numbers[w] = n
	}
	slices.SortFunc(words, func(a, b string) int { return cmp.Compare(numbers[a], numbers[b]) })
}
