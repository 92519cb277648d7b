// Package gate decides which version of a model may be served.
//
// # Stream
//
// A [Stream] compares champion and challenger while both score each labelled
// example. It may be asked after every example without spoiling its error rate:
// its test is an e-process, and the [Sequence] beside it gives intervals that
// hold at all times together. With the roles exchanged it is the watch after a
// promotion: if the old champion turns out better, roll back.
//
// # Held-out rows
//
// [Config.Judge] compares scores on the same rows: value thresholds, change
// thresholds against the champion, both per metric, and change thresholds in each
// group of rows that a [Slicer] makes of a feature's values. With nothing
// configured the verdict is [NoGate], in words, never silence. A stream gate
// applies the same thresholds to the live scores.
//
// # Scores of a stream
//
// A [Prequential] adds up the scores of predictions made before their labels were
// known, and a [Baseline] what guesses without a model would have reached on the
// same examples: the majority class or the mean, and the last label.
//
// # Concurrency
//
// Nothing here may be used by two goroutines at a time, except a [Config] and a
// [Slicer], which are immutable in use.
package gate
