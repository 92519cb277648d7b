// Package service makes models visible to `nats service ls|info|stats`: it
// answers PING, INFO and STATS on $SRV as ADR-32 (NATS architecture decision
// record 32, "Service API") says, for a changing set of services on one
// connection. It measures nothing itself.
package service
