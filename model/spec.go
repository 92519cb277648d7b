package model

import (
	"fmt"

	"github.com/modelbus/modelbus/model/drift"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/nn"
)

// A Spec declares a model. It reads like Keras:
//
//	name: iris
//	features:
//	  - {name: sepal_length, type: number}
//	label: {name: species, type: category}
//	network:
//	  - Dense: {units: 16, activation: relu}
//	optimizer: {Adam: {learning_rate: 0.01}}
//	training: {epochs: 50, batch_size: 32}
//
// The last layer and the loss follow from the label unless the network's last
// layer already fits it: a number gives one linear unit and
// mean_squared_error, two classes one sigmoid unit and binary_crossentropy,
// more classes a softmax and sparse_categorical_crossentropy.
//
// A last Dense layer fits if it has one unit for a number; one unit with
// sigmoid or two with softmax for two classes; a unit a class with softmax for
// more. If it has that many units and no activation, it holds logits, and the
// sigmoid or softmax is added. Any other last layer is hidden, and the output
// layer is added; but a softmax of another width, which cannot be meant as a
// hidden layer, is an error. Activation layers count as the activation of the
// Dense layer before them. Without a network the model is linear.
//
// Each category feature that is encoded as an embedding gets an
// [nn.Embedding] in front of the network.
type Spec struct {
	Name        string
	Description string
	Schema      feature.Schema // "features" and "label" at the top level
	Network     []nn.Layer     // hidden layers, or all; also a Keras to_json() document under "network"
	Optimizer   nn.Optimizer   // nil: Adam
	Loss        nn.Loss        // nil: follows from the label
	Training    Training
	Serving     Serving
	Retrain     *Retrain // nil: only on request

	// Capture is how long the features and predictions of requests are kept, for labels
	// that come later: default 0, not at all.
	Capture Duration
}

// Training says how to fit. Zero fields mean the default given.
type Training struct {
	Epochs          int     `json:"epochs,omitempty" yaml:"epochs,omitempty"`                     // 10
	BatchSize       int     `json:"batch_size,omitempty" yaml:"batch_size,omitempty"`             // 32
	Seed            uint64  `json:"seed,omitempty" yaml:"seed,omitempty"`                         // 0
	Shuffle         *bool   `json:"shuffle,omitempty" yaml:"shuffle,omitempty"`                   // true
	ValidationSplit float64 `json:"validation_split,omitempty" yaml:"validation_split,omitempty"` // 0; share of the training rows, drawn from the seed, that each epoch is scored on
	GlobalClipNorm  float64 `json:"global_clipnorm,omitempty" yaml:"global_clipnorm,omitempty"`   // off

	EarlyStopping   *EarlyStopping     `json:"early_stopping,omitempty" yaml:"early_stopping,omitempty"`
	ReduceOnPlateau *ReduceOnPlateau   `json:"reduce_lr_on_plateau,omitempty" yaml:"reduce_lr_on_plateau,omitempty"`
	Target          map[string]float64 `json:"target,omitempty" yaml:"target,omitempty"` // one monitored value to stop at: {val_accuracy: 0.95}

	// ClassWeight multiplies the loss of a class's rows; missing classes are 1.
	// "balanced" as the only key with value 1 gives n / (classes · count).
	ClassWeight map[string]float64 `json:"class_weight,omitempty" yaml:"class_weight,omitempty"`

	// Holdout is the share of the examples kept out of training to compare
	// champion and challenger on, default 0.2; HoldoutBy is "hash" (default: a
	// row's place in the stream decides, for good) or "newest".
	Holdout   *float64 `json:"holdout,omitempty" yaml:"holdout,omitempty"`
	HoldoutBy string   `json:"holdout_by,omitempty" yaml:"holdout_by,omitempty"`

	// Metric decides between champion and challenger: default "accuracy" for
	// classes, "mse" for numbers; MinDelta is how much better it must be, default 0
	// (equal is enough: the newer saw more).
	Metric   string  `json:"metric,omitempty" yaml:"metric,omitempty"`
	MinDelta float64 `json:"min_delta,omitempty" yaml:"min_delta,omitempty"`

	// Warm starts from the champion's weights and optimizer state and trains
	// on the examples that came after it.
	Warm bool `json:"warm,omitempty" yaml:"warm,omitempty"`
}

// EarlyStopping is [nn.EarlyStopping] as a spec writes it.
type EarlyStopping struct {
	Monitor     string  `json:"monitor,omitempty" yaml:"monitor,omitempty"`
	MinDelta    float64 `json:"min_delta,omitempty" yaml:"min_delta,omitempty"`
	Patience    int     `json:"patience,omitempty" yaml:"patience,omitempty"`
	RestoreBest *bool   `json:"restore_best_weights,omitempty" yaml:"restore_best_weights,omitempty"` // default true
}

// ReduceOnPlateau is [nn.ReduceOnPlateau] as a spec writes it.
type ReduceOnPlateau struct {
	Monitor  string  `json:"monitor,omitempty" yaml:"monitor,omitempty"`
	Factor   float64 `json:"factor,omitempty" yaml:"factor,omitempty"`
	Patience int     `json:"patience,omitempty" yaml:"patience,omitempty"`
	MinDelta float64 `json:"min_delta,omitempty" yaml:"min_delta,omitempty"`
	Cooldown int     `json:"cooldown,omitempty" yaml:"cooldown,omitempty"`
	MinRate  float64 `json:"min_lr,omitempty" yaml:"min_lr,omitempty"`
}

// Serving bounds how a server runs the model. Zero fields mean the default given,
// where P is the number of the network's parameters: small networks are computed in
// large batches, and a batch of a huge one does not keep other models waiting.
type Serving struct {
	BatchLimit int `json:"batch_limit,omitempty" yaml:"batch_limit,omitempty"` // rows computed at once: 2^30/P, 8 to 256
	Queue      int `json:"queue,omitempty" yaml:"queue,omitempty"`             // requests waiting: 2^36/P, 64 to 1024
	Workers    int `json:"workers,omitempty" yaml:"workers,omitempty"`         // batches of the model computed at once: GOMAXPROCS, which all models share in turns

	Drift Watch `json:"drift,omitzero" yaml:"drift,omitempty"`
}

// A Watch says how a server compares the rows that it is asked about, and what it
// answers, with the model's [Model.Reference]. Zero fields mean the default given.
type Watch struct {
	Off bool `json:"off,omitempty" yaml:"off,omitempty"` // do not compare

	// Window is how many rows are compared at once: default 2000. More find smaller
	// changes, fewer find large ones sooner.
	Window int `json:"window,omitempty" yaml:"window,omitempty"`

	// PSI is the Population Stability Index from which a column has drifted: default
	// 0.1. Share is the same of the share of missing values and that of unknown
	// categories: default 0.02. FDR is the false discovery rate over all tests of a
	// window: default 0.01.
	PSI   float64 `json:"psi,omitempty" yaml:"psi,omitempty"`
	Share float64 `json:"share,omitempty" yaml:"share,omitempty"`
	FDR   float64 `json:"fdr,omitempty" yaml:"fdr,omitempty"`
}

// Thresholds returns the thresholds of w for package drift.
func (w Watch) Thresholds() drift.Thresholds {
	return drift.Thresholds{FDR: w.FDR, PSI: w.PSI, Share: w.Share}
}

// A SpecError tells where a spec is wrong. It wraps [feature.ErrInvalid].
type SpecError struct {
	Line, Column int // 1-based; 0 if unknown
	Msg          string
}

// Error implements error.
func (e *SpecError) Error() string {
	switch {
	case e.Line == 0:
		return "spec: " + e.Msg
	case e.Column == 0:
		return fmt.Sprintf("spec: line %d: %s", e.Line, e.Msg)
	}
	return fmt.Sprintf("spec: line %d, column %d: %s", e.Line, e.Column, e.Msg)
}

// Unwrap returns [feature.ErrInvalid].
func (e *SpecError) Unwrap() error { return feature.ErrInvalid }
