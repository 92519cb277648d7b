package feature

import (
	"fmt"
	"slices"
)

// Start returns a pipeline that has seen no row, for a [Running] to go on from: its
// vocabularies and classes are those that s fixes and, of the others, those that appear in
// f, which may be nil if there are no others. Nothing else is learned of f.
// An error wraps [ErrInvalid]: f shows no category of a feature, or a single class.
func Start(s *Schema, f *Frame) (*Pipeline, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if f == nil {
		f = NewFrame(s, true)
	}
	if !f.Labeled() || !s.fits(f.schema) {
		return nil, invalidf("starting needs labelled rows of the schema")
	}
	start := starting{frame: f, state: State{
		Stats: make(map[string][]float64), Vocabularies: make(map[string][]string),
	}}
	for i := range s.Features {
		if err := start.feature(&s.Features[i], f.columns[i]); err != nil {
			return nil, err
		}
	}
	if err := start.label(&s.Label); err != nil {
		return nil, err
	}
	p, err := compile(s, start.state)
	if err != nil {
		return nil, err
	}
	p.fitted = s
	return p, nil
}

// Closed reports whether s fixes all vocabularies and classes, so that [Start] needs no
// rows.
func (s *Schema) Closed() bool {
	for i := range s.Features {
		if ft := &s.Features[i]; ft.Type == Category && ft.Encode != Hashing && len(ft.Vocabulary) == 0 {
			return false
		}
	}
	return s.Label.Type != Category || len(s.Label.Classes) > 0
}

// A starting collects the state of a pipeline that has seen no row.
type starting struct {
	frame *Frame
	state State
}

func (st *starting) feature(ft *Feature, c *column) error {
	switch ft.Type {
	case Number, Vector:
		if ft.Missing == MissingMean || ft.Missing == MissingMedian {
			st.zeros(ft.Name, statFill, ft.places())
		}
		st.scales(ft.Name, ft.scales(), ft.places())
	case Category:
		if ft.Encode != Hashing {
			return st.vocabulary(ft, c)
		}
	case Boolean:
	}
	return nil
}

func (st *starting) vocabulary(ft *Feature, c *column) error {
	words := slices.Clone(ft.Vocabulary)
	var err error
	if len(words) == 0 {
		words, err = st.shown(ft, c)
	}
	switch {
	case err != nil:
		return err
	case len(words) == 0:
		return invalidf("%s: none of %d rows has a category, and the spec lists none", c.title, st.frame.rows)
	}
	st.state.Vocabularies[ft.Name] = words
	return nil
}

// shown returns the categories that the rows show, with what stands for a missing one.
func (st *starting) shown(ft *Feature, c *column) ([]string, error) {
	words := st.words(c)
	if ft.Missing == MissingConstant {
		fill, err := ft.fillText()
		if err != nil {
			return nil, fmt.Errorf("%s: fill: %w", c.title, err)
		}
		if !slices.Contains(words, fill) {
			words = append(words, fill)
		}
	}
	SortClasses(words)
	return words, nil
}

func (st *starting) label(l *Label) error {
	switch l.Type {
	case Number:
		st.scales(labelKey, l.scales(), 1)
	case Category:
		words := slices.Clone(l.Classes)
		if len(words) == 0 {
			words = st.words(st.frame.label)
			SortClasses(words)
		}
		if len(words) < 2 {
			return invalidf("%s: %d rows show %s: a classifier needs two classes or more, in its first rows or listed in the spec",
				st.frame.label.title, st.frame.rows, list(words))
		}
		st.state.Vocabularies[labelKey] = words
	case Boolean, Vector:
	}
	return nil
}

// words returns the categories of the frame's rows in order of appearance.
func (st *starting) words(c *column) []string {
	all := make([]int, st.frame.rows)
	for i := range all {
		all[i] = i
	}
	words, _ := (&fitting{frame: st.frame, rows: all}).words(c)
	return words
}

// scales sets the statistics of scales that have seen nothing.
func (st *starting) scales(name string, scales []Scale, size int) {
	for _, scale := range scales {
		switch scale {
		case Standardize:
			st.zeros(name, statMean, size)
			st.zeros(name, statStd, size)
		case MinMax:
			st.zeros(name, statMin, size)
			st.zeros(name, statMax, size)
		case Rescale:
			st.zeros(name, statLeast, 1)
			st.zeros(name, statMost, 1)
		case Robust:
			st.zeros(name, statMedian, size)
			st.zeros(name, statQ25, size)
			st.zeros(name, statQ75, size)
		case None, Log1p:
		}
	}
}

func (st *starting) zeros(name, stat string, size int) {
	st.state.Stats[name+"."+stat] = make([]float64, size)
}
