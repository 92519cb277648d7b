package feature

// A Pipeline is the fitted form of a schema: it maps rows to matrix rows of
// Width float32 and labels to targets. It is immutable.
type Pipeline struct {
	schema Schema
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
// and, for the label, ".label.<statistic>"; both maps are complete.
type State struct {
	Stats        map[string][]float64
	Vocabularies map[string][]string // by feature name; the classes under ".label"
}

// Fit fits a pipeline on all rows of a labelled frame. It fails, wrapping
// [ErrInvalid], on no rows, on a feature without any value, and on a
// classification label with a single class.
func Fit(f *Frame) (*Pipeline, error) { panic("unbuilt") }

// Restore rebuilds a pipeline from its schema and state. It trusts neither:
// what does not fit together is an error that wraps [ErrInvalid].
func Restore(s Schema, st State) (*Pipeline, error) { panic("unbuilt") }

// State returns the pipeline's state. Callers must not change it.
func (p *Pipeline) State() State { panic("unbuilt") }

// Schema returns the schema that p was fitted to.
func (p *Pipeline) Schema() *Schema { return &p.schema }

// Width returns the number of matrix columns.
func (p *Pipeline) Width() int { panic("unbuilt") }

// Columns describes the matrix columns in order.
func (p *Pipeline) Columns() []Column { panic("unbuilt") }

// Classes returns the label's classes in target order ("false", "true" for a
// boolean label), or nil for a regression.
func (p *Pipeline) Classes() []string { panic("unbuilt") }

// Transform writes rows [lo, hi) of f to dst, row-major (hi−lo, Width). It
// returns an error that wraps [ErrInvalid] and names row, column and value for
// an unknown category without a policy or a value outside a transform's domain.
// It allocates nothing when it succeeds and f was built for the same schema.
func (p *Pipeline) Transform(dst []float32, f *Frame, lo, hi int) error { panic("unbuilt") }

// Gather writes the rows of f listed in rows to dst, row-major (len(rows),
// Width), like [Pipeline.Transform].
func (p *Pipeline) Gather(dst []float32, f *Frame, rows []int) error { panic("unbuilt") }

// Targets writes the targets of rows [lo, hi) to dst: the scaled number, or the
// class index. A label outside the fitted classes is an error.
func (p *Pipeline) Targets(dst []float32, f *Frame, lo, hi int) error { panic("unbuilt") }

// Unscale maps network outputs of a regression back to label units, in place.
func (p *Pipeline) Unscale(y []float32) { panic("unbuilt") }
