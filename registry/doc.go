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
//	training.<name>            the training that has begun and not ended; it goes with how it ends
//	number.<name>              the ledger: the last numbers given; outlives the model
//	event.<name>.<kind>.<id>   an announcement, written in the same batch as what it announces
//
// Object bucket MODELBUS_ARTIFACTS: artifacts, named by their SHA-256, readable
// by the stock object store Get. Stream MODELBUS_EVENT sources the announcements
// as <prefix>.event.<name>.<kind>.<id>; the bucket republishes them to live listeners.
//
// KV bucket MODELBUS_LIVE: <name> is the live record of a model, the last one alone, of
// whoever follows its examples. It goes with the model.
//
// [Registry.OpenArtifact] downloads to the cache in [Options] and maps the file;
// package cache says what is verified when.
//
// # What holds
//
// An artifact is stored and read back before one atomic batch makes version,
// alias and announcement visible together. Every decision is a compare-and-set
// through the leader. Version numbers are never reused, not even after a model
// was deleted. A commit whose answer was lost is looked up before it is repeated.
//
// A model is one from its creation to its deletion: a version that says when its model was
// created is refused by another one of the same name, whose versions have numbers above
// [Model].Earlier.
//
// All batches about one model write its ledger by compare-and-set, so decisions
// about a model are made one after the other, whoever makes them, and each carries a
// nonce: the message that follows a revision of the ledger says whose
// batch came in. Single records are guarded besides, against changes by hand.
//
// Reads go through the leader of the stream too; artifacts come from any
// replica and are verified, and read from the leader if they are wrong.
//
// An announcement reaches live listeners with its commit and the event stream a
// moment later. If the bucket's stream has no leader when the event stream
// sources from it, nats-server takes up to half a minute to try again: events
// come late then, none is lost or doubled.
//
// # Time
//
// Calls try again until their context is done, or for half a minute if that has
// no deadline, while a leader is elected or a connection made. The error says if
// it is not known whether the change was made.
//
// # Concurrency
//
// A [Registry] may be used by many goroutines and processes at once.
//
// # Errors
//
// See the sentinels in errors.go.
package registry
