package wire

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/nn"
	"github.com/modelbus/modelbus/registry"
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

// A Code is one line of the error table.
type Code struct {
	Status    int
	Word      string
	Retryable bool

	// Errors travel both ways: an error that is one of them gets this code, and
	// an [Error] of this code is each of them. The first is this package's own.
	Errors []error

	// Local errors get this code but do not come back: they speak of the
	// server's own contexts and connections, not of the client's.
	Local []error
}

// Codes returns the error table.
func Codes() []Code {
	return []Code{
		{
			Status: 400, Word: "invalid",
			Errors: []error{ErrInvalid, registry.ErrInvalid, feature.ErrInvalid, model.ErrArtifact, nn.ErrDiverged},
		},
		{Status: 404, Word: "not_found", Errors: []error{ErrNotFound, registry.ErrNotFound}},
		{Status: 409, Word: "conflict", Errors: []error{ErrConflict, registry.ErrConflict}},
		{Status: 413, Word: "too_large", Errors: []error{ErrTooLarge, nats.ErrMaxPayload}},
		{Status: 429, Word: "overloaded", Retryable: true, Errors: []error{ErrOverloaded}},
		{Status: 500, Word: "internal", Errors: []error{ErrInternal, registry.ErrCorrupt}},
		{
			Status: 503, Word: "unavailable", Retryable: true,
			Errors: []error{ErrUnavailable, registry.ErrNotInitialized},
			Local:  []error{context.Canceled, nats.ErrNoResponders, nats.ErrConnectionClosed, nats.ErrConnectionDraining},
		},
		{
			Status: 504, Word: "deadline_exceeded",
			Errors: []error{ErrDeadlineExceeded, context.DeadlineExceeded, nats.ErrTimeout},
		},
	}
}

// codeOf returns the first line that matches, that of [ErrInternal] if none does.
func codeOf(match func(Code) bool) Code {
	internal := Code{}
	for _, c := range Codes() {
		if match(c) {
			return c
		}
		if slices.Contains(c.Errors, ErrInternal) {
			internal = c
		}
	}
	return internal
}

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
func (e *Error) Is(target error) bool {
	code := codeOf(func(c Code) bool { return c.Word == e.Code })
	return slices.Contains(code.Errors, target)
}

// UnmarshalJSON reads e, and its Status from the table.
func (e *Error) UnmarshalJSON(text []byte) error {
	type plain Error
	if err := json.Unmarshal(text, (*plain)(e)); err != nil {
		return err
	}
	e.Status = codeOf(func(c Code) bool { return c.Word == e.Code }).Status
	return nil
}

// ErrorOf returns the travelling form of err by the table; an error that is not
// in it is internal, and an [Error] itself. It returns nil for nil.
func ErrorOf(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		wrapped := *e
		wrapped.Message = err.Error()
		return &wrapped
	}
	is := func(target error) bool { return errors.Is(err, target) }
	code := codeOf(func(c Code) bool {
		return slices.ContainsFunc(c.Errors, is) || slices.ContainsFunc(c.Local, is)
	})
	return &Error{Status: code.Status, Code: code.Word, Message: err.Error(), Retryable: code.Retryable}
}

// Reply fills header and body of a message that answers with e. Headers that
// are there already stay.
func (e *Error) Reply(msg *nats.Msg) {
	if msg.Header == nil {
		msg.Header = nats.Header{}
	}
	status := e.Status
	if status == 0 {
		status = codeOf(func(c Code) bool { return c.Word == e.Code }).Status
	}
	msg.Header.Set(HeaderError, HeaderText(e.Message))
	msg.Header.Set(HeaderErrorCode, strconv.Itoa(status))
	msg.Header.Del(HeaderContentLength)
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false) // a person reads "<model>"
	msg.Data = []byte(`{"error":"internal error","code":"internal","retryable":false}`)
	if enc.Encode(e) == nil {
		msg.Data = bytes.TrimSuffix(body.Bytes(), []byte("\n"))
	}
}

// maxHeader bounds a text in a header: it is no place for a long value quoted
// in an error.
const maxHeader = 512

// HeaderText makes text fit for a header: one line of at most 512 bytes and a
// mark that there was more.
func HeaderText(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
	return cut(strings.TrimSpace(text), maxHeader)
}

// ErrorFrom returns the error that msg answers with, or nil if it is no error.
// It is an [*Error], or nats.ErrNoResponders for the server's own notice.
func ErrorFrom(msg *nats.Msg) error {
	if len(msg.Data) == 0 && msg.Header.Get("Status") == "503" {
		return nats.ErrNoResponders
	}
	number := msg.Header.Get(HeaderErrorCode)
	text := msg.Header.Get(HeaderError)
	if number == "" && text == "" {
		return nil
	}
	e := &Error{}
	if json.Unmarshal(msg.Data, e) != nil || e.Code == "" {
		e = &Error{Message: text}
	}
	status, err := strconv.Atoi(number)
	if err != nil {
		status = 0
	}
	code := codeOf(func(c Code) bool { return c.Word == e.Code || e.Code == "" && c.Status == status })
	if e.Code == "" {
		e.Code, e.Retryable = code.Word, code.Retryable
	}
	if e.Status = status; status == 0 {
		e.Status = code.Status
	}
	if e.Message == "" {
		e.Message = cmp.Or(text, e.Code)
	}
	return e
}

// An inputError is an error about a message. Its text says it all, so the word
// "invalid" does not show.
type inputError struct{ err error }

func (e *inputError) Error() string        { return e.err.Error() }
func (e *inputError) Unwrap() error        { return e.err }
func (e *inputError) Is(target error) bool { return target == ErrInvalid }

// invalidf returns an error that wraps [ErrInvalid].
func invalidf(format string, args ...any) error {
	return &inputError{fmt.Errorf(format, args...)}
}

// quote quotes a piece of a message, at most about 64 bytes of it.
func quote(s string) string { return strconv.Quote(cut(s, 64)) }

// cut shortens s to at most limit bytes and a mark.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}
