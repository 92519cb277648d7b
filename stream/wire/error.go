package wire

import (
	"errors"

	"github.com/nats-io/nats.go"
)

var (
	ErrInvalid          = errors.New("invalid")           // 400: the request is wrong
	ErrNotFound         = errors.New("not found")         // 404: no such model, version or alias
	ErrConflict         = errors.New("conflict")          // 409: somebody else was first
	ErrTooLarge         = errors.New("too large")         // 413: more bytes or rows than allowed
	ErrOverloaded       = errors.New("overloaded")        // 429: the queue is full, try again
	ErrInternal         = errors.New("internal error")    // 500: our fault
	ErrUnavailable      = errors.New("unavailable")       // 503: there is no version yet, or it is going away; try again
	ErrDeadlineExceeded = errors.New("deadline exceeded") // 504: the request was too late
)

// An Error is a failure as it travels: {"error", "code", "retryable"} and the
// number in the header. errors.Is matches it with the sentinel of its code, and
// with the other errors that the table maps to the same code.
type Error struct {
	Status    int    `json:"-"`
	Code      string `json:"code"`
	Message   string `json:"error"`
	Retryable bool   `json:"retryable"`
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Is reports whether target is a sentinel of e's code.
func (e *Error) Is(target error) bool { panic("unbuilt") }

// ErrorOf returns the travelling form of err by the table; an error that is not
// in it is internal.
func ErrorOf(err error) *Error { panic("unbuilt") }

// Reply fills header and body of a message that answers with e.
func (e *Error) Reply(msg *nats.Msg) { panic("unbuilt") }

// ErrorFrom returns the error that msg answers with, or nil if it is no error.
func ErrorFrom(msg *nats.Msg) error { panic("unbuilt") }
