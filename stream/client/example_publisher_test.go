package client_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/wire"
)

type trainLog struct{ jetstream.Stream }

func trainStream(t *testing.T, nc *nats.Conn, change func(*jetstream.StreamConfig)) trainLog {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	cfg := jetstream.StreamConfig{Name: "MODELBUS_TRAIN", Subjects: []string{"modelbus.train.*"}}
	if change != nil {
		change(&cfg)
	}
	s, err := js.CreateStream(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return trainLog{s}
}

func schema() *feature.Schema {
	return &feature.Schema{
		Features: []feature.Feature{{Name: "a", Type: feature.Number}, {Name: "kind", Type: feature.Category}},
		Label:    feature.Label{Name: "y", Type: feature.Number},
	}
}

func example(i int) feature.Row {
	return feature.Row{
		Values: []feature.Value{{Kind: feature.KindNumber, Num: float64(i)}, {Kind: feature.KindText, Text: "k"}},
		Label:  feature.Value{Kind: feature.KindNumber, Num: float64(-i)}, Weight: 1,
	}
}

// stored returns the features "a" of all examples in the stream, in its order.
func stored(t *testing.T, s trainLog) []int {
	t.Helper()
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for seq := info.State.FirstSeq; seq <= info.State.LastSeq; seq++ {
		msg, err := s.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		_, problems, err := wire.DecodeExamples(schema(), msg.Header, msg.Data, func(_ int, r feature.Row) error {
			got = append(got, int(r.Values[0].Num))
			return nil
		})
		if err != nil || len(problems) > 0 {
			t.Fatal(err, problems)
		}
	}
	return got
}

func inOrder(t *testing.T, got []int, n int) {
	t.Helper()
	if len(got) != n {
		t.Fatalf("%d rows are stored, want %d", len(got), n)
	}
	for i, v := range got {
		if v != i {
			t.Fatalf("row %d is example %d", i, v)
		}
	}
}

func addAll(t *testing.T, p *client.ExamplePublisher, n int) {
	t.Helper()
	for i := range n {
		if err := p.Add(t.Context(), example(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Who publishes again under an id is told what was there already.
func TestPublishedBefore(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	s := trainStream(t, nc, nil)
	c := newClient(t, nc, client.Options{})
	for i, want := range []int{0, 1000, 0} {
		id := "one"
		if i == 2 {
			id = "another"
		}
		p := c.Examples("m", schema(), client.PublisherOptions{ID: id, BatchRows: 100})
		addAll(t, p, 1000)
		if p.Published() != 1000 || p.Repeated() != want {
			t.Errorf("publishing %d: %d rows published, %d repeated, want 1000 and %d", i, p.Published(), p.Repeated(), want)
		}
		if i == 1 {
			inOrder(t, stored(t, s), 1000)
		}
	}
}

func TestPublishExamples(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		maxPayload int
		opts       client.PublisherOptions
	}{
		{"by default", 1 << 20, client.PublisherOptions{}},
		{"small batches, few in flight", 1 << 20, client.PublisherOptions{BatchRows: 7, InFlight: 2}},
		{"one row a message", 1 << 20, client.PublisherOptions{BatchRows: 1, InFlight: 1}},
		{"by the maximum payload", 2048, client.PublisherOptions{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			nc := embeddedtest.Join(t, smallServer(t, tt.maxPayload))
			s := trainStream(t, nc, nil)
			p := newClient(t, nc, client.Options{}).Examples("m", schema(), tt.opts)
			addAll(t, p, 1000)
			if p.Published() != 1000 {
				t.Errorf("Published = %d, want 1000", p.Published())
			}
			inOrder(t, stored(t, s), 1000)
		})
	}
}

func TestPublishExamplesShorthand(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	s := trainStream(t, nc, nil)
	rows := []feature.Row{example(0), example(1), example(2)}
	if err := newClient(t, nc, client.Options{}).PublishExamples(t.Context(), "m", schema(), rows); err != nil {
		t.Fatal(err)
	}
	inOrder(t, stored(t, s), 3)
}

func TestPublishIsIdempotent(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	s := trainStream(t, nc, nil)
	c := newClient(t, nc, client.Options{})
	for range 2 {
		p := c.Examples("m", schema(), client.PublisherOptions{BatchRows: 10, ID: "file-1"})
		addAll(t, p, 95)
		if p.Published() != 95 {
			t.Errorf("Published = %d, want 95", p.Published())
		}
	}
	inOrder(t, stored(t, s), 95)
}

func TestPublishLeavesBadRowsOut(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	s := trainStream(t, nc, nil)
	p := newClient(t, nc, client.Options{}).Examples("m", schema(), client.PublisherOptions{})
	bad := example(0)
	bad.Values = []feature.Value{{Kind: feature.KindText, Text: "x"}, {Kind: feature.KindText, Text: "k"}}
	if err := p.Add(t.Context(), bad); !errors.Is(err, feature.ErrInvalid) {
		t.Errorf("Add of a bad row = %v, want feature.ErrInvalid", err)
	}
	addAll(t, p, 3)
	inOrder(t, stored(t, s), 3)
}

func TestPublishWithoutStream(t *testing.T) {
	t.Parallel()
	c := newClient(t, embeddedtest.Connect(t), client.Options{})
	p := c.Examples("m", schema(), client.PublisherOptions{})
	if err := p.Add(t.Context(), example(0)); err != nil {
		t.Fatal(err)
	}
	err := p.Flush(t.Context())
	if !errors.Is(err, jetstream.ErrStreamNotFound) || !strings.Contains(fmt.Sprint(err), "modelbus serve") {
		t.Errorf("Flush = %v, want ErrStreamNotFound and what to do", err)
	}
	if again := p.Add(t.Context(), example(1)); again == nil {
		t.Error("Add after the end succeeded")
	}
}

func TestPublishToAFullStream(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	trainStream(t, nc, func(cfg *jetstream.StreamConfig) { cfg.MaxMsgs, cfg.Discard = 2, jetstream.DiscardNew })
	p := newClient(t, nc, client.Options{}).Examples("m", schema(), client.PublisherOptions{BatchRows: 1})
	for i := range 3 {
		if err := p.Add(t.Context(), example(i)); err != nil {
			t.Fatal(err)
		}
	}
	err := p.Flush(t.Context())
	if _, ok := errors.AsType[*jetstream.APIError](err); !ok || p.Published() != 2 {
		t.Errorf("Flush = %v with %d published, want the server's error and 2", err, p.Published())
	}
}

func TestPublishTooLargeRow(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Join(t, smallServer(t, 1024))
	trainStream(t, nc, nil)
	p := newClient(t, nc, client.Options{}).Examples("m", schema(), client.PublisherOptions{})
	row := example(0)
	row.Values = []feature.Value{{Kind: feature.KindNumber, Num: 1}, {Kind: feature.KindText, Text: strings.Repeat("k", 2000)}}
	if err := errors.Join(p.Add(t.Context(), row), p.Flush(t.Context())); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("Flush = %v, want ErrTooLarge", err)
	}
}

// What is not acknowledged is sent again with the same id, and the context ends it.
func TestPublishRepeats(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	trainStream(t, nc, func(cfg *jetstream.StreamConfig) { cfg.NoAck = true })
	seen, err := nc.SubscribeSync("modelbus.train.m")
	if err != nil {
		t.Fatal(err)
	}
	p := newClient(t, nc, client.Options{Timeout: 20 * time.Millisecond}).Examples("m", schema(), client.PublisherOptions{ID: "x"})
	if err := p.Add(t.Context(), example(0)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- p.Flush(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) || p.Published() != 0 {
			t.Errorf("Flush = %v with %d published, want Canceled and 0", err, p.Published())
		}
	}()
	for i := range 3 {
		m, err := seen.NextMsg(time.Minute)
		if err != nil || m.Header.Get(nats.MsgIdHdr) != "x-0" || len(m.Header[nats.MsgIdHdr]) != 1 {
			t.Fatalf("message %d = %v, %v, want one with id x-0", i, m, err)
		}
	}
}

// A replicated stream may refuse what is sent again while the first try is on its way.
func TestPublishWhatIsOnItsWay(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	var tries atomic.Int32
	respond(t, nc, "modelbus.train.m", func(*nats.Msg) *nats.Msg {
		if tries.Add(1) == 1 {
			return &nats.Msg{Data: []byte(`{"error": {"code": 409, "err_code": 10158, "description": "duplicate message id is in process"}}`)}
		}
		return &nats.Msg{Data: []byte(`{"stream": "MODELBUS_TRAIN", "seq": 1, "duplicate": true}`)}
	})
	p := newClient(t, nc, client.Options{}).Examples("m", schema(), client.PublisherOptions{})
	if err := errors.Join(p.Add(t.Context(), example(0)), p.Flush(t.Context())); err != nil || p.Published() != 1 || p.Repeated() != 0 {
		t.Errorf("Flush = %v with %d published and %d repeated, want 1 and 0", err, p.Published(), p.Repeated())
	}
}
