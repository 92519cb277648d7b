// Package embedded runs a NATS server inside this process. It is the only
// package that links nats-server.
//
// # Durability
//
// With a store directory every acknowledged JetStream write has been synced to
// disk (nats-server's sync_interval: always) unless [Options.SyncInterval] says
// otherwise. A directory is used by one process at a time: a second one gets
// [ErrInUse].
//
// # Safety
//
// A server that listens beyond loopback without authentication is refused
// ([ErrOpen]) unless [Options.Insecure] insists.
//
// # Testing
//
// Package embeddedtest starts a server a test, in a few milliseconds.
package embedded
