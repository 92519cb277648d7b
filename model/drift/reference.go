package drift

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/modelbus/modelbus/model/feature"
)

// A Reference is what live rows are compared with: how each feature was
// distributed in the rows that a model was trained on, and its predictions. It is
// immutable, and as JSON some 8 kB a number column at most.
type Reference struct {
	state referenceState
}

type referenceState struct {
	Sample  int               `json:"sample"` // numbers that a window may sample too
	Columns []ColumnReference `json:"columns"`
}

// A ColumnReference is the reference of one column. Callers must not change it.
type ColumnReference struct {
	Column

	Rows    int64 `json:"rows"` // missing ones included; 0 if the column was never given
	Missing int64 `json:"missing"`

	// Of numbers: Edges are quantiles of the reference, ascending; bin i holds
	// the numbers above Edges[i−1] and up to Edges[i], the first and the last bin
	// have no other end.
	Edges    []float64 `json:"edges,omitempty"`
	Sample   []float32 `json:"values,omitempty"` // sorted
	Min      float64   `json:"min,omitempty"`
	Max      float64   `json:"max,omitempty"`
	Mean     float64   `json:"mean,omitempty"`
	Variance float64   `json:"variance,omitempty"`

	// Of categories: the most frequent.
	Words []string `json:"words,omitempty"`

	// Counts of the bins, or of the Words and, last, of the categories that are
	// not among them.
	Counts []int64 `json:"counts,omitempty"`
}

// Columns returns the references of all columns. Callers must not change them.
func (r *Reference) Columns() []ColumnReference { return r.state.Columns }

// Column returns the reference of a feature that is not a vector, and whether
// there is one.
func (r *Reference) Column(name string) (*ColumnReference, bool) {
	for i := range r.state.Columns {
		if c := &r.state.Columns[i]; c.Feature == name && c.Part == "" {
			return c, true
		}
	}
	return nil, false
}

// Quantile returns the number below which a share q of the reference's sample is.
// ok is false without numbers.
func (c *ColumnReference) Quantile(q float64) (x float64, ok bool) {
	if len(c.Sample) == 0 || !(q >= 0 && q <= 1) {
		return 0, false
	}
	values := make([]float64, len(c.Sample))
	for i, v := range c.Sample {
		values[i] = float64(v)
	}
	return quantile(values, q), true
}

// Reference returns the reference that the sketch amounts to. Its bins are those
// of the sample; the counts of numbers are exact if there were no more of them
// than the sample holds, else estimated from it. [Fit], which sees rows twice,
// counts exactly.
func (k *Sketch) Reference() *Reference {
	r := &Reference{referenceState{Sample: k.options.Sample}}
	for i := range k.columns {
		r.state.Columns = append(r.state.Columns, k.columns[i].reference(k.reader.columns[i], k.options))
	}
	return r
}

// Fit returns the reference of the listed rows of f and of the predictions for
// them, which may be empty, in two passes.
func Fit(f *feature.Frame, rows []int, p Predictions, o Options) (*Reference, error) {
	k, err := NewSketch(f.Schema(), o)
	if err != nil {
		return nil, err
	}
	if err := k.Add(f, rows); err != nil {
		return nil, err
	}
	if err := k.AddPredictions(p); err != nil {
		return nil, err
	}
	w, err := NewWindow(k.Reference(), f.Schema(), nil)
	if err != nil {
		return nil, err
	}
	if err := w.Add(f, rows); err != nil {
		return nil, err
	}
	if err := w.AddPredictions(p); err != nil {
		return nil, err
	}
	return w.recounted(), nil
}

func (c *columnSketch) reference(column Column, o Options) ColumnReference {
	r := ColumnReference{Column: column, Rows: c.Rows, Missing: c.Missing}
	if !column.number() {
		r.countWords(c, o.Categories)
		return r
	}
	if c.Moments.N == 0 {
		return r
	}
	values := c.Sample.sorted()
	r.Min, r.Max, r.Mean = c.Moments.Min, c.Moments.Max, c.Moments.Mean
	r.Variance = c.Moments.Dev / float64(c.Moments.N)
	r.Edges = edgesOf(values, o.Bins)
	r.Counts = make([]int64, len(r.Edges)+1)
	for _, x := range values {
		r.Counts[binOf(r.Edges, x)]++
		r.Sample = append(r.Sample, single(x))
	}
	stretch(r.Counts, int64(len(values)), c.Moments.N)
	return r
}

func (c *ColumnReference) countWords(k *columnSketch, most int) {
	rest := k.Rest
	for i, w := range mostFrequent(k.Words) {
		if i >= most {
			rest += w.n
			continue
		}
		c.Words = append(c.Words, w.word)
		c.Counts = append(c.Counts, w.n)
	}
	if k.Rows > k.Missing {
		c.Counts = append(c.Counts, rest)
	}
}

// edgesOf returns the edges of bins that are equally full of sorted values, fewer
// where values are equal. A least value that is an edge itself gets another edge
// just below it, so that what is less is not of its bin.
func edgesOf(values []float64, bins int) []float64 {
	edges := make([]float64, 0, bins)
	for i := 1; i < bins; i++ {
		edges = append(edges, quantile(values, float64(i)/float64(bins)))
	}
	edges = slices.Compact(edges)
	if edges[0] == values[0] {
		edges = slices.Insert(edges, 0, math.Nextafter(values[0], math.Inf(-1)))
	}
	return edges
}

// quantile interpolates linearly (Hyndman and Fan 1996, definition 7).
func quantile(values []float64, q float64) float64 {
	h := float64(len(values)-1) * q
	i := int(h)
	if i+1 >= len(values) || values[i] == values[i+1] {
		return values[i]
	}
	return values[i] + (values[i+1]-values[i])*(h-float64(i))
}

// binOf returns the bin of x: how many edges are below it.
func binOf(edges []float64, x float64) int {
	bin := 0
	for _, e := range edges {
		if x > e {
			bin++
		}
	}
	return bin
}

// stretch scales counts that add up to from so that they add up to to.
func stretch(counts []int64, from, to int64) {
	if from == to || from == 0 {
		return
	}
	seen, given := int64(0), int64(0)
	for i, n := range counts {
		seen += n
		next := int64(math.Round(float64(to) * (float64(seen) / float64(from))))
		counts[i] = next - given
		given = next
	}
}

// MarshalJSON implements [json.Marshaler]. The same reference gives the same
// bytes.
func (r *Reference) MarshalJSON() ([]byte, error) { return json.Marshal(r.state) }

// UnmarshalJSON implements [json.Unmarshaler].
func (r *Reference) UnmarshalJSON(text []byte) error {
	return restore(text, "a reference", &r.state, func(s *referenceState) error {
		if s.Sample < 16 || s.Sample > 4096 {
			return fmt.Errorf("the sample size is %d", s.Sample)
		}
		for i := range s.Columns {
			if err := s.Columns[i].check(s.Sample); err != nil {
				return fmt.Errorf("column %s: %w", s.Columns[i].Column, err)
			}
		}
		return nil
	})
}

func (c *ColumnReference) check(size int) error {
	known := int64(0)
	for _, n := range c.Counts {
		if n < 0 || n > maxCount {
			return fmt.Errorf("a count is %d", n)
		}
		known += n
	}
	bins := len(c.Counts) - 1
	switch {
	case c.Rows < 0 || c.Rows > maxCount || c.Missing < 0 || known+c.Missing != c.Rows || len(c.Counts) > 2000:
		return fmt.Errorf("%d values and %d missing ones are not %d rows", known, c.Missing, c.Rows)
	case c.Type != feature.Number && c.Type != feature.Category && c.Type != feature.Boolean:
		return fmt.Errorf("the type is %.60q", string(c.Type))
	case known > 0 && bins != len(c.Words)+len(c.Edges), known == 0 && len(c.Words)+len(c.Edges)+len(c.Sample) > 0:
		return fmt.Errorf("%d counts of %d words or %d edges", len(c.Counts), len(c.Words), len(c.Edges))
	case c.number():
		return c.checkNumbers(known > 0, size)
	}
	return c.checkWords()
}

func (c *ColumnReference) checkNumbers(some bool, size int) error {
	switch {
	case len(c.Words) > 0, some && (len(c.Edges) == 0 || len(c.Sample) == 0), len(c.Sample) > size:
		return fmt.Errorf("numbers have %d words, %d edges and a sample of %d", len(c.Words), len(c.Edges), len(c.Sample))
	case !usableMoments(moments{Mean: c.Mean, Min: c.Min, Max: c.Max, Dev: c.Variance}):
		return errors.New("the moments are not finite")
	}
	for i, e := range c.Edges {
		if !finite(e) || i > 0 && e <= c.Edges[i-1] {
			return fmt.Errorf("edge %d is %v", i, e)
		}
	}
	for i, x := range c.Sample {
		if !finite(float64(x)) || i > 0 && x < c.Sample[i-1] {
			return fmt.Errorf("value %d of the sample is %v", i, x)
		}
	}
	return nil
}

func (c *ColumnReference) checkWords() error {
	if len(c.Edges)+len(c.Sample) > 0 {
		return fmt.Errorf("categories have %d edges and a sample of %d", len(c.Edges), len(c.Sample))
	}
	seen := make(map[string]bool, len(c.Words))
	for _, w := range c.Words {
		if seen[w] || !utf8.ValidString(w) {
			return fmt.Errorf("the category %.60q is doubled or not UTF-8", w)
		}
		seen[w] = true
	}
	return nil
}
