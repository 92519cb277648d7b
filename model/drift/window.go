package drift

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/modelbus/modelbus/model/feature"
)

// A Window counts live rows to compare them with a reference. Its memory does
// not grow with the number of rows; counting one takes some tens of nanoseconds
// a column. See [NewWindow].
type Window struct {
	reader    reader
	reference *Reference
	words     []wordIndex // by column
	columns   []columnWindow
}

// A wordIndex tells where words are counted.
type wordIndex struct {
	slots    map[string]slot
	complete bool  // a word that slots lacks is unknown
	before   int64 // rows of the reference with unknown words
}

type slot struct {
	at      int // in the counts
	unknown bool
}

// columnWindow counts one column.
type columnWindow struct {
	Rows    int64     `json:"rows"` // missing ones included
	Missing int64     `json:"missing"`
	Unknown int64     `json:"unknown,omitempty"`
	Counts  []int64   `json:"counts,omitempty"` // as the reference's
	Sum     float64   `json:"sum,omitempty"`
	Sample  []float32 `json:"sample,omitempty"`
}

// NewWindow returns a window of no rows. The reference must be of the schema. A
// category is unknown if it is not in the vocabulary of its feature, which are
// those of a pipeline's state; without one it is if the reference counted all
// categories that there were, and this is none of them.
func NewWindow(r *Reference, s *feature.Schema, vocabularies map[string][]string) (*Window, error) {
	w := &Window{reader: newReader(s), reference: r}
	columns := r.state.Columns
	if !slices.EqualFunc(columns, w.reader.columns, func(a ColumnReference, b Column) bool { return a.Column == b }) {
		return nil, fmt.Errorf("%w: the reference is of another schema: it has %d columns", ErrInvalid, len(columns))
	}
	w.words = make([]wordIndex, len(columns))
	for i := range columns {
		if c := &columns[i]; !c.number() {
			w.words[i] = indexWords(c, vocabularies[c.Feature])
		}
	}
	w.columns = make([]columnWindow, len(columns))
	for i := range w.columns {
		w.columns[i].Counts = make([]int64, len(columns[i].Counts))
	}
	return w, nil
}

func indexWords(c *ColumnReference, vocabulary []string) wordIndex {
	rest := len(c.Words)
	x := wordIndex{slots: make(map[string]slot, len(c.Words)+len(vocabulary))}
	switch {
	case c.Type == feature.Boolean:
		vocabulary = []string{"false", "true"}
	case c.Feature == PredictionColumn: // a class never predicted before is not unknown
	default:
		x.complete = vocabulary != nil || len(c.Counts) > 0 && c.Counts[rest] == 0
	}
	for _, word := range vocabulary {
		x.slots[word] = slot{at: rest}
	}
	for i, word := range c.Words {
		_, known := x.slots[word]
		unknown := vocabulary != nil && !known
		x.slots[word] = slot{i, unknown}
		if unknown {
			x.before += c.Counts[i]
		}
	}
	return x
}

// Reset empties w and keeps its memory.
func (w *Window) Reset() {
	for i := range w.columns {
		c := &w.columns[i]
		clear(c.Counts)
		*c = columnWindow{Counts: c.Counts, Sample: c.Sample[:0]}
	}
}

// Rows returns how many rows were added.
func (w *Window) Rows() int64 { return w.columns[0].Rows }

// Add counts the rows of f that are listed.
func (w *Window) Add(f *feature.Frame, rows []int) error {
	if err := w.reader.check(f); err != nil {
		return err
	}
	w.reader.read(w, f, rowSet{list: rows, n: len(rows)})
	return nil
}

// AddRange counts rows [lo, hi) of f.
func (w *Window) AddRange(f *feature.Frame, lo, hi int) error {
	if err := w.reader.check(f); err != nil {
		return err
	}
	w.reader.read(w, f, rowSet{first: lo, n: hi - lo})
	return nil
}

// AddPredictions counts what the model said.
func (w *Window) AddPredictions(p Predictions) error { return w.reader.readPredictions(w, p) }

func (w *Window) numbers(column int, values []float64) {
	c := &w.columns[column]
	edges := w.reference.state.Columns[column].Edges
	size := int64(w.reference.state.Sample)
	for _, x := range values {
		i := c.Rows
		c.Rows++
		switch {
		case x != x:
			c.Missing++
			continue
		case x > extent:
			x = extent
		case x < -extent:
			x = -extent
		}
		c.Sum += x
		if len(c.Counts) > 0 {
			c.Counts[binOf(edges, x)]++
		}
		// Vitter's reservoir (1985, algorithm R) with a random number for each row.
		if n := c.Rows - c.Missing; n <= size {
			c.Sample = append(c.Sample, single(x))
		} else if slot := below(0x77696e646f77, i, n); slot < size {
			c.Sample[slot] = single(x)
		}
	}
}

func (w *Window) word(column int, word string) {
	c := &w.columns[column]
	c.Rows++
	x := &w.words[column]
	s, listed := x.slots[word]
	if !listed {
		s = slot{len(c.Counts) - 1, x.complete}
	}
	if s.unknown {
		c.Unknown++
	}
	// What is unknown and was not in the reference either has a share of its own,
	// and leaves the distribution of the others as it is.
	if len(c.Counts) > 0 && (listed || !s.unknown) {
		c.Counts[s.at]++
	}
}

func (w *Window) absent(column int) {
	w.columns[column].Rows++
	w.columns[column].Missing++
}

// recounted returns the reference with the counts of w, which has seen the same
// rows.
func (w *Window) recounted() *Reference {
	r := &Reference{referenceState{Sample: w.reference.state.Sample, Columns: slices.Clone(w.reference.state.Columns)}}
	for i := range r.state.Columns {
		r.state.Columns[i].Counts = slices.Clone(w.columns[i].Counts)
	}
	return r
}

// MarshalJSON implements [json.Marshaler].
func (w *Window) MarshalJSON() ([]byte, error) { return json.Marshal(w.columns) }

// UnmarshalJSON implements [json.Unmarshaler] for a window made by [NewWindow] for
// the same reference.
func (w *Window) UnmarshalJSON(text []byte) error {
	return restore(text, "a window", &w.columns, func(columns *[]columnWindow) error {
		if len(*columns) != len(w.reader.columns) {
			return fmt.Errorf("it has %d columns, %d are due", len(*columns), len(w.reader.columns))
		}
		for i := range *columns {
			r := &w.reference.state.Columns[i]
			if err := (*columns)[i].check(r, w.reference.state.Sample); err != nil {
				return fmt.Errorf("column %s: %w", r.Column, err)
			}
			if (*columns)[i].Counts == nil {
				(*columns)[i].Counts = []int64{}
			}
		}
		return nil
	})
}

func (c *columnWindow) check(r *ColumnReference, size int) error {
	known := int64(0)
	for _, n := range c.Counts {
		if n < 0 || n > maxCount {
			return fmt.Errorf("a count is %d", n)
		}
		known += n
	}
	present := c.Rows - c.Missing
	switch {
	case c.Rows < 0 || c.Rows > maxCount || c.Missing < 0 || present < 0 || len(c.Counts) != len(r.Counts):
		return fmt.Errorf("%d counts of %d rows, %d missing", len(c.Counts), c.Rows, c.Missing)
	case c.Unknown < 0 || c.Unknown > present || known > present || len(c.Counts) > 0 && known+c.Unknown < present:
		return fmt.Errorf("%d counts, %d unknown and %d missing are not %d rows", known, c.Unknown, c.Missing, c.Rows)
	case r.number() && int64(len(c.Sample)) != min(present, int64(size)) || !r.number() && len(c.Sample) > 0:
		return fmt.Errorf("a sample of %d of %d numbers", len(c.Sample), present)
	case !(math.Abs(c.Sum) <= extent*maxCount):
		return fmt.Errorf("the sum is %v", c.Sum)
	}
	for i, x := range c.Sample {
		if !finite(float64(x)) {
			return fmt.Errorf("value %d of the sample is %v", i, x)
		}
	}
	return nil
}
