package dataset

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/modelbus/modelbus/model/feature"
)

// Bound yields rows that fit a schema, from a reader's columns by name.
type Bound struct {
	reader  Reader
	schema  *feature.Schema
	columns int     // how many the reader had when they were matched
	from    [][]int // by feature: its column, or one for each number of a vector; none if it has none yet
	label   int     // its column, or -1
	weight  int     // its column, or -1
	dropped int     // the label's column if nobody wants it, or -1
	use     string  // what the caller wants of the label
	row     feature.Row
	vectors [][]float32     // by feature, where put together from columns
	parts   []feature.Value // scratch: the numbers of one
}

// Bind matches columns to features and label by name. Columns that the schema
// does not name are ignored ([Bound.Ignored] tells which); a feature without column
// is an error that lists the columns there are, and one of them that may be meant
// (unless the file is JSON Lines, where later rows may have it, and the feature may
// be missing). A vector is one column, or as many
// as it has numbers, named after it and counted from 0 or 1: "x[0]", "x0" or
// "x_0". The label's column is required with label "required", used where there
// with "optional", and ignored with "none".
//
// A file without header that does not match so is matched by position if its
// width fits the schema, a vector taking Size columns or one: the label's
// column is then the one that its name says ("c1" is the first), else the last.
func Bind(r Reader, s *feature.Schema, label string) (*Bound, error) {
	if label != "required" && label != "optional" && label != "none" {
		return nil, invalidf("label is %q: %q, %q or %q is due", label, "required", "optional", "none")
	}
	b := &Bound{
		reader: r, schema: s, use: label,
		row:     feature.Row{Values: make([]feature.Value, len(s.Features))},
		vectors: make([][]float32, len(s.Features)),
	}
	if err := b.match(); err != nil {
		return nil, err
	}
	return b, nil
}

// match finds columns by name, else by position.
func (b *Bound) match() error {
	if err := b.matchNames(); err != nil && !b.matchPositions() {
		return err
	}
	for i, from := range b.from {
		if len(from) > 1 {
			b.vectors[i] = make([]float32, len(from))
		}
	}
	return nil
}

func (b *Bound) matchNames() error {
	columns := b.reader.Columns()
	b.columns = len(columns)
	b.from = make([][]int, len(b.schema.Features))
	var lost []string
	for i := range b.schema.Features {
		f := &b.schema.Features[i]
		b.from[i] = columnsOf(columns, f)
		if len(b.from[i]) == 0 && !b.mayCome(f) {
			lost = append(lost, f.Name)
		}
	}
	b.label, b.weight, b.dropped = -1, -1, -1
	for i, c := range columns {
		switch {
		case c.Role == RoleWeight:
			b.weight = i
		case c.Role == RoleLabel, c.Role == RoleValue && c.Name == b.schema.Label.Name && b.label < 0:
			b.label = i
		}
	}
	if b.use == "none" {
		b.label, b.dropped = -1, b.label
	}
	if len(lost) > 0 {
		return invalidf("there is no column for %s: the columns are %s%s", list(lost), list(names(columns)), b.misspelled())
	}
	if b.use == "required" && b.label < 0 && !b.open() {
		return invalidf("there is no column for the label %q: the columns are %s%s",
			b.schema.Label.Name, list(names(columns)), b.misspelled())
	}
	return nil
}

// open reports whether later rows may add columns.
func (b *Bound) open() bool {
	_, ok := b.reader.(*jsonReader)
	return ok && b.columns == 0 // the first row was unreadable
}

// mayCome reports whether a feature without column may do without for now.
func (b *Bound) mayCome(f *feature.Feature) bool {
	_, ok := b.reader.(*jsonReader)
	return b.open() || ok && f.Missing != "" && f.Missing != feature.MissingError
}

// columnsOf returns the columns that hold a feature.
func columnsOf(columns []Column, f *feature.Feature) []int {
	for i, c := range columns {
		if c.Name == f.Name && c.Role == RoleValue {
			return []int{i}
		}
	}
	if f.Type != feature.Vector {
		return nil
	}
	index := make(map[string]int, len(columns))
	for i, c := range columns {
		index[c.Name] = i
	}
	for _, form := range []string{"%s[%d]", "%s%d", "%s_%d"} {
		for start := range 2 {
			if found := numbered(index, form, f, start); found != nil {
				return found
			}
		}
	}
	return nil
}

func numbered(index map[string]int, form string, f *feature.Feature, start int) []int {
	var found []int
	for k := range f.Size {
		i, ok := index[fmt.Sprintf(form, f.Name, start+k)]
		if !ok {
			return nil
		}
		found = append(found, i)
	}
	return found
}

// matchPositions matches a file without header and reports whether it fits.
func (b *Bound) matchPositions() bool {
	columns := b.reader.Columns()
	for i, c := range columns {
		if c.Name != "c"+strconv.Itoa(i+1) && c.Role == RoleValue {
			return false
		}
	}
	positions := make([]int, 0, len(columns))
	for i, c := range columns {
		if c.Role == RoleValue {
			positions = append(positions, i)
		}
	}
	told := b.label >= 0 && columns[b.label].Role == RoleLabel
	if !told {
		b.label = -1
	}
	if !b.place(positions) {
		if told || len(positions) == 0 {
			return false
		}
		at := len(positions) - 1
		if k, err := strconv.Atoi(strings.TrimPrefix(b.schema.Label.Name, "c")); err == nil && k >= 1 && k <= len(positions) && "c"+strconv.Itoa(k) == b.schema.Label.Name {
			at = k - 1
		}
		if b.label = positions[at]; b.use == "none" {
			b.label, b.dropped = -1, b.label
		}
		return b.place(slices.Delete(positions, at, at+1))
	}
	return b.use != "required" || b.label >= 0
}

// place gives features columns in order and reports whether they are exactly
// enough.
func (b *Bound) place(positions []int) bool {
	columns := b.reader.Columns()
	at := 0
	for i := range b.schema.Features {
		f := &b.schema.Features[i]
		n := 1
		if f.Type == feature.Vector && at < len(positions) && columns[positions[at]].Size <= 1 {
			n = f.Size
		}
		if at+n > len(positions) {
			return false
		}
		b.from[i] = positions[at : at+n : at+n]
		at += n
	}
	return at == len(positions)
}

// HasLabel reports whether rows carry a label.
func (b *Bound) HasLabel() bool { return b.label >= 0 }

// Line returns the line of the row last read, like [Reader].
func (b *Bound) Line() int { return b.reader.Line() }

// Read returns the next row like [Reader]; it is valid until the next call.
func (b *Bound) Read() (feature.Row, error) {
	values, err := b.reader.Read()
	if err != nil {
		return feature.Row{}, err //nolint:wrapcheck // as the reader gives it
	}
	if len(values) > b.columns {
		if err := b.match(); err != nil {
			return feature.Row{}, b.rowError(err)
		}
	}
	for i, from := range b.from {
		switch len(from) {
		case 0:
			b.row.Values[i] = feature.Value{}
		case 1:
			b.row.Values[i] = values[from[0]]
			b.single(i)
		default:
			if err := b.join(i, values); err != nil {
				return feature.Row{}, b.rowError(err)
			}
		}
	}
	b.row.Label, b.row.Weight = feature.Value{}, 0
	if b.label >= 0 {
		b.row.Label = values[b.label]
	}
	if b.weight >= 0 {
		if b.row.Weight, err = weight(values[b.weight]); err != nil {
			return feature.Row{}, b.rowError(err)
		}
	}
	return b.row, nil
}

func (b *Bound) rowError(err error) error { return &RowError{Line: b.reader.Line(), Err: err} }

// single turns a number into the vector of one number where that is due.
func (b *Bound) single(i int) {
	f, v := &b.schema.Features[i], &b.row.Values[i]
	if f.Type != feature.Vector || f.Size != 1 {
		return
	}
	if x, ok := number(*v); ok {
		*v = feature.Value{Kind: feature.KindVector, Vector: []float32{x}}
	}
}

// join puts a vector together; it is missing if all its numbers are.
func (b *Bound) join(i int, values []feature.Value) error {
	b.parts = b.parts[:0]
	for _, from := range b.from[i] {
		b.parts = append(b.parts, values[from])
	}
	missing, err := join(&b.schema.Features[i], b.vectors[i], b.parts)
	if err != nil {
		return err
	}
	b.row.Values[i] = feature.Value{}
	if !missing {
		b.row.Values[i] = feature.Value{Kind: feature.KindVector, Vector: b.vectors[i]}
	}
	return nil
}

// number returns the number in v, if it holds one that is a float32.
func number(v feature.Value) (float32, bool) {
	x := v.Num
	switch v.Kind {
	case feature.KindNumber:
	case feature.KindCell:
		var err error
		if x, err = strconv.ParseFloat(v.Text, 64); err != nil || !decimal(v.Text) {
			return 0, false
		}
	case feature.KindMissing, feature.KindText, feature.KindBool, feature.KindVector:
		return 0, false
	}
	return float32(x), math.Abs(x) <= math.MaxFloat32
}

// decimal reports whether s has only what a decimal number has: strconv also
// reads hexadecimal, infinities and NaN.
func decimal(s string) bool { return strings.Trim(s, "0123456789+-.eE") == "" }

func weight(v feature.Value) (float64, error) {
	switch {
	case v.Kind == feature.KindMissing:
		return 0, nil
	case v.Kind == feature.KindNumber && v.Num > 0:
		return v.Num, nil
	}
	if v.Kind == feature.KindNumber {
		return 0, invalidf("got weight %v: a number above 0 is due", v.Num)
	}
	return 0, invalidf("got weight %.40q: a number above 0 is due", v.Text)
}

func names(columns []Column) []string {
	words := make([]string, len(columns))
	for i, c := range columns {
		words[i] = c.Name
	}
	return words
}

// list names up to twenty words.
func list(words []string) string {
	const limit = 20
	var b strings.Builder
	for i, w := range words[:min(len(words), limit)] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%.60q", w)
	}
	if more := len(words) - limit; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}
