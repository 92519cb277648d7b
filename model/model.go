package model

import (
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/nn"
)

// A Model is a spec with everything that was fitted to it.
type Model struct {
	spec     *Spec
	pipeline *feature.Pipeline
	network  *nn.Network

	file   File     // what the values of network and state may lie in, else nil
	unread []tensor // of file: those of state, not verified yet

	// What training goes on from.
	state  []*nn.Param // of the optimizer
	steps  int64
	epochs int
	online *online // nil unless it is the snapshot of a [Learner]

	reference string // JSON of a drift.Reference; empty: none

	dropped bool // state and gradients were dropped
}

// DropTraining frees what only training needs, gradients and optimizer state: up to
// three times the memory of the weights, unless it lies in a [File]. Up to 128 MiB
// of weights are laid out again for speed. The model predicts as before, but can be
// neither encoded nor trained on. Nobody may use it meanwhile.
func (m *Model) DropTraining() {
	m.network.Freeze()
	m.state, m.unread, m.online, m.dropped = nil, nil, nil, true
}

// Spec returns the model's spec. Callers must not change it.
func (m *Model) Spec() *Spec { return m.spec }

// Schema returns the schema of the model's rows.
func (m *Model) Schema() *feature.Schema { return m.pipeline.Schema() }

// Classes returns the classes of a classification in order, else nil.
func (m *Model) Classes() []string { return m.pipeline.Classes() }

// Vocabulary returns the categories that the named feature knows, sorted or as
// the spec fixes them; nil if it is no category or takes any (hashing). Callers
// must not change it.
func (m *Model) Vocabulary(feature string) []string { return m.pipeline.State().Vocabularies[feature] }

// Params returns the number of trained parameters.
func (m *Model) Params() int {
	n := 0
	for _, p := range m.network.Params() {
		if p.Trainable() {
			n += len(p.Value)
		}
	}
	return n
}

// Steps returns how many mini-batches m was trained on, its parents' included.
func (m *Model) Steps() int64 { return m.steps }

// Epochs returns how many epochs m was trained for, its parents' included.
func (m *Model) Epochs() int { return m.epochs }
