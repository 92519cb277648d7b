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
// # Concurrency
//
// A [Model] is immutable and may be shared; each goroutine predicts through its
// own [Predictor].
package model
