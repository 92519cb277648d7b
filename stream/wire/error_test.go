package wire_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/stream/wire"
)

// across sends err over the wire.
func across(err error) error {
	sent := nats.NewMsg("reply")
	wire.ErrorOf(err).Reply(sent)
	return wire.ErrorFrom(&nats.Msg{Header: sent.Header, Data: sent.Data})
}

func TestErrorsTravel(t *testing.T) {
	statuses := map[int]string{}
	for _, code := range wire.Codes() {
		statuses[code.Status] = code.Word
		for _, sentinel := range append(code.Errors, code.Local...) {
			t.Run(code.Word+"/"+sentinel.Error(), func(t *testing.T) {
				sent := fmt.Errorf("loading model %q: %w", "iris", sentinel)
				got := across(sent)
				e, ok := errors.AsType[*wire.Error](got)
				if !ok {
					t.Fatalf("got %v, want a *wire.Error", got)
				}
				if e.Status != code.Status || e.Code != code.Word || e.Retryable != code.Retryable || e.Message != sent.Error() {
					t.Errorf("got %+v, want status %d, code %s, retryable %v, message %q", e, code.Status, code.Word, code.Retryable, sent)
				}
				for _, other := range wire.Codes() {
					for _, target := range other.Errors {
						if want := other.Status == code.Status; errors.Is(got, target) != want {
							t.Errorf("errors.Is(%v, %v) = %v, want %v", got, target, !want, want)
						}
					}
				}
			})
		}
	}
	want := map[int]string{
		400: "invalid", 404: "not_found", 409: "conflict", 413: "too_large", 429: "overloaded",
		500: "internal", 503: "unavailable", 504: "deadline_exceeded",
	}
	for status, word := range want {
		if statuses[status] != word {
			t.Errorf("status %d = %q, want %q", status, statuses[status], word)
		}
	}
}

func TestErrorOf(t *testing.T) {
	if e := wire.ErrorOf(nil); e != nil {
		t.Errorf("ErrorOf(nil) = %v, want nil", e)
	}
	if e := wire.ErrorOf(errors.New("index out of range")); e.Status != 500 || e.Code != "internal" || e.Retryable {
		t.Errorf("ErrorOf of an error outside the table = %+v, want internal", e)
	}
	first := wire.ErrorOf(fmt.Errorf("%w: queue of 4", wire.ErrOverloaded))
	again := wire.ErrorOf(fmt.Errorf("asking again: %w", first))
	if again.Status != 429 || !again.Retryable || again.Message != "asking again: overloaded: queue of 4" {
		t.Errorf("ErrorOf of a wrapped *Error = %+v", again)
	}
	if errors.Is(across(context.Canceled), context.Canceled) {
		t.Error("a server's cancelled context looks like the client's own")
	}
}

func TestReplyIsJSONWithOneLineHeader(t *testing.T) {
	text := "line one\r\nNats-Injected: yes\x00\u2028" + strings.Repeat("é", 2000)
	msg := &nats.Msg{Header: nats.Header{wire.HeaderModel: {"iris"}, wire.HeaderContentLength: {"7"}}}
	(&wire.Error{Code: "invalid", Message: text}).Reply(msg)
	header := msg.Header.Get(wire.HeaderError)
	if strings.ContainsAny(header, "\r\n\x00\u2028") || len(header) > 600 {
		t.Errorf("header = %q, want one short line", header)
	}
	if got := msg.Header.Get(wire.HeaderErrorCode); got != strconv.Itoa(400) {
		t.Errorf("code header = %q, want 400", got)
	}
	if msg.Header.Get(wire.HeaderModel) != "iris" || msg.Header.Get(wire.HeaderContentLength) != "" {
		t.Errorf("header = %v, want the model and no content length", msg.Header)
	}
	var body map[string]any
	if err := json.Unmarshal(msg.Data, &body); err != nil {
		t.Fatal(err)
	}
	if body["error"] != strings.ToValidUTF8(text, "") || body["code"] != "invalid" || body["retryable"] != false {
		t.Errorf("body = %v", body)
	}
}

func TestErrorFromForeign(t *testing.T) {
	tests := []struct {
		name   string
		msg    nats.Msg
		want   error
		status int
	}{
		{"no error", nats.Msg{Data: []byte(`{}`)}, nil, 0},
		{"no responders", nats.Msg{Header: nats.Header{"Status": {"503"}}}, nats.ErrNoResponders, 0},
		{"a micro service", nats.Msg{Header: nats.Header{wire.HeaderErrorCode: {"404"}, wire.HeaderError: {"nothing"}}}, wire.ErrNotFound, 404},
		{"a code outside the table", nats.Msg{Header: nats.Header{wire.HeaderErrorCode: {"418"}}}, wire.ErrInternal, 418},
		{"a code that is no number", nats.Msg{Header: nats.Header{wire.HeaderErrorCode: {"x"}}}, wire.ErrInternal, 500},
		{
			"a body that is no error",
			nats.Msg{Header: nats.Header{wire.HeaderErrorCode: {"429"}, wire.HeaderError: {"busy"}}, Data: []byte("busy")},
			wire.ErrOverloaded, 429,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := wire.ErrorFrom(&tt.msg)
			if !errors.Is(got, tt.want) {
				t.Fatalf("ErrorFrom = %v, want %v", got, tt.want)
			}
			if e, ok := errors.AsType[*wire.Error](got); ok && (e.Status != tt.status || e.Message == "") {
				t.Errorf("ErrorFrom = %+v, want status %d and a message", e, tt.status)
			}
		})
	}
}
