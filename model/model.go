package model

import (
	"context"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/metric"
	"github.com/modelbus/modelbus/model/nn"
)

// A Model is a spec with everything that was fitted to it.
type Model struct {
	spec     *Spec
	pipeline *feature.Pipeline
	network  *nn.Network
}

// FitOptions are optional parameters of [Fit].
type FitOptions struct {
	// Parent, if not nil, is where training starts from: its pipeline, weights
	// and optimizer state, which must fit the spec.
	Parent *Model

	// Progress, if not nil, is called after each epoch.
	Progress func(nn.Epoch)
}

// Report tells how a fit went.
type Report struct {
	History nn.History `json:"history"`
	Rows    int        `json:"rows"` // trained on
	Params  int        `json:"params"`
}

// Fit fits spec to a labelled frame. It returns an error that wraps
// [feature.ErrInvalid] for data that cannot be trained on (no rows, one class),
// [nn.ErrDiverged] if the loss stopped being finite, or ctx's error.
func Fit(ctx context.Context, spec *Spec, frame *feature.Frame, opts FitOptions) (*Model, *Report, error) {
	panic("unbuilt")
}

// Spec returns the model's spec. Callers must not change it.
func (m *Model) Spec() *Spec { return m.spec }

// Schema returns the schema of the model's rows.
func (m *Model) Schema() *feature.Schema { return m.pipeline.Schema() }

// Classes returns the classes of a classification in order, else nil.
func (m *Model) Classes() []string { return m.pipeline.Classes() }

// Params returns the number of trained parameters.
func (m *Model) Params() int { panic("unbuilt") }

// Output is what a model says of a batch of rows.
type Output struct {
	Rows int

	// Values is (Rows, 1) predictions in label units for a regression.
	Values []float32

	// Probs is (Rows, len(Classes)) probabilities for a classification.
	Probs   []float32
	Classes []string
}

// Label returns the index of row i's most probable class (the first of equals).
func (o *Output) Label(i int) int { panic("unbuilt") }

// A Predictor predicts with scratch memory of its own. It is not safe for
// concurrent use.
type Predictor struct{}

// NewPredictor returns a predictor of m.
func (m *Model) NewPredictor() *Predictor { panic("unbuilt") }

// Predict returns the model's output for all rows of f, valid until the next
// call. An error wraps [feature.ErrInvalid] and names row, column and value.
// Rows do not influence each other.
func (p *Predictor) Predict(f *feature.Frame) (*Output, error) { panic("unbuilt") }

// Evaluate scores m on a labelled frame. A row whose class m never saw counts as
// wrong, with the smallest probability in the log loss.
func (m *Model) Evaluate(f *feature.Frame) (metric.Scores, error) { panic("unbuilt") }

// Encode returns the artifact: one safetensors file, the same bytes for the same model.
func (m *Model) Encode() ([]byte, error) { panic("unbuilt") }

// Decode reads an artifact. It trusts nothing: every error wraps [ErrArtifact]
// and says what was found.
func Decode(b []byte) (*Model, error) { panic("unbuilt") }
