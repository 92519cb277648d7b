// Package metric scores predictions against the truth. Sums are float64 in row
// order. Weights may be nil (all 1).
package metric
