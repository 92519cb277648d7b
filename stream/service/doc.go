// Package service makes models visible to `nats service ls|info|stats`: it
// answers PING, INFO and STATS on $SRV as ADR-32 (NATS architecture decision
// record 32, "Service API") says, for a changing set of services on one
// connection. It measures nothing itself.
//
// # Subjects
//
// $SRV.<VERB>, and $SRV.<VERB>.<name> and $SRV.<VERB>.<name>.<id> of each
// service there is: a request for one that nobody has gets "no responders" at
// once. They are no queue subscriptions: every process answers for itself.
//
// # Identity
//
// A service keeps its id as long as its name and start time stay the same.
// Metadata must not change in that time (ADR-32): a provider whose metadata
// change gives the service a new start time, and with it a new id.
//
// # Concurrency
//
// Providers are called on the goroutines of the subscriptions, several at once.
package service
