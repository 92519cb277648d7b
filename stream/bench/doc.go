// Package bench measures a model as its callers see it, against the floor of the
// machine: a bare NATS echo of the same bytes.
//
// # Load
//
// A step is one load. In a closed loop a number of callers each send a request
// when the last was answered. In an open loop requests are due at a rate,
// constant or as a Poisson process, and a latency counts from when its request
// was due, not from when it was sent: a server that stalls is charged for all that
// should have been sent meanwhile (no coordinated omission). Requests that wait
// for an answer are bounded; those that could not be sent in their window are counted
// as unsent.
//
// # Windows
//
// After a warm-up, windows on the model and on the echo alternate, so that both
// see the same machine. A step ends when throughput and median latency of both were within
// ±10 % of their mean in the last three windows, or when its time is up.
// Throughputs, and the ratio, are of the medians over all windows; percentiles are
// of all latencies, kept in an HDR histogram with three digits.
//
// # Echo
//
// The echo is a queue subscription on an inbox, on a connection of its own in this
// process. It gets the same requests, over the same connections, and gives
// answers with as many bytes as the model's first answer, without headers.
//
// # Server time
//
// Two answers to $SRV.STATS of each server, before and after the windows, tell
// how long requests waited for a worker, how long the model ran, and the rest:
// decoding, encoding, sending. Other callers' requests count too.
//
// # Subjects
//
// <prefix>.predict.<model>[.<version or alias>], $SRV.STATS.<model> and inboxes;
// nothing else.
//
// # Concurrency
//
// A [Bench] belongs to one goroutine. It leaves no goroutine or subscription behind.
package bench
