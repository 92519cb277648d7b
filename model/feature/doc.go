// Package feature turns rows of named values into the float32 matrix that a
// network reads, and labels into targets and back.
//
// A [Schema] declares features and label. A [Frame] holds rows in typed
// columns and refuses, naming column and value, what the schema does not allow.
// A [Pipeline] is fitted once on the training rows of a frame and then applied
// alike in training and serving: it never changes while it predicts.
//
// # Values
//
// Number, boolean and category features hold one value a row, a vector feature
// Size numbers. Where a row is written as a flat list, features stand in schema
// order and a vector takes Size places (or one nested list).
//
// A [Running] goes on learning a pipeline's statistics, a row at a time: only its
// Learn changes anything, transforming never does.
//
// # Missing and unknown
//
// A missing value (null, an empty cell) and a category that the training rows
// did not show are errors unless the feature's Missing or Unknown says
// otherwise. NaN and infinities are always errors.
//
// # Concurrency
//
// A Schema and a Pipeline are immutable and may be shared; a Frame belongs to
// one goroutine while rows are appended and may be read by many afterwards. A
// Running, and the pipeline that it calls live, belong to one goroutine at a time.
//
// # Errors
//
// Everything wrong with a row, a schema or a state wraps [ErrInvalid].
package feature
