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
// them into one frame, runs once and replies to each. No timers.
//
// # Versions
//
// The server follows the registry. A new version is loaded, verified and warmed
// off the hot path and then swapped in atomically; each request is answered by
// exactly one version, which its answer names. A version that cannot be loaded
// leaves the old one serving.
//
// # Overload and deadlines
//
// A full queue answers 429 at once. A request whose Modelbus-Deadline has
// passed is answered 504 and not computed.
//
// # Shutdown
//
// When Run's context ends, the server stops taking requests, answers those it
// has, and returns.
package serve
