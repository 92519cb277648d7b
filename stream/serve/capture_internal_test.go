package serve

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
)

// An answeredAck is an acknowledgement that has come: an error, if there is one.
type answeredAck struct{ err error }

func (a answeredAck) Ok() <-chan *jetstream.PubAck {
	c := make(chan *jetstream.PubAck, 1)
	if a.err == nil {
		c <- &jetstream.PubAck{}
	}
	return c
}

func (a answeredAck) Err() <-chan error {
	c := make(chan error, 1)
	if a.err != nil {
		c <- a.err
	}
	return c
}

func (a answeredAck) Msg() *nats.Msg { return nil }

// A replicated stream refuses a second prediction of an id with another code than others,
// while the first one is on its way.
func TestCaptureCountsWhatBecameOfRequests(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want CaptureStatus
	}{
		{"stored", nil, CaptureStatus{Stored: 1}},
		{"one of that id is there", &jetstream.APIError{Code: 400, ErrorCode: 10071}, CaptureStatus{Repeated: 1}},
		{"one of that id is on its way", &jetstream.APIError{Code: 400, ErrorCode: 10164}, CaptureStatus{Repeated: 1}},
		{"no room", &jetstream.APIError{Code: 503, ErrorCode: 10077}, CaptureStatus{Dropped: 1}},
		{"nobody answered", errors.New("timeout"), CaptureStatus{Dropped: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &capturer{ctx: context.Background(), log: zerolog.Nop()}
			var counts captures
			c.settle(capturing{counts: &counts, ack: answeredAck{tt.err}})
			got := CaptureStatus{Stored: counts.stored.Load(), Repeated: counts.repeated.Load(), Dropped: counts.dropped.Load()}
			if got != tt.want {
				t.Errorf("counts %+v, want %+v", got, tt.want)
			}
		})
	}
}
