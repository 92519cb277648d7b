package drift

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/modelbus/modelbus/model/feature"
)

// Options are the settings of a [Sketch]. Zero fields mean the default.
type Options struct {
	Bins       int    `json:"bins"`       // of numbers, each as full as the next in the reference; from 2 to 100, default 10
	Sample     int    `json:"sample"`     // numbers kept of a column for the Kolmogorov-Smirnov test, from 16 to 4096; default 512, less with more than 64 columns
	Categories int    `json:"categories"` // the most frequent categories that are counted one by one, from 2 to 1000; default 100
	Seed       uint64 `json:"seed"`       // of the sample

	// First is the number of the first row in its stream. Sketches of consecutive
	// parts merge into exactly the sample of the whole.
	First int64 `json:"first"`
}

// allSamples bounds the numbers that the samples of all columns hold.
const allSamples = 1 << 15

func (o Options) complete(columns int) (Options, error) {
	o.Bins, o.Categories = cmp.Or(o.Bins, 10), cmp.Or(o.Categories, 100)
	o.Sample = cmp.Or(o.Sample, max(16, min(512, allSamples/max(columns, 1))))
	for _, v := range []struct {
		name           string
		got, low, high int
	}{{"bins", o.Bins, 2, 100}, {"sample", o.Sample, 16, 4096}, {"categories", o.Categories, 2, 1000}} {
		if v.got < v.low || v.got > v.high {
			return o, fmt.Errorf("%w: %s must be from %d to %d, got %d", ErrInvalid, v.name, v.low, v.high, v.got)
		}
	}
	if o.First < 0 || o.First > maxCount {
		return o, fmt.Errorf("%w: first must not be negative, got %d", ErrInvalid, o.First)
	}
	return o, nil
}

// A Sketch summarises the rows that a model is trained on, and its predictions
// for them, in memory that does not grow with their number. See [NewSketch].
type Sketch struct {
	reader  reader
	options Options
	columns []columnSketch
}

// columnSketch summarises a column.
type columnSketch struct {
	Rows    int64            `json:"rows"` // missing ones included
	Missing int64            `json:"missing"`
	Moments moments          `json:"moments"`
	Sample  sample           `json:"sample,omitempty"`
	Words   map[string]int64 `json:"words,omitempty"`
	Rest    int64            `json:"rest,omitempty"` // rows with categories beyond maxWords
}

// maxWords is how many categories are told apart while sketching.
const maxWords = 4096

// moments are those of a stream of numbers (Welford 1962); two merge by Chan,
// Golub and LeVeque (1979).
type moments struct {
	N    int64   `json:"n"`
	Mean float64 `json:"mean"`
	Dev  float64 `json:"dev"` // sum of squares about the mean
	Min  float64 `json:"min"`
	Max  float64 `json:"max"`
}

func (m *moments) add(x float64) {
	if m.N == 0 {
		m.Min, m.Max = x, x
	}
	m.N++
	m.Min, m.Max = min(m.Min, x), max(m.Max, x)
	off := x - m.Mean
	m.Mean += off / float64(m.N)
	m.Dev += off * (x - m.Mean)
}

func (m *moments) merge(o moments) {
	if m.N == 0 || o.N == 0 {
		if o.N > 0 {
			*m = o
		}
		return
	}
	n := m.N + o.N
	off, share := o.Mean-m.Mean, float64(o.N)/float64(n)
	m.Dev += o.Dev + off*off*float64(m.N)*share
	m.Mean += off * share
	m.Min, m.Max, m.N = min(m.Min, o.Min), max(m.Max, o.Max), n
}

// NewSketch returns a sketch of no rows of the schema, which must be valid and
// must not be changed.
func NewSketch(s *feature.Schema, o Options) (*Sketch, error) {
	k := &Sketch{reader: newReader(s)}
	var err error
	if k.options, err = o.complete(len(k.reader.columns)); err != nil {
		return nil, err
	}
	k.columns = make([]columnSketch, len(k.reader.columns))
	return k, nil
}

// Add takes the rows of f that are listed.
func (k *Sketch) Add(f *feature.Frame, rows []int) error {
	if err := k.reader.check(f); err != nil {
		return err
	}
	k.reader.read(k, f, rowSet{list: rows, n: len(rows)})
	return nil
}

// AddPredictions takes what the model said of some rows.
func (k *Sketch) AddPredictions(p Predictions) error { return k.reader.readPredictions(k, p) }

// extent bounds the numbers of sketches and windows: those beyond cannot be
// squared and summed, and count as if they were it.
const extent = 1e140

func (k *Sketch) numbers(column int, values []float64) {
	c := &k.columns[column]
	for _, x := range values {
		if math.IsNaN(x) {
			k.absent(column)
			continue
		}
		x = min(max(x, -extent), extent)
		c.Sample.offer(k.options.Sample, drawn{X: x, Priority: priority(k.options.Seed, k.options.First+c.Rows)})
		c.Rows++
		c.Moments.add(x)
	}
}

func (k *Sketch) word(column int, word string) {
	c := &k.columns[column]
	c.Rows++
	if c.Words == nil {
		c.Words = make(map[string]int64)
	}
	if _, known := c.Words[word]; !known && len(c.Words) >= maxWords {
		c.Rest++
		return
	}
	c.Words[word]++
}

func (k *Sketch) absent(column int) {
	k.columns[column].Rows++
	k.columns[column].Missing++
}

// Merge adds what o has seen, which must be of the same schema and options, but
// for First. o is left alone.
func (k *Sketch) Merge(o *Sketch) error {
	same := o.options
	same.First = k.options.First
	if same != k.options || !slices.Equal(k.reader.columns, o.reader.columns) {
		return fmt.Errorf("%w: two sketches of different columns or options cannot be merged", ErrInvalid)
	}
	for i := range k.columns {
		k.columns[i].merge(&o.columns[i], k.options.Sample)
	}
	return nil
}

func (c *columnSketch) merge(o *columnSketch, size int) {
	c.Rows += o.Rows
	c.Missing += o.Missing
	c.Rest += o.Rest
	c.Moments.merge(o.Moments)
	for _, d := range o.Sample {
		c.Sample.offer(size, d)
	}
	if c.Words == nil {
		c.Words = make(map[string]int64, len(o.Words))
	}
	for _, w := range mostFrequent(o.Words) {
		if _, known := c.Words[w.word]; !known && len(c.Words) >= maxWords {
			c.Rest += w.n
			continue
		}
		c.Words[w.word] += w.n
	}
}

type counted struct {
	word string
	n    int64
}

// mostFrequent returns words in the order of their counts, equals as text.
func mostFrequent(words map[string]int64) []counted {
	list := make([]counted, 0, len(words))
	for w, n := range words {
		list = append(list, counted{w, n})
	}
	slices.SortFunc(list, func(a, b counted) int {
		return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.word, b.word))
	})
	return list
}

// MarshalJSON implements [json.Marshaler].
func (k *Sketch) MarshalJSON() ([]byte, error) {
	return json.Marshal(sketchState{k.options, k.columns})
}

type sketchState struct {
	Options Options        `json:"options"`
	Columns []columnSketch `json:"columns"`
}

// UnmarshalJSON implements [json.Unmarshaler] for a sketch made by [NewSketch] for
// the same schema; the options become those that were saved.
func (k *Sketch) UnmarshalJSON(text []byte) error {
	var state sketchState
	err := restore(text, "a sketch", &state, func(s *sketchState) error {
		if len(s.Columns) != len(k.columns) {
			return fmt.Errorf("it has %d columns, %d are due", len(s.Columns), len(k.columns))
		}
		o, err := s.Options.complete(len(k.columns))
		if err != nil || o != s.Options {
			return fmt.Errorf("the options are not complete: %w", err)
		}
		for i := range s.Columns {
			if err := s.Columns[i].check(k.reader.columns[i], o.Sample); err != nil {
				return fmt.Errorf("column %s: %w", k.reader.columns[i], err)
			}
		}
		return nil
	})
	if err == nil {
		k.options, k.columns = state.Options, state.Columns
	}
	return err
}

func (c *columnSketch) check(column Column, size int) error {
	known := c.Moments.N
	if !column.number() {
		known += c.Rest
		for w, n := range c.Words {
			if !utf8.ValidString(w) || n < 1 || n > maxCount {
				return fmt.Errorf("category %.60q is counted %d times", w, n)
			}
			known += n
		}
	}
	switch m := c.Moments; {
	case c.Rows < 0 || c.Rows > maxCount || c.Missing < 0 || c.Rest < 0 || m.N < 0 || known+c.Missing != c.Rows:
		return fmt.Errorf("%d values and %d missing ones are not %d rows", known, c.Missing, c.Rows)
	case len(c.Words) > maxWords || column.number() && len(c.Words)+int(c.Rest) > 0 || !column.number() && m.N > 0:
		return fmt.Errorf("%d categories and %d numbers are not a column of type %s", len(c.Words), m.N, column.Type)
	case int64(len(c.Sample)) != min(m.N, int64(size)):
		return fmt.Errorf("a sample of %d of %d numbers, at most %d are due", len(c.Sample), m.N, size)
	case !usableMoments(m):
		return fmt.Errorf("the moments are not finite")
	}
	for _, d := range c.Sample {
		if !(d.X >= c.Moments.Min && d.X <= c.Moments.Max) {
			return fmt.Errorf("the sample has %v, which is not from %v to %v", d.X, c.Moments.Min, c.Moments.Max)
		}
	}
	c.Sample.heapify()
	return nil
}

func usableMoments(m moments) bool {
	const most = 4 * extent * extent * maxCount
	return math.Abs(m.Mean) <= extent && m.Dev >= 0 && m.Dev <= most && m.Min >= -extent && m.Min <= m.Max && m.Max <= extent
}
