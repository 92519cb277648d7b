// Package drift notices that the world has changed: detectors watch a stream of
// errors, and windows of live rows are compared with a reference made at
// training.
//
// # Detectors
//
// A [Method] is the configuration of a detector, a plain value such as
// ADWIN{Delta: 0.002}, which [ParseMethod] reads from a spec. Its New returns a
// [Detector], which takes one number at a time (0 for a right prediction, 1 for
// a wrong one, or a loss) and says [Stable], [Warning] or [Drift]. After a Drift
// the next update begins afresh.
//
// The errors to watch are those of the version that is served and stays as it is:
// a model that learns from every example adapts before its errors show a change.
// ADWIN{Delta: 0.01, Mode: Up} is the one to begin with: in nine of ten cases it
// finds a rise of the error rate from 0.10 to 0.17 within 1,000 rows, it passes over
// the fall after a promotion, and it hardly ever finds what is not there.
//
// # References and windows
//
// A [Sketch] summarises the rows of a training in bounded memory; sketches of
// parts merge into the sketch of the whole. It ends as a [Reference], which is
// small enough to be kept in a model's artifact. A [Window] counts live rows
// against a reference and its [Window.Report] compares the two for each column:
// Population Stability Index, Jensen-Shannon distance, two-sample
// Kolmogorov-Smirnov or chi-square test, and the shares of missing values and of
// unknown categories. The p-values of all columns together are adjusted for the
// false discovery rate. Constant and empty columns have an answer, never NaN.
//
// # State
//
// Detectors, sketches, references and windows are saved as JSON and restored
// exactly: what was restored decides as what was saved would have. Reading is
// strict, an error wraps [ErrState].
//
// # Concurrency
//
// A Reference is immutable and may be shared. A Detector, a Sketch and a Window
// belong to one goroutine at a time.
package drift
