package learn

import (
	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/drift"
	"github.com/modelbus/modelbus/model/feature"
)

// recentRows is how many of the newest examples before a version its reference describes,
// at least: shares are then known to a percent.
const recentRows = 2048

// recent are the newest examples of a stretch with the predictions that were made of them
// before they were learned.
type recent struct {
	rows, spare *feature.Frame
	predicted   drift.Predictions
}

func newRecent(schema *feature.Schema) *recent {
	return &recent{rows: feature.NewFrame(schema, true), spare: feature.NewFrame(schema, true)}
}

// begin forgets all.
func (r *recent) begin() {
	r.rows.Reset()
	r.keep(0)
}

// keep keeps the newest n predictions.
func (r *recent) keep(n int) {
	p := &r.predicted
	p.Numbers = newest(p.Numbers, n)
	p.Classes = newest(p.Classes, n)
	p.Scores = newest(p.Scores, n)
}

func newest[T any](s []T, n int) []T { return append(s[:0], s[len(s)-min(n, len(s)):]...) }

// add takes rows with their predictions.
func (r *recent) add(rows *feature.Frame, tested *model.Output) error {
	for i := range tested.Rows {
		if r.rows.Len() == 2*recentRows {
			r.spare.Reset()
			for k := recentRows; k < r.rows.Len(); k++ {
				if err := r.spare.AppendFrom(r.rows, k); err != nil {
					return err
				}
			}
			r.rows, r.spare = r.spare, r.rows
			r.keep(recentRows)
		}
		if err := r.rows.AppendFrom(rows, i); err != nil {
			return err
		}
		tested.AppendPrediction(&r.predicted, i)
	}
	return nil
}

// describe returns m with a reference of what was added; m itself if that would be too
// large, of a schema with thousands of features.
func (r *recent) describe(m *model.Model) *model.Model {
	all := make([]int, r.rows.Len())
	for i := range all {
		all[i] = i
	}
	for _, o := range []drift.Options{{}, {Bins: 5, Sample: 16, Categories: 10}} {
		o.Seed = m.Spec().Training.Seed
		reference, err := drift.Fit(r.rows, all, r.predicted, o)
		if err != nil {
			continue
		}
		if described, err := m.WithReference(reference); err == nil {
			return described
		}
	}
	return m
}
