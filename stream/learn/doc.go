// Package learn turns training examples into versions.
//
// # A training
//
// It reads the model's examples from the stream <PREFIX>_TRAIN by an ordered
// consumer, from the first kept one (or, warm, from where the champion's lineage
// ends) to the last one there when it began. An example whose place in the stream
// hashes into the holdout share is kept for scoring, for good: no version of the
// model was ever trained on it. The rest is fitted. Champion and challenger are scored
// on the same held-out rows; the version is registered with its lineage, and
// promoted in the same atomic step if it is better, or the first.
//
// # Bad examples
//
// go to <prefix>.dead.<model>, whole, with the reason in headers, once each.
//
// # Concurrency
//
// One training runs per model at a time in a process; between processes the
// registry's compare-and-set lets one promotion win.
package learn
