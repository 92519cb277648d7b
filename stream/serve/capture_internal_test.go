package serve

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
)

func (c *captures) status() CaptureStatus {
	return CaptureStatus{Stored: c.stored.Load(), Repeated: c.repeated.Load(), Dropped: c.dropped.Load()}
}

// A replicated stream refuses a second prediction of an id with another code than others,
// while the first one is on its way.
func TestCaptureCountsWhatBecameOfRequests(t *testing.T) {
	for _, tt := range []struct {
		name   string
		ack    string
		header nats.Header
		want   CaptureStatus
	}{
		{name: "stored", ack: `{"stream":"MODELBUS_CAPTURE", "seq":7}`, want: CaptureStatus{Stored: 1}},
		{name: "stored in a domain", ack: `{"stream":"error","domain":"hub","seq":7}`, want: CaptureStatus{Stored: 1}},
		{name: "one of that id is there", ack: refusal("10071"), want: CaptureStatus{Repeated: 1}},
		{name: "one of that id is on its way", ack: refusal("10164"), want: CaptureStatus{Repeated: 1}},
		{name: "no room", ack: refusal("10077"), want: CaptureStatus{Dropped: 1}},
		{name: "no stream", header: nats.Header{"Status": {"503"}}, want: CaptureStatus{Dropped: 1}},
		{name: "no acknowledgement", ack: `{}`, want: CaptureStatus{Dropped: 1}},
		{name: "no JSON", ack: `+ACK`, want: CaptureStatus{Dropped: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &capturer{log: zerolog.Nop()}
			var counts captures
			c.settle(&counts, acknowledged(&nats.Msg{Header: tt.header, Data: []byte(tt.ack)}))
			if got := counts.status(); got != tt.want {
				t.Errorf("counts %+v, want %+v", got, tt.want)
			}
		})
	}
}

func refusal(code string) string {
	return `{"error":{"code":400,"err_code":` + code + `,"description":"refused"},"stream":"MODELBUS_CAPTURE","seq":0}`
}

// TestFlight sends more messages than may be on their way, to a stream that leaves some
// without an acknowledgement and acknowledges others twice and out of order: each is
// settled once.
func TestFlight(t *testing.T) {
	nc := embeddedtest.Connect(t)
	var landed, lost captures
	settled := make(chan struct{}, 8)
	f, err := newFlight(nc, 3, func(counts *captures, err error) {
		if err != nil {
			counts = &lost
		}
		counts.stored.Add(1)
		settled <- struct{}{}
	})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := nc.SubscribeSync("stream")
	if err != nil {
		t.Fatal(err)
	}
	send := func(ctx context.Context) error {
		return f.send(ctx, &nats.Msg{Subject: "stream"}, &landed)
	}
	take := func() *nats.Msg {
		t.Helper()
		m, err := stream.NextMsg(patience)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	acknowledge := func(m *nats.Msg) {
		t.Helper()
		if err := m.Respond([]byte(`{"stream":"S","seq":1}`)); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		if err := send(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	first, second, third := take(), take(), take()
	acknowledge(third)
	acknowledge(second)
	acknowledge(third)
	<-settled
	<-settled
	full, cancel := context.WithCancel(t.Context())
	cancel()
	if err := send(full); !errors.Is(err, context.Canceled) {
		t.Errorf("with the first of 3 on its way still, a fourth is sent: %v", err)
	}
	acknowledge(first)
	<-settled
	for range 2 {
		if err := send(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	take()
	f.expire(time.Now().Add(2 * ackTimeout))
	acknowledge(take()) // too late
	if err := send(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.drain(full)
	f.close()
	if landed.stored.Load() != 3 || lost.stored.Load() != 3 || len(settled) != 3 {
		t.Errorf("%d messages have landed and %d are lost, of 3 each", landed.stored.Load(), lost.stored.Load())
	}
	if err := nc.Flush(); err != nil || nc.NumSubscriptions() != 1 {
		t.Errorf("%d subscriptions, %v, want 1", nc.NumSubscriptions(), err)
	}
}
