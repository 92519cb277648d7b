// Package wire turns payloads into rows and predictions into payloads. It knows
// bytes, subjects and headers, not connections.
//
// # Forms
//
// A request is told apart by its first bytes and headers: rows
// ({"instances": …}), the Open Inference Protocol v2 ({"inputs": …}), and that
// with binary tensors behind the JSON (header Inference-Header-Content-Length).
// PROTOCOL.md has each in full.
//
// # Errors
//
// One table maps Go errors to wire codes and back: see [Codes]. Input is strict:
// what is not exactly right is [ErrInvalid], never a guess, never a panic.
package wire
