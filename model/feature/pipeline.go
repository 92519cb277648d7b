package feature

import "math"

// A Pipeline is the fitted form of a schema: it maps rows to matrix rows of
// Width float32 and labels to targets. It is immutable.
type Pipeline struct {
	schema Schema
	fitted *Schema // of the frame that it was fitted to
	state  State
	width  int
	ops    []operation
	label  target
}

// A Column describes one column of the matrix.
type Column struct {
	Feature string // the feature it comes from
	Name    string // such as "island=Torgersen", "age", "age.missing", "pixels[3]"

	// Categories is, for a column that holds an index to embed, the number of
	// indices (unknown included); else 0. Units is the width it asks for.
	Categories int
	Units      int
}

// State is what a fitted pipeline has to keep. Keys are "<feature>.<statistic>"
// and, for the label, ".label.<statistic>"; both maps are complete. Statistics
// have one value a position (Size for a vector): "mean" and "std", "min" and
// "max", "median", "q25" and "q75" as the scales say, "least" and "most" (one
// value) of rescale, and "fill", which stands for missing values, before any
// scale, where it is their mean or median.
type State struct {
	Stats        map[string][]float64
	Vocabularies map[string][]string // by feature name; the classes under ".label"
}

// State returns the pipeline's state. Callers must not change it.
func (p *Pipeline) State() State { return p.state }

// Schema returns the schema that p was fitted to.
func (p *Pipeline) Schema() *Schema { return &p.schema }

// Width returns the number of matrix columns.
func (p *Pipeline) Width() int { return p.width }

// Columns describes the matrix columns in order.
func (p *Pipeline) Columns() []Column {
	cols := make([]Column, 0, p.width)
	for _, op := range p.ops {
		cols = op.describe(cols)
	}
	return cols
}

// Classes returns the label's classes in target order ("false", "true" for a
// boolean label), or nil for a regression. Callers must not change it.
func (p *Pipeline) Classes() []string { return p.label.classes }

// Transform writes rows [lo, hi) of f to dst, row-major (hi−lo, Width). It
// returns an error that wraps [ErrInvalid] and names row, column and value for
// an unknown category without a policy or a value outside a transform's domain;
// it is a [*RowError] with the row in f, and dst is then of no use.
// It allocates nothing when it succeeds and f was built for the same schema.
func (p *Pipeline) Transform(dst []float32, f *Frame, lo, hi int) error {
	if lo < 0 || hi < lo || hi > f.rows {
		return invalidf("got rows [%d, %d) of a frame of %d", lo, hi, f.rows)
	}
	return p.apply(batch{dst: dst, stride: p.width, frame: f, lo: lo, n: hi - lo})
}

// Gather writes the rows of f listed in rows to dst, row-major (len(rows),
// Width), like [Pipeline.Transform].
func (p *Pipeline) Gather(dst []float32, f *Frame, rows []int) error {
	for _, r := range rows {
		if r < 0 || r >= f.rows {
			return invalidf("got row %d of a frame of %d", r, f.rows)
		}
	}
	return p.apply(batch{dst: dst, stride: p.width, frame: f, rows: rows, n: len(rows)})
}

func (p *Pipeline) apply(b batch) error {
	if len(b.dst) != b.n*p.width {
		return invalidf("got a matrix of %d numbers: %d rows of %d are due", len(b.dst), b.n, p.width)
	}
	if !p.knows(b.frame.schema) {
		return invalidf("the frame was built for another schema")
	}
	for _, op := range p.ops {
		if err := op.apply(b); err != nil {
			return err
		}
	}
	return nil
}

func (p *Pipeline) knows(s *Schema) bool {
	return s == &p.schema || s == p.fitted || p.schema.fits(s)
}

// Targets writes the targets of rows [lo, hi) to dst: the scaled number, or the
// class index. A label outside the fitted classes is a [*RowError].
func (p *Pipeline) Targets(dst []float32, f *Frame, lo, hi int) error {
	switch {
	case f.label == nil:
		return invalidf("the rows have no labels")
	case lo < 0 || hi < lo || hi > f.rows:
		return invalidf("got rows [%d, %d) of a frame of %d", lo, hi, f.rows)
	case len(dst) != hi-lo:
		return invalidf("got %d places: %d are due", len(dst), hi-lo)
	case !p.knows(f.schema):
		return invalidf("the frame was built for another schema")
	}
	for i := range dst {
		y, err := p.label.of(f.label, f.first+lo+i)
		if err != nil {
			return &RowError{Row: lo + i, Err: err}
		}
		dst[i] = y
	}
	return nil
}

// Unscale maps network outputs of a regression back to label units, in place.
func (p *Pipeline) Unscale(y []float32) {
	if len(p.label.scale) == 0 {
		return
	}
	for i, v := range y {
		y[i] = float32(p.label.scale.inverse(float64(v), 0))
	}
}

// A target is the fitted form of a label.
type target struct {
	title   string
	scale   steps // regression
	classes []string
	index   map[string]int32
}

func (t *target) of(c *column, row int) (float32, error) {
	switch c.kind {
	case Number:
		x := c.numbers.row(row)[0]
		return narrow(t.title, x, t.scale.forward(x, 0))
	case Boolean:
		return float32(c.truths.row(row)[0]), nil
	case Category, Vector:
	}
	word := c.words[c.codes.row(row)[0]]
	i, ok := t.index[word]
	if !ok {
		return 0, unknownError(t.title, "class", word, t.classes)
	}
	return float32(i), nil
}

// narrow returns y, the scaled x, as a float32 if it is one.
func narrow(title string, x, y float64) (float32, error) {
	if math.Abs(y) <= math.MaxFloat32 {
		return float32(y), nil
	}
	return 0, scaledError(title, x, y)
}

// scaledError tells why x, which became y, cannot be used.
func scaledError(title string, x, y float64) error {
	if math.IsNaN(y) {
		return domainError(title, x)
	}
	return invalidf("%s: got %.6g, scaled to %.6g: that is beyond a float32", title, x, y)
}

func unknownError(title, what, word string, known []string) error {
	return invalidf("%s: unknown %s %s: the training rows had %s", title, what, quote(word), list(known))
}
