package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/modelbus/modelbus/model/drift"
	"github.com/modelbus/modelbus/model/feature"
)

// referenceStream keeps the draw of a reference's rows apart from what else is drawn
// from the seed.
const referenceStream = 0x7265666572656e63 // "referenc"

const (
	// sketchedRows and sketchedPredictions are how many rows at most a reference
	// describes, drawn from the seed: shares are then known to half a percent, which is
	// far below what counts as drift.
	sketchedRows        = 8192
	sketchedPredictions = 4096

	// maxReference bounds a reference in an artifact, in bytes.
	maxReference = 1 << 20
)

// Reference returns how the features were distributed in the rows that the model was
// trained on, and its predictions: for held-out rows if there were any, else for those.
// It is nil for a model that has none, such as one of an older artifact. Reading it
// takes some milliseconds, anew at each call. An error wraps [ErrArtifact]; a model of
// [Decode] gives none.
func (m *Model) Reference() (*drift.Reference, error) {
	if m.reference == "" {
		return nil, nil //nolint:nilnil // to have none is no error
	}
	r, err := m.decodeReference()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArtifact, err)
	}
	return r, nil
}

// WithReference returns a model that shares all with m but has r as its reference, nil
// for none. An error wraps [drift.ErrInvalid] if r is of another schema, or takes more
// than 1 MiB as JSON.
func (m *Model) WithReference(r *drift.Reference) (*Model, error) {
	out := *m
	out.reference = ""
	if r == nil {
		return &out, nil
	}
	if _, err := drift.NewWindow(r, m.Schema(), nil); err != nil {
		return nil, err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encoding the reference of model %q: %w", m.spec.Name, err)
	}
	if len(text) > maxReference {
		return nil, fmt.Errorf("%w: the reference takes %d bytes, at most %d are allowed: use smaller options",
			drift.ErrInvalid, len(text), maxReference)
	}
	out.reference = string(text)
	return &out, nil
}

// NewWindow returns an empty window that compares live rows with the model's reference,
// nil if there is none. Errors are those of [Model.Reference].
func (m *Model) NewWindow() (*drift.Window, error) {
	r, err := m.Reference()
	if r == nil || err != nil {
		return nil, err
	}
	return drift.NewWindow(r, m.Schema(), m.pipeline.State().Vocabularies)
}

// AppendPrediction appends what o says of row i to p.
func (o *Output) AppendPrediction(p *drift.Predictions, i int) {
	if o.Classes == nil {
		p.Numbers = append(p.Numbers, o.Values[i])
		return
	}
	label := o.Label(i)
	p.Classes = append(p.Classes, o.Classes[label])
	p.Scores = append(p.Scores, o.Probs[i*len(o.Classes)+label])
}

// decodeReference reads the reference of an artifact, which must be as this package
// writes it.
func (m *Model) decodeReference() (*drift.Reference, error) {
	if len(m.reference) > maxReference {
		return nil, fmt.Errorf("metadata %q has %d bytes, at most %d are allowed", keyReference, len(m.reference), maxReference)
	}
	r := &drift.Reference{}
	if err := json.Unmarshal([]byte(m.reference), r); err != nil {
		return nil, fmt.Errorf("metadata %q: %w", keyReference, err)
	}
	if text, err := json.Marshal(r); err != nil || string(text) != m.reference {
		return nil, fmt.Errorf("metadata %q is not in canonical form", keyReference)
	}
	if _, err := drift.NewWindow(r, m.Schema(), nil); err != nil {
		return nil, fmt.Errorf("metadata %q: %w", keyReference, err)
	}
	return r, nil
}

// refer makes the reference of the training rows of f, and of what the model predicts
// for rows that were not trained on, if there are any.
func (m *Model) refer(f *feature.Frame, train, validation []int, heldOut *feature.Frame) error {
	of, held := f, validation
	if heldOut != nil {
		of, held = heldOut, upTo(heldOut.Len())
	}
	if len(held) == 0 {
		of, held = f, train
	}
	p, err := m.foretell(of, held)
	if err != nil {
		return err
	}
	rows := m.draw(train, sketchedRows)
	// What does not fit, of a schema with thousands of features or of very long
	// categories, is told in less detail, or not at all.
	for _, o := range []drift.Options{{}, {Bins: 5, Sample: 16, Categories: 10}} {
		o.Seed = m.spec.Training.Seed
		r, err := drift.Fit(f, rows, p, o)
		if err != nil {
			return fmt.Errorf("the reference of model %q: %w", m.spec.Name, err)
		}
		told, err := m.WithReference(r)
		if err == nil {
			m.reference = told.reference
			return nil
		}
		if !errors.Is(err, drift.ErrInvalid) {
			return err
		}
	}
	m.reference = ""
	return nil
}

// foretell returns the predictions for rows of f, without those that cannot be
// predicted, such as ones with unknown categories.
func (m *Model) foretell(f *feature.Frame, rows []int) (p drift.Predictions, err error) {
	predictor := m.NewPredictor()
	width := m.pipeline.Width()
	if err := m.pipeline.Gather(nil, f, nil); err != nil {
		return p, err // of another schema
	}
	one := make([]int, 0, 1)
	rows = m.draw(rows, sketchedPredictions)
	for lo := 0; lo < len(rows); lo += predictRows {
		part := rows[lo:min(lo+predictRows, len(rows))]
		if m.predictRowsOf(predictor, f, part, width) != nil {
			// One by one, so that only the guilty are left out.
			for _, r := range part {
				one = append(one[:0], r)
				if err := m.predictRowsOf(predictor, f, one, width); err == nil {
					predictor.out.AppendPrediction(&p, 0)
				} else if !errors.Is(err, feature.ErrInvalid) {
					return p, err
				}
			}
			continue
		}
		for i := range part {
			predictor.out.AppendPrediction(&p, i)
		}
	}
	return p, nil
}

// predictRowsOf has p predict the listed rows of f.
func (m *Model) predictRowsOf(p *Predictor, f *feature.Frame, rows []int, width int) error {
	p.x, p.y = grow(p.x, len(rows)*width), grow(p.y, len(rows)*p.width)
	if err := m.pipeline.Gather(p.x, f, rows); err != nil {
		return err
	}
	p.network.Predict(p.y, p.x, len(rows))
	p.out.Rows = len(rows)
	return p.finish(len(rows))
}

// draw returns rows, or most of them drawn from the seed, in order (Knuth, The Art of
// Computer Programming, volume 2, 3.4.2, algorithm S).
func (m *Model) draw(rows []int, most int) []int {
	if len(rows) <= most {
		return rows
	}
	random := rand.New(rand.NewPCG(m.spec.Training.Seed, referenceStream))
	out := make([]int, 0, most)
	for i, r := range rows {
		if random.IntN(len(rows)-i) < most-len(out) {
			out = append(out, r)
		}
	}
	return out
}
