// Package model is a model that has been, or can be, fitted: a [Spec] (features,
// label, network, training), the fitted feature pipeline, and the network.
// It fits, predicts, evaluates, and is encoded to one file and back.
//
// The package is pure: no I/O, no logging, no clocks, no package state.
//
// # Determinism
//
// The same spec, frame, seed and kernel give bit-identical models, and an
// encoded model has the same bytes whenever it is encoded. FORMAT.md describes
// the file.
//
// # Reference
//
// [Fit] keeps how the rows of its training were distributed, and the predictions for
// rows that it did not see: a [drift.Reference], which [Model.NewWindow] has live rows
// compared with. What trains otherwise attaches one with [Model.WithReference].
//
// # Memory
//
// [Decode] copies what it reads. [Open] does not: the weights of a model of 1 GiB
// stay in the [File], which is never written, and the model takes some kilobytes.
// The model keeps its file reachable; parts of a model that outlive it do not.
//
// # Concurrency
//
// A [Model] is immutable and may be shared; each goroutine predicts through its
// own [Predictor].
package model
