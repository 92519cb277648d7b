package registry

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func TestTransient(t *testing.T) {
	t.Parallel()
	api := func(code int, number jetstream.ErrorCode) error {
		return fmt.Errorf("storing: %w", &jetstream.APIError{Code: code, ErrorCode: number})
	}
	tests := []struct {
		name string
		err  error
		want bool
	}{
		{name: "no leader", err: api(503, 10008), want: true},
		{name: "an earlier try is on its way", err: api(409, 10158), want: true},
		{name: "a server is not there yet", err: &jetstream.APIError{Code: 400, ErrorCode: 10005, Description: "no suitable peers for placement, peer offline"}, want: true},
		{name: "too few servers", err: &jetstream.APIError{Code: 400, ErrorCode: 10005, Description: "no suitable peers for placement"}},
		{name: "another message is the last one", err: api(400, jetstream.JSErrCodeStreamWrongLastSequence)},
		{name: "no such stream", err: api(404, jetstream.JSErrCodeStreamNotFound)},
		{name: "no answer", err: context.DeadlineExceeded, want: true},
		{name: "connecting again", err: nats.ErrConnectionReconnecting, want: true},
		{name: "canceled", err: context.Canceled},
		{name: "no JetStream", err: jetstream.ErrJetStreamNotEnabled},
		{name: "something else", err: errors.New("something else")},
	}
	for _, tt := range tests {
		if got := transient(tt.err); got != tt.want {
			t.Errorf("%s: transient(%v) = %t, want %t", tt.name, tt.err, got, tt.want)
		}
	}
}
