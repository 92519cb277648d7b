// Package registry keeps models, their immutable versions, movable aliases and
// artifacts on JetStream, and announces every change exactly once.
//
// It knows bytes and records, not networks.
//
// # What is stored
//
// KV bucket MODELBUS (stream KV_MODELBUS, atomic publish on):
//
//	model.<name>               the spec and what goes with it
//	version.<name>.<n>         an immutable record: digest, size, lineage, metrics
//	alias.<name>.<alias>       the version an alias names, and the move that made it so
//	event.<name>.<kind>.<id>   an announcement, written in the same batch as what it announces
//
// Object bucket MODELBUS_ARTIFACTS: artifacts, named by their SHA-256, readable
// by the stock object store Get. Stream MODELBUS_EVENT sources the announcements
// as <prefix>.event.<name>.<kind>.<id>; the bucket republishes them to live listeners.
//
// # What holds
//
// An artifact is stored and read back before one atomic batch makes version,
// alias and announcement visible together. Every decision is a compare-and-set
// through the leader. Version numbers are never reused, not even after a model
// was deleted. A commit whose answer was lost is looked up before it is repeated.
//
// # Concurrency
//
// A [Registry] may be used by many goroutines and processes at once.
//
// # Errors
//
// See the sentinels in errors.go.
package registry
