package gate

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/modelbus/modelbus/model/drift"
	"github.com/modelbus/modelbus/model/feature"
)

// The most groups of a feature: a number of more values is cut into quarters, and
// a category beyond the most frequent ones of the reference is of the group of
// others.
const (
	maxValues     = 12
	maxCategories = 100
)

// A Slicer tells which group a row is in, for each of some features, so that
// scores can be compared within groups. It is immutable.
type Slicer struct {
	features []sliced
}

// sliced is one feature: known groups by category or value, or cuts.
type sliced struct {
	name   string
	column int
	kind   feature.Type
	known  []string
	values []float32 // few different numbers, sorted
	cuts   []float64
}

// NewSlicer returns a slicer of the named features of a schema. Categories and
// numbers of few different values are grouped by value, other numbers by the
// quarters of the reference, which must be of the schema.
func NewSlicer(s *feature.Schema, names []string, r *drift.Reference) (*Slicer, error) {
	z := &Slicer{}
	for _, name := range names {
		i, ok := s.Index(name)
		if !ok || s.Features[i].Type == feature.Vector {
			return nil, fmt.Errorf("%w: slices: %.60q is no number, category or boolean of the schema", ErrInvalid, name)
		}
		c, ok := r.Column(name)
		if !ok || c.Type != s.Features[i].Type {
			return nil, fmt.Errorf("%w: slices: the reference has no feature %.60q of type %s", ErrInvalid, name, s.Features[i].Type)
		}
		f := sliced{name: name, column: i, kind: c.Type}
		if c.Type == feature.Number {
			f.values, f.cuts = groupsOf(c)
		} else {
			f.known = c.Words[:min(len(c.Words), maxCategories)]
		}
		z.features = append(z.features, f)
	}
	return z, nil
}

// groupsOf returns the few values that a column has, or its quartiles.
func groupsOf(c *drift.ColumnReference) (values []float32, cuts []float64) {
	if values = slices.Compact(slices.Clone(c.Sample)); len(values) <= maxValues {
		return values, nil
	}
	for _, q := range []float64{0.25, 0.5, 0.75} {
		if x, ok := c.Quantile(q); ok {
			cuts = append(cuts, x)
		}
	}
	return nil, slices.Compact(cuts)
}

// Groups appends the names of the groups of row i of f to dst, one a feature, such
// as "weekday=6", "25<age<=37", "age missing" or "city other".
func (z *Slicer) Groups(dst []string, f *feature.Frame, i int) []string {
	for k := range z.features {
		dst = append(dst, z.features[k].group(f, i))
	}
	return dst
}

func (s *sliced) group(f *feature.Frame, i int) string {
	if s.kind == feature.Category {
		word, ok := f.Category(s.column, i)
		switch {
		case !ok:
			return s.name + " missing"
		case !slices.Contains(s.known, word):
			return s.name + " other"
		}
		return s.name + "=" + word
	}
	x, ok := f.Number(s.column, i)
	switch {
	case !ok:
		return s.name + " missing"
	case s.kind == feature.Boolean:
		return s.name + "=" + strconv.FormatBool(x != 0)
	case s.cuts != nil:
		return s.quarter(x)
	}
	v := float32(min(max(x, -math.MaxFloat32), math.MaxFloat32))
	if _, found := slices.BinarySearch(s.values, v); !found {
		return s.name + " other"
	}
	return s.name + "=" + strconv.FormatFloat(float64(v), 'g', -1, 32)
}

func (s *sliced) quarter(x float64) string {
	at, _ := slices.BinarySearch(s.cuts, x)
	text := func(i int) string { return strconv.FormatFloat(s.cuts[i], 'g', 6, 64) }
	switch at {
	case 0:
		return s.name + "<=" + text(0)
	case len(s.cuts):
		return s.name + ">" + text(at-1)
	}
	return text(at-1) + "<" + s.name + "<=" + text(at)
}

// A Group is the rows that have something in common.
type Group struct {
	Name string
	Rows []int
}

// Split returns the groups of the listed rows of f, sorted by name. A row is in
// one group of each feature.
func (z *Slicer) Split(f *feature.Frame, rows []int) []Group {
	at := make(map[string]int)
	var groups []Group
	var names []string
	for _, row := range rows {
		names = z.Groups(names[:0], f, row)
		for _, name := range names {
			i, ok := at[name]
			if !ok {
				i = len(groups)
				at[name] = i
				groups = append(groups, Group{Name: name})
			}
			groups[i].Rows = append(groups[i].Rows, row)
		}
	}
	slices.SortFunc(groups, func(a, b Group) int { return strings.Compare(a.Name, b.Name) })
	return groups
}
