// Package stream and its sub-packages speak NATS; PROTOCOL.md is their contract.
//
//   - wire: payloads to tensors and back, subjects, headers, errors
//   - serve: answers predictions
//   - learn: turns training examples into versions
//   - control: create, list, show, train, promote … by request-reply
//   - service: ADR-32 discovery
//   - client: what a microservice imports
//   - bench: measures a model under load, against a bare NATS echo
package stream
