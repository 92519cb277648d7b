// Package metric scores predictions against the truth.
//
// [Classification] and [Regression] compute every score of a set of rows at
// once; [ClassificationNames] and [RegressionNames] list what the scores are
// called, and [Better] tells which of two values of a score is the better one.
//
// # Weights
//
// Weights may be nil, which is 1 for every row. A weight of n counts like n
// equal rows. Sums are float64 in row order, so the same rows give the same
// bits.
//
// # Undefined scores
//
// A score that has no value (the AUC of one class, R² of a constant truth, any
// score of no rows or of predictions that are not finite) is absent, never NaN,
// so that scores can always be written as JSON.
package metric
