package drift

import (
	"fmt"
	"math"

	"github.com/modelbus/modelbus/model/feature"
)

// The names of the columns that a reference has beside the features.
const (
	PredictionColumn = ".prediction" // the number or the class that was predicted
	ScoreColumn      = ".score"      // the probability of the predicted class
)

// The parts of a vector that are compared, each a number a row.
const (
	MeanPart = "mean" // of its numbers
	NormPart = "norm" // its Euclidean length over √size: the root mean square of its numbers
)

// A Column names what is compared: a feature, a part of a vector feature, or what
// was predicted.
type Column struct {
	Feature string       `json:"feature"`
	Part    string       `json:"part,omitempty"`
	Type    feature.Type `json:"type"` // number, boolean or category
}

// String returns the name of c, such as "age" or "pixels.norm".
func (c Column) String() string {
	if c.Part == "" {
		return c.Feature
	}
	return c.Feature + "." + c.Part
}

func (c Column) number() bool { return c.Type == feature.Number }

// columnsOf returns the columns of a schema, those of predictions last, and for
// each the feature it is made of.
func columnsOf(s *feature.Schema) (columns []Column, from []int) {
	for i := range s.Features {
		f := &s.Features[i]
		if f.Type != feature.Vector {
			columns = append(columns, Column{Feature: f.Name, Type: f.Type})
			from = append(from, i)
			continue
		}
		for _, part := range []string{MeanPart, NormPart} {
			columns = append(columns, Column{Feature: f.Name, Part: part, Type: feature.Number})
			from = append(from, i)
		}
	}
	columns = append(columns, Column{Feature: PredictionColumn, Type: s.Label.Type})
	if s.Label.Type != feature.Number {
		columns = append(columns, Column{Feature: ScoreColumn, Type: feature.Number})
	}
	return columns, from
}

// A taker counts the values of columns: a sketch or a window.
type taker interface {
	numbers(column int, x []float64) // NaN where there is none
	word(column int, word string)
	absent(column int)
}

// A reader hands the rows of frames of a schema to a taker.
type reader struct {
	schema  *feature.Schema
	columns []Column
	from    []int
	vector  []float64 // scratch
	numbers []float64 // scratch
	norms   []float64 // scratch, as long
}

func newReader(s *feature.Schema) reader {
	r := reader{schema: s, numbers: make([]float64, 64), norms: make([]float64, 64)}
	r.columns, r.from = columnsOf(s)
	for i := range s.Features {
		if n := s.Features[i].Size; n > len(r.vector) {
			r.vector = make([]float64, n)
		}
	}
	return r
}

// check returns an error unless rows of f can be read.
func (r *reader) check(f *feature.Frame) error {
	s := f.Schema()
	if s == r.schema {
		return nil
	}
	if len(s.Features) != len(r.schema.Features) {
		return fmt.Errorf("%w: the frame has %d features, %d are due", ErrInvalid, len(s.Features), len(r.schema.Features))
	}
	for i := range s.Features {
		got, want := &s.Features[i], &r.schema.Features[i]
		if got.Name != want.Name || got.Type != want.Type || got.Size != want.Size {
			return fmt.Errorf("%w: the frame has feature %q of type %s, %q of type %s is due", ErrInvalid, got.Name, got.Type, want.Name, want.Type)
		}
	}
	return nil
}

// rowSet is the rows of a frame that are listed, or n from first on.
type rowSet struct {
	list     []int
	first, n int
}

func (s *rowSet) at(i int) int {
	if s.list != nil {
		return s.list[i]
	}
	return s.first + i
}

// read hands rows of f, whose schema was checked, to t, column by column.
func (r *reader) read(t taker, f *feature.Frame, rows rowSet) {
	for c := range r.from {
		switch {
		case r.columns[c].Type == feature.Category:
			r.readWords(t, c, f, rows)
		case r.columns[c].Type == feature.Boolean:
			r.readTruths(t, c, f, rows)
		case r.columns[c].Part == "":
			r.readNumbers(t, c, f, rows)
		case r.columns[c].Part == MeanPart: // and NormPart, which is the next column
			r.readVectors(t, c, f, rows)
		}
	}
}

func (r *reader) readWords(t taker, c int, f *feature.Frame, rows rowSet) {
	for i := range rows.n {
		if word, ok := f.Category(r.from[c], rows.at(i)); ok {
			t.word(c, word)
		} else {
			t.absent(c)
		}
	}
}

func (r *reader) readTruths(t taker, c int, f *feature.Frame, rows rowSet) {
	for i := range rows.n {
		switch x, ok := f.Number(r.from[c], rows.at(i)); {
		case !ok:
			t.absent(c)
		case x == 0:
			t.word(c, "false")
		default:
			t.word(c, "true")
		}
	}
}

func (r *reader) readNumbers(t taker, c int, f *feature.Frame, rows rowSet) {
	for lo := 0; lo < rows.n; lo += len(r.numbers) {
		x := r.numbers[:min(len(r.numbers), rows.n-lo)]
		for i := range x {
			var ok bool
			if x[i], ok = f.Number(r.from[c], rows.at(lo+i)); !ok {
				x[i] = math.NaN()
			}
		}
		t.numbers(c, x)
	}
}

// readVectors hands the parts of vectors to columns c and c+1.
func (r *reader) readVectors(t taker, c int, f *feature.Frame, rows rowSet) {
	for lo := 0; lo < rows.n; lo += len(r.numbers) {
		n := min(len(r.numbers), rows.n-lo)
		means, norms := r.numbers[:n], r.norms[:n]
		for i := range n {
			means[i], norms[i] = r.parts(r.from[c], f, rows.at(lo+i))
		}
		t.numbers(c, means)
		t.numbers(c+1, norms)
	}
}

// parts returns the parts of a vector of feature at, NaN if it is missing.
func (r *reader) parts(at int, f *feature.Frame, row int) (mean, norm float64) {
	x := r.vector[:r.schema.Features[at].Size]
	if !f.Vector(x, at, row) {
		return math.NaN(), math.NaN()
	}
	sum, squares := 0.0, 0.0
	for _, v := range x {
		sum += v
		squares += v * v
	}
	return sum / float64(len(x)), math.Sqrt(squares / float64(len(x)))
}

// Predictions are what a model said of some rows. Of a regression there are
// Numbers, of a classification Classes and Scores, one a row.
type Predictions struct {
	Numbers []float32
	Classes []string
	Scores  []float32 // the probability of the class; may be nil
}

// readPredictions hands all of p to t.
func (r *reader) readPredictions(t taker, p Predictions) error {
	at := len(r.from)
	if r.columns[at].number() {
		if len(p.Classes)+len(p.Scores) > 0 {
			return fmt.Errorf("%w: got classes: the model predicts numbers", ErrInvalid)
		}
		r.hand(t, at, p.Numbers)
		return nil
	}
	if len(p.Numbers) > 0 || p.Scores != nil && len(p.Scores) != len(p.Classes) {
		return fmt.Errorf("%w: got %d numbers and %d scores of %d classes: a class and a score a row are due", ErrInvalid, len(p.Numbers), len(p.Scores), len(p.Classes))
	}
	for i, class := range p.Classes {
		t.word(at, class)
		if p.Scores == nil {
			t.absent(at + 1)
		} else {
			r.hand(t, at+1, p.Scores[i:i+1])
		}
	}
	return nil
}

// hand hands x to t; what is not finite counts as missing.
func (r *reader) hand(t taker, column int, x []float32) {
	one := r.numbers[:1]
	for _, v := range x {
		one[0] = float64(v)
		if !finite(one[0]) {
			one[0] = math.NaN()
		}
		t.numbers(column, one)
	}
}
