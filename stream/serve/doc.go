// Package serve answers predictions.
//
// # Subjects
//
// One queue subscription takes <prefix>.predict.> and hands each request to its
// model's own bounded queue; a server told to serve only some models subscribes
// to those alone.
//
// # Batching
//
// A worker takes one request, then all that wait up to the batch limit, decodes
// them into one frame, runs once and replies to each. No timers. The batch limit
// and the length of the queue follow from the size of the network where the spec
// does not set them ([model.Serving]).
//
// Few requests of a quick model are not handed to a worker but answered where they
// arrive, by the goroutine of the subscription: if they will take less than 100 µs
// together, by the time that recent ones of that model took. Requests that have
// arrived together are computed together there, too. Before either computes, it lets
// other goroutines run once, so that what is on its way comes in the same batch; where
// requests come, unless they have come one at a time for a while.
//
// # Fairness
//
// No more batches are computed at once than there are processors, whatever models
// they are of; workers take turns, first come, first served. A turn is one batch, and a
// request of more rows than the batch limit gives its turn away in between.
// Models that compete so get equal shares for each worker; a model with a full queue
// keeps another waiting for a turn of each of its workers at most, and a
// version that loads keeps none.
//
// # Versions
//
// The server follows the registry. A new version is loaded, verified and warmed
// off the hot path and then swapped in atomically; each request is answered by
// exactly one version, which its answer names. A version that cannot be loaded
// leaves the old one serving.
//
// Large weights are read where the registry's cache has mapped them, and stay
// mapped until the last batch of their version is done and the garbage collector
// has taken the version. Loading is on the keeper's goroutine, reads the file and
// not the map first, and so keeps other models waiting only for the processor.
//
// Versions that aliases name stay loaded, and the few others that were asked for
// by number last. A request for what is not loaded waits, bounded, until the
// registry was asked; a model without a champion answers 503.
//
// # Canary and shadow
//
// The version of the alias canary answers its share of the requests that name no version
// ([registry.Split]); which they are follows from the request alone, so that all
// servers decide alike. One that cannot be loaded leaves its share to the champion.
//
// The version of the alias shadow gets a copy of what the champion has answered, on a
// goroutine of its own that computes when its model has nothing else to do: what waits
// is bounded, and more is dropped. How far it agrees is in [ShadowStatus].
//
// # Capture
//
// Answered requests of a model whose spec says so are stored under their ids for labels
// that come late, after the answer is sent and by other goroutines: what does not fit their
// queue is dropped and counted.
//
// # Overload and deadlines
//
// A full queue answers 429 at once. A request whose Modelbus-Deadline has
// passed when a worker takes it is answered 504 and not computed.
//
// # Drift
//
// The rows that the champion answers, and its predictions, are compared with the
// reference that its artifact has of its training (package drift), a window of rows
// at a time. Workers count rows after they have answered, at most [Options].DriftRate a
// second, drawn at random by how many came in the second before; the others cost some
// tens of nanoseconds a batch, and none is copied or queued. A full window is compared
// on a goroutine of its own, one of all models at a time; rows that come meanwhile, for
// a millisecond or so, are passed over. The statistics say how many were.
//
// Two windows in a row that say otherwise than before change the state of a column, which
// is announced as an event of kind "drift" (PROTOCOL.md). A new champion begins
// with an empty window. An artifact without a reference is served all the same. A model
// takes what its reference and one window need: some 5 kB a number, and for a category
// its 100 most frequent words and its vocabulary; a vector is two numbers. Of models with
// more than 64 columns the samples of all together hold 32,768 numbers.
//
// # Without a reply subject
//
// A result goes to <prefix>.result.<model>, and a request that fails goes whole to
// <prefix>.dead.<model> with its reason; both are stored with an acknowledgement. What
// cannot be stored after some tries, or does not fit the bounded outbox, is
// logged and counted in [Status].
//
// # Failures
//
// A request that cannot be decoded, or that fails the batch it is in, gets its
// own error and the others their answers. A panic while computing is a 500 to its
// batch, and so is a mapped page that cannot be read any more.
//
// # Shutdown
//
// When Run's context ends, the server stops taking requests, answers those it
// has (those that wait for a version to be loaded with 503), stores the results
// nobody waits for, and returns.
package serve
