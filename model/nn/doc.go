// Package nn is the neural network core: dense networks built from layers,
// trained by back-propagation, with Keras's names and numerics.
//
// # Shapes
//
// A batch is a row-major float32 slice (rows, width). A Dense kernel is
// (in, out), so a layer computes y = x·W + b. Losses and metrics accumulate in
// float64.
//
// # Determinism
//
// All randomness comes from an explicit seed, every reduction has a fixed
// order: the same layers, data, seed and kernel give bit-identical weights
// whatever GOMAXPROCS is.
//
// # Numbers that are not finite
//
// Package kernel leaves out terms that are zero times a weight, so an infinite
// or NaN weight need not show in an output. Hence weights are looked at
// themselves: [Trainer.Fit] does after every epoch, and a network whose weights
// or optimizer state are not finite is [ErrDiverged]. A caller of [Trainer.Step]
// or one that sets parameters must look on its own.
//
// # Concurrency
//
// A [Network] that is not being trained may be read by many goroutines, each
// through its own [Predictor]. A [Trainer] owns its network while it trains.
//
// # Errors
//
// What a configuration gets wrong is a [*ConfigError]; a loss or gradient that
// is not finite is [ErrDiverged]. Shape errors of the calling code panic.
package nn
