package model

import (
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
type Spec struct {
	Name        string
	Description string
	Schema      feature.Schema // "features" and "label" at the top level
	Network     []nn.Layer     // hidden layers, or all; also a Keras to_json() document under "network"
	Optimizer   nn.Optimizer   // nil: Adam
	Loss        nn.Loss        // nil: follows from the label
	Training    Training
	Serving     Serving
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

// Serving bounds how a server runs the model. Zero fields mean the default given.
type Serving struct {
	BatchLimit int `json:"batch_limit,omitempty" yaml:"batch_limit,omitempty"` // rows computed at once: 256
	Queue      int `json:"queue,omitempty" yaml:"queue,omitempty"`             // requests waiting: 1024
	Workers    int `json:"workers,omitempty" yaml:"workers,omitempty"`         // GOMAXPROCS
}

// ParseSpec parses a spec in YAML or JSON. It is strict: an unknown key, a
// doubled key or a value of the wrong type is a *SpecError with its line and,
// for a mistyped word, the nearest right one. Defaults are left as zero values.
func ParseSpec(text []byte) (*Spec, error) { panic("unbuilt") }

// A SpecError tells where a spec is wrong. It wraps [feature.ErrInvalid].
type SpecError struct {
	Line, Column int // 1-based; 0 if unknown
	Msg          string
}

// Error implements error.
func (e *SpecError) Error() string { panic("unbuilt") }

// Unwrap returns [feature.ErrInvalid].
func (e *SpecError) Unwrap() error { return feature.ErrInvalid }

// Validate checks s as a whole, as ParseSpec does.
func (s *Spec) Validate() error { panic("unbuilt") }

// MarshalJSON returns the canonical JSON form: the same spec, the same bytes.
func (s *Spec) MarshalJSON() ([]byte, error) { panic("unbuilt") }

// UnmarshalJSON is ParseSpec.
func (s *Spec) UnmarshalJSON(text []byte) error { panic("unbuilt") }

// ValidName reports whether name is a model name: [A-Za-z0-9_-]{1,64}.
func ValidName(name string) bool { panic("unbuilt") }

// YAML returns s as a commented text to edit, which ParseSpec reads back.
// comments are remarks by feature name and label name.
func (s *Spec) YAML(comments map[string]string) ([]byte, error) { panic("unbuilt") }
