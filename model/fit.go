package model

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/metric"
	"github.com/modelbus/modelbus/model/nn"
)

const (
	defaultEpochs    = 10
	defaultBatchSize = 32
)

// FitOptions are optional parameters of [Fit].
type FitOptions struct {
	// Parent, if not nil, is where training starts from: its pipeline, weights
	// and optimizer state, which must fit the spec. Epochs count on from its
	// own, so a fit of 5 epochs and another of 5 from it are one of 10, bit for
	// bit. Parent itself stays as it is.
	Parent *Model

	// HeldOut are rows of the same features that are not trained on; labels do not
	// matter. What the model predicts for them goes into its reference, as live rows
	// are not trained on either: nil means those of validation_split, and if there
	// are none the training rows, for which a model is surer than for others.
	HeldOut *feature.Frame

	// Progress, if not nil, is called after each epoch, from the goroutine that
	// fits.
	Progress func(nn.Epoch)
}

// Report tells how a fit went.
type Report struct {
	History    nn.History `json:"history"`
	Rows       int        `json:"rows"`                 // trained on
	Validation int        `json:"validation,omitempty"` // scored after each epoch
	Params     int        `json:"params"`
}

// Fit fits spec to a labelled frame. The pipeline is fitted on the training rows
// alone: the share validation_split, drawn from the seed, is set aside before;
// of these the rows that show a class or category which no training row does
// are passed over. Validation metrics are in label units, losses in those of
// the network's outputs.
//
// Fit returns an error that wraps [feature.ErrInvalid] for data that cannot be
// trained on (no rows, one class), [nn.ErrDiverged] if the loss stopped being
// finite, or ctx's error.
func Fit(ctx context.Context, spec *Spec, frame *feature.Frame, opts FitOptions) (*Model, *Report, error) {
	if err := spec.Validate(); err != nil {
		return nil, nil, err
	}
	if !frame.Labeled() {
		return nil, nil, fmt.Errorf("%w: the rows have no labels to train on", feature.ErrInvalid)
	}
	if err := checkParent(spec, opts.Parent); err != nil {
		return nil, nil, err
	}
	train, validation, err := splitRows(frame.Len(), spec.Training.ValidationSplit, spec.Training.Seed)
	if err != nil {
		return nil, nil, err
	}
	m, err := newModel(spec, frame, train, opts.Parent)
	if err != nil {
		return nil, nil, err
	}
	trainRows, valRows, err := m.data(frame, train, validation)
	if err != nil {
		return nil, nil, err
	}
	history, err := m.train(ctx, trainRows, valRows, opts)
	if err != nil {
		return nil, nil, err
	}
	if err := m.refer(frame, train, validation, opts.HeldOut); err != nil {
		return nil, nil, err
	}
	report := &Report{History: *history, Rows: trainRows.Len(), Params: m.Params()}
	if valRows != nil {
		report.Validation = valRows.Len()
	}
	return m, report, nil
}

// checkParent tells whether training of spec can start from parent.
func checkParent(spec *Spec, parent *Model) error {
	if parent == nil {
		return nil
	}
	if parent.dropped {
		return fmt.Errorf("training on from model %q: %w", parent.spec.Name, ErrDropped)
	}
	if err := parent.checkState(); err != nil {
		return fmt.Errorf("training on from model %q: %w: %w", parent.spec.Name, ErrArtifact, err)
	}
	old := parent.spec
	for _, part := range []struct {
		name string
		same bool
	}{
		{"features", reflect.DeepEqual(old.Schema.Features, spec.Schema.Features)},
		{"label", reflect.DeepEqual(old.Schema.Label, spec.Schema.Label)},
		{"network", reflect.DeepEqual(old.canonical().Network, spec.canonical().Network)},
	} {
		if !part.same {
			return fmt.Errorf("%w: training cannot start from the parent model, whose spec has other %s: train from scratch",
				feature.ErrInvalid, part.name)
		}
	}
	if before, now := optimizerName(old), optimizerName(spec); before != now {
		return fmt.Errorf("%w: training cannot start from the parent model, which was trained with %s and not with %s: "+
			"keep the optimizer or train from scratch", feature.ErrInvalid, before, now)
	}
	return nil
}

func optimizerName(s *Spec) string {
	if s.Optimizer == nil {
		return nn.Adam{}.Config().Name
	}
	return s.Optimizer.Config().Name
}

// newModel returns an untrained model with its pipeline fitted to the training
// rows, or one like parent.
func newModel(spec *Spec, frame *feature.Frame, train []int, parent *Model) (*Model, error) {
	own, err := spec.clone()
	if err != nil {
		return nil, err
	}
	if parent != nil {
		return &Model{
			spec: own, pipeline: parent.pipeline, network: parent.network.Clone(),
			epochs: parent.epochs, steps: parent.steps,
		}, nil
	}
	pipeline, err := feature.FitRows(frame, train)
	if err != nil {
		return nil, err
	}
	m := &Model{spec: own, pipeline: pipeline}
	if err := m.checkStorable(); err != nil {
		return nil, err
	}
	return m, m.build()
}

// build makes the network, freshly initialized, and the loss.
func (m *Model) build() error {
	done, err := m.completion()
	if err != nil {
		return err
	}
	m.network, err = nn.New(m.pipeline.Width(), done.layers, m.spec.Training.Seed)
	if err != nil {
		return &SpecError{Msg: "network: " + err.Error()}
	}
	return nil
}

// completion returns the network's layers from the embeddings to the output
// layer, and the loss.
func (m *Model) completion() (*completion, error) {
	done, f := completeNetwork(m.spec, len(m.pipeline.Classes()))
	if f != nil {
		return nil, f.specError()
	}
	if e := embedding(m.pipeline.Columns()); e != nil {
		done.layers = append([]nn.Layer{*e}, done.layers...)
	}
	return done, nil
}

// embedding returns the layer for the columns that hold indices, nil if there
// are none.
func embedding(columns []feature.Column) *nn.Embedding {
	var e nn.Embedding
	for i, c := range columns {
		if c.Categories > 0 {
			e.Columns = append(e.Columns, nn.EmbeddingColumn{Column: i, InputDim: c.Categories, OutputDim: c.Units})
		}
	}
	if e.Columns == nil {
		return nil
	}
	return &e
}

// data returns the rows to train on and to validate on, which are nil if there
// are none.
func (m *Model) data(frame *feature.Frame, train, validation []int) (trainRows, valRows *rows, err error) {
	if trainRows, err = newRows(m.pipeline, frame, train); err != nil {
		return nil, nil, err
	}
	weights, err := classWeights(m.spec.Training.ClassWeight, m.Classes(), trainRows.targets)
	if err != nil {
		return nil, nil, err
	}
	trainRows.weigh(weights)
	if validation == nil {
		return trainRows, nil, nil
	}
	if validation, err = scorable(m.pipeline, frame, validation); err != nil {
		return nil, nil, err
	}
	valRows, err = newRows(m.pipeline, frame, validation)
	return trainRows, valRows, err
}

// train runs the epochs and keeps what a later training goes on from.
func (m *Model) train(ctx context.Context, train, validation *rows, opts FitOptions) (*nn.History, error) {
	done, err := m.completion()
	if err != nil {
		return nil, err
	}
	trainer, err := nn.NewTrainer(m.network, done.loss, m.spec.Optimizer)
	if err != nil {
		return nil, &SpecError{Msg: err.Error()}
	}
	if opts.Parent != nil {
		err := trainer.Restore(opts.Parent.state, opts.Parent.steps)
		runtime.KeepAlive(opts.Parent) // its state may lie in its file
		if err != nil {
			return nil, fmt.Errorf("%w: %w", feature.ErrInvalid, err)
		}
	}
	var val nn.Data // a nil *rows in it would not be nil
	if validation != nil {
		val = validation
	}
	history, err := trainer.Fit(ctx, train, val, m.fitOptions(opts.Progress))
	if err != nil {
		if config, ok := errors.AsType[*nn.ConfigError](err); ok {
			return nil, &SpecError{Msg: "training: " + config.Error()}
		}
		return nil, fmt.Errorf("training model %q: %w", m.spec.Name, err)
	}
	m.state, m.steps = trainer.State()
	m.epochs += len(history.Epochs)
	return history, nil
}

func (m *Model) fitOptions(progress func(nn.Epoch)) nn.FitOptions {
	t := &m.spec.Training
	o := nn.FitOptions{
		Epochs:         m.epochs + cmp.Or(t.Epochs, defaultEpochs),
		InitialEpoch:   m.epochs,
		BatchSize:      cmp.Or(t.BatchSize, defaultBatchSize),
		NoShuffle:      t.Shuffle != nil && !*t.Shuffle,
		Seed:           t.Seed,
		GlobalClipNorm: t.GlobalClipNorm,
		Metrics:        m.validationMetrics,
	}
	if e := t.EarlyStopping; e != nil {
		o.EarlyStopping = &nn.EarlyStopping{
			Monitor: e.Monitor, MinDelta: e.MinDelta, Patience: e.Patience,
			RestoreBest: e.RestoreBest == nil || *e.RestoreBest,
		}
	}
	if r := t.ReduceOnPlateau; r != nil {
		o.ReduceOnPlateau = &nn.ReduceOnPlateau{
			Monitor: r.Monitor, Factor: r.Factor, Patience: r.Patience,
			MinDelta: r.MinDelta, Cooldown: r.Cooldown, MinRate: r.MinRate,
		}
	}
	for name, value := range t.Target {
		o.Target = &nn.Target{Monitor: name, Value: value}
	}
	if progress != nil {
		o.Progress = func(e nn.Epoch) bool { progress(e); return true }
	}
	return o
}

// validationMetrics scores the validation outputs of an epoch, numbers in label
// units.
func (m *Model) validationMetrics(outputs, targets, weights []float32) map[string]float64 {
	w := make([]float64, len(weights))
	for i, v := range weights {
		w[i] = float64(v)
	}
	rows := len(weights)
	classes := m.Classes()
	if classes == nil {
		pred, truth := append([]float32(nil), outputs...), append([]float32(nil), targets...)
		m.pipeline.Unscale(pred)
		m.pipeline.Unscale(truth)
		return metric.Regression(pred, truth, w).Values
	}
	prob := outputs
	if len(outputs) == rows {
		prob = make([]float32, 2*rows)
		bothClasses(prob, outputs)
	}
	truth := targets
	if width := len(targets) / max(rows, 1); width > 1 {
		truth = make([]float32, rows)
		for i := range truth {
			truth[i] = float32(argmax(targets[i*width : (i+1)*width]))
		}
	}
	return metric.Classification(prob, truth, w, classes).Values
}
