package dataset

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/modelbus/modelbus/model/feature"
)

// Where Infer draws its lines.
const (
	oneHotCategories = 32  // more are embedded
	classLimit       = 20  // a label of more whole numbers is a number
	classRows        = 40  // rows that show that a whole number is a class
	listedClasses    = 100 // of more the schema does not list them
	rareRows         = 10  // a category in fewer may well be unknown in training
	manyRows         = 20  // rows that show that a column tells them apart
	vectorColumns    = 32  // numbered columns that are taken together
	heavySkew        = 5   // skewness of a number that is better seen by its logarithm,
	heavyMost        = 100 // if it reaches this far: near 0 the logarithm is a line
)

// LeftOut begins the note of a column that is not in the schema.
const LeftOut = "left out"

// Leak is in the note of a feature that seems to give the label away.
const Leak = "may give the label away"

// Inferred is a schema with what led to it.
type Inferred struct {
	Schema feature.Schema

	// Notes has, by feature, by label and by column left out, a short remark,
	// such as "3 values", "12 missing" or "left out: all values differ".
	Notes map[string]string

	Classes  int       // of the label; 0 if it is a number
	Rows     int       // that were read
	Rejected int       // that could not be read
	Reason   *RowError // why the first of them could not

	whole bool // the rows were read to their end
}

// Infer reads up to limit rows (all if limit is 0) and returns the schema they
// suggest. label names the column to predict.
//
// Columns of numbers are numbers (with scale log1p before standardize where
// they are far from symmetric); of true and false, yes and no, or t and f
// booleans; of other text categories: one_hot up to 32 of them, else embedding,
// and unknown ones give zeros where some are rare. Vectors of whole numbers from
// 0 to 255 are rescaled. 32 or more columns of numbers with one name and
// consecutive numbers from 0 or 1 ("pixel0", "c1") are one vector. Where values
// are missing there is a policy: the median and an indicator for numbers, the
// mean for vectors, a category of its own for categories. Columns without values,
// of dates, of texts that (nearly) all differ, and those that count rows are left out.
// Features that seem to give away a label that is a number, by a correlation of nearly
// 1 or as two that add up to it, are kept, with a note.
//
// A label of text is a category, one of true and false boolean; whole numbers
// are classes if they are 0 and 1 or at most 20 different ones over at least 40
// rows; other numbers are numbers, standardized. Of a category that has 2 to 100
// classes, the schema lists them, if the rows were read to their end.
func Infer(r Reader, label string, limit int) (*Inferred, error) {
	in := &Inferred{Notes: make(map[string]string)}
	var numbers sample
	profiles, err := in.read(r, limit, &numbers)
	if err != nil {
		return nil, err
	}
	if in.Rows == 0 {
		if in.Reason != nil {
			return nil, fmt.Errorf("no row could be read: %w", in.Reason)
		}
		return nil, invalidf("there are no rows")
	}
	at := labelOf(profiles, label)
	if at < 0 {
		return nil, invalidf("there is no column %q for the label: the columns are %s", label, list(names(r.Columns())))
	}
	if err := in.label(profiles[at], cmp.Or(label, profiles[at].column.Name)); err != nil {
		return nil, err
	}
	for i := 0; i < len(profiles); {
		if i == at || profiles[i].column.Role != RoleValue {
			i++
			continue
		}
		if n := sequence(profiles[i:], at-i); n >= vectorColumns {
			in.columnsVector(profiles[i:i+n], profiles, label)
			i += n
			continue
		}
		in.feature(profiles[i])
		i++
	}
	if len(in.Schema.Features) == 0 {
		return nil, invalidf("no column besides the label %q is of use as a feature", label)
	}
	if err := in.Schema.Validate(); err != nil {
		return nil, fmt.Errorf("inferring a schema: %w", err)
	}
	if in.Schema.Label.Type == feature.Number {
		in.leaks(&numbers, profiles, at)
	}
	return in, nil
}

// read profiles the columns.
func (in *Inferred) read(r Reader, limit int, numbers *sample) ([]*profile, error) {
	var profiles []*profile
	for limit <= 0 || in.Rows < limit {
		values, err := r.Read()
		if errors.Is(err, io.EOF) {
			in.whole = true
			break
		}
		if bad, ok := errors.AsType[*RowError](err); ok {
			in.Rejected++
			in.Reason = cmp.Or(in.Reason, bad)
			continue
		}
		if err != nil {
			return nil, err //nolint:wrapcheck // as the reader gives it
		}
		columns := r.Columns()
		for i := len(profiles); i < len(columns); i++ {
			p := newProfile(columns[i])
			p.rows, p.missing = in.Rows, in.Rows // the rows before did not have it
			profiles = append(profiles, p)
		}
		in.Rows++
		numbers.add(values)
		for i, p := range profiles {
			p.add(values[i], r.Line())
		}
	}
	return profiles, nil
}

// labelOf returns the position of the label's column, or -1.
func labelOf(profiles []*profile, label string) int {
	at := -1
	for i, p := range profiles {
		switch {
		case p.column.Role == RoleLabel:
			return i
		case p.column.Role == RoleValue && p.column.Name == label:
			at = i
		}
	}
	return at
}

func (in *Inferred) note(name, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if before := in.Notes[name]; before != "" {
		text = before + ", " + text
	}
	in.Notes[name] = text
}

func (in *Inferred) label(p *profile, name string) error {
	l := &in.Schema.Label
	*l = feature.Label{Name: name, Type: feature.Category}
	n := len(p.distinct)
	switch {
	case p.present() == 0:
		return invalidf("the label %q has no value", name)
	case p.vectors > 0:
		return invalidf("the label %q is a list of numbers: a number, category or boolean is due", name)
	case p.truths == p.present():
		l.Type = feature.Boolean
	case p.numbers == p.present():
		binary := n == 2 && p.least == 0 && p.most == 1
		classes := !p.fraction && !p.overflow && n <= classLimit && p.rows >= classRows
		if !binary && !classes {
			l.Type, l.Scale = feature.Number, []feature.Scale{feature.Standardize}
		}
	}
	if l.Type == feature.Number {
		in.note(name, "%s", p.span())
	} else {
		in.Classes = n
		if l.Type == feature.Category && in.whole && 2 <= n && n <= listedClasses {
			l.Classes = slices.Collect(maps.Keys(p.distinct))
			feature.SortClasses(l.Classes)
		}
		in.note(name, "%s", counted(n, "class", "classes"))
	}
	if p.missing > 0 {
		in.note(name, "%s", counted(p.missing, "row has none and is of no use", "rows have none and are of no use"))
	}
	return nil
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// feature decides what a column is.
func (in *Inferred) feature(p *profile) {
	f := feature.Feature{Name: p.column.Name}
	if why := p.useless(); why != "" {
		in.note(f.Name, "%s: %s", LeftOut, why)
		return
	}
	switch present := p.present(); {
	case p.vectors == present:
		f.Type, f.Size = feature.Vector, p.column.Size
		if p.pixels() {
			f.Scale = []feature.Scale{feature.Rescale}
		}
		if p.missing > 0 {
			f.Missing = feature.MissingMean
		}
		in.note(f.Name, "%s", p.span())
	case p.numbers == present:
		f.Type = feature.Number
		if p.least >= 0 && p.most >= heavyMost && p.skewness() > heavySkew {
			f.Scale = []feature.Scale{feature.Log1p, feature.Standardize}
		}
		if p.missing > 0 {
			f.Missing, f.Indicator = feature.MissingMedian, true
		}
		in.note(f.Name, "%s", p.span())
	case p.truths == present:
		f.Type = feature.Boolean
		if p.missing > 0 {
			f.Missing, f.Fill, f.Indicator = feature.MissingConstant, false, true
		}
		in.note(f.Name, "%s", counted(len(p.distinct), "value", "values"))
	default:
		in.category(&f, p)
	}
	if p.missing > 0 {
		in.note(f.Name, "%d missing", p.missing)
	}
	if p.least == p.most || p.numbers == 0 && p.vectors == 0 && len(p.distinct) == 1 {
		in.note(f.Name, "constant")
	}
	in.Schema.Features = append(in.Schema.Features, f)
}

// useless says why a column is of no use, or nothing.
func (p *profile) useless() string {
	present, n := p.present(), len(p.distinct)
	switch {
	case present == 0:
		return "no values"
	case p.vectors > 0 && p.vectors < present:
		return "lists among other values"
	case p.vectors == present:
	case p.numbers == present:
		if present >= manyRows && p.steps == present-1 {
			return "it counts the rows"
		}
	case p.dates == present:
		return "dates"
	case present >= manyRows && n == present:
		return "all values differ"
	case present >= manyRows && 2*n > present:
		return "most values differ"
	}
	return ""
}

func (in *Inferred) category(f *feature.Feature, p *profile) {
	n := len(p.distinct)
	f.Type = feature.Category
	in.note(f.Name, "%s", counted(n, "value", "values"))
	if n > oneHotCategories {
		f.Encode = feature.Embedding
	}
	if text, count := p.rarest(); p.overflow || count < rareRows && p.present() >= rareRows*n {
		f.Unknown = feature.UnknownZeros
		in.note(f.Name, "%.40q only %s", text, counted(count, "time", "times"))
	} else if n > oneHotCategories {
		f.Unknown = feature.UnknownZeros
	}
	if p.missing > 0 {
		f.Missing = feature.MissingCategory
	}
	if p.numbers > 0 {
		in.note(f.Name, "%d numbers, but %.40q in line %d", p.numbers, p.odd, p.oddLine)
	}
}

// sequence returns how many profiles from the first on are numbers without gaps
// in columns of one name and consecutive numbers. before is the position of the
// label, which ends a sequence, if it is not negative.
func sequence(profiles []*profile, before int) int {
	prefix, start, ok := numberedName(profiles[0].column.Name)
	if !ok || start > 1 {
		return 0
	}
	n := 0
	for i, p := range profiles {
		name := prefix + strconv.Itoa(start+i)
		if i == before || p.column.Name != name || p.column.Role != RoleValue || p.missing > 0 || p.numbers != p.rows {
			break
		}
		n++
	}
	return n
}

// numberedName splits a name into text and the number at its end.
func numberedName(name string) (prefix string, n int, ok bool) {
	prefix = strings.TrimRightFunc(name, unicode.IsDigit)
	n, err := strconv.Atoi(name[len(prefix):])
	return prefix, n, err == nil && prefix != "" && prefix+strconv.Itoa(n) == name
}

// columnsVector makes one vector of numbered columns. Bind finds them again by
// the vector's name, so that is what their names have in common.
func (in *Inferred) columnsVector(run, all []*profile, label string) {
	prefix, _, _ := numberedName(run[0].column.Name)
	f := feature.Feature{Name: strings.TrimSuffix(prefix, "_"), Type: feature.Vector, Size: len(run)}
	for _, p := range all {
		if p.column.Name == f.Name || label == f.Name {
			for _, p := range run {
				in.feature(p)
			}
			return
		}
	}
	whole := newProfile(run[0].column)
	for _, p := range run {
		whole.least, whole.most = min(whole.least, p.least), max(whole.most, p.most)
		whole.fraction = whole.fraction || p.fraction
	}
	if whole.pixels() {
		f.Scale = []feature.Scale{feature.Rescale}
	}
	in.note(f.Name, "columns %s to %s, %s", run[0].column.Name, run[len(run)-1].column.Name, whole.span())
	in.Schema.Features = append(in.Schema.Features, f)
}
