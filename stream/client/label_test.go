package client_test

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

func TestLabel(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := learn.Setup(t.Context(), js, wire.Subjects{}, 1); err != nil {
		t.Fatal(err)
	}
	c := newClient(t, nc, client.Options{})
	ctx := t.Context()
	for _, err := range []error{
		c.Label(ctx, "iris", "a", "setosa"),
		c.Label(ctx, "iris", "a", false),
		c.LabelRow(ctx, "iris", "a", 2, 0),
		c.Labels(ctx, "iris", "a", 1.5, nil, "x"),
	} {
		if err != nil {
			t.Errorf("a label is not stored: %v", err)
		}
	}
	for _, err := range []error{
		c.Label(ctx, "iris", "no id", "setosa"),
		c.Label(ctx, "iris", "a", nil),
		c.Label(ctx, "iris", "a", math.NaN()),
		c.LabelRow(ctx, "iris", "a", -1, 1),
		c.Labels(ctx, "iris", "a"),
	} {
		if !errors.Is(err, wire.ErrInvalid) {
			t.Errorf("a label that is wrong: %v, want it refused", err)
		}
	}
	for _, want := range []bool{false, true} {
		if kept, err := c.Captured(ctx, "iris", ""); err != nil || kept != want {
			t.Errorf("Captured = %v, %v, want %v", kept, err, want)
		}
		if kept, err := c.Captured(ctx, "iris", "a"); err != nil || kept != want {
			t.Errorf("Captured of a = %v, %v, want %v", kept, err, want)
		}
		if kept, err := c.Captured(ctx, "iris", "b"); err != nil || kept {
			t.Errorf("Captured of b = %v, %v", kept, err)
		}
		if kept, err := c.Captured(ctx, "other", ""); err != nil || kept {
			t.Errorf("Captured of another model = %v, %v", kept, err)
		}
		if _, err := js.Publish(ctx, "modelbus.capture.iris.a", nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Label(ctx, "no model", "a", "setosa"); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("a label of no possible model: %v, want it refused", err)
	}
	s, err := js.Stream(ctx, "MODELBUS_LABEL")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"id":"a","label":"setosa"}`, `{"id":"a","label":false}`, `{"id":"a","row":2,"label":0}`, `{"id":"a","labels":[1.5,null,"x"]}`,
	}
	for i, body := range want {
		m, err := s.GetMsg(ctx, uint64(i+1))
		if err != nil || string(m.Data) != body || m.Subject != "modelbus.label.iris" {
			t.Errorf("label %d is %v, %v, want %s", i, m, err, body)
		}
	}
}

// TestCallOfSeveralRequestsHasSeveralIDs splits a call in two: each row can be named.
func TestCallOfSeveralRequestsHasSeveralIDs(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	var mu sync.Mutex
	var ids []string
	answer := sums(3)
	respond(t, nc, "modelbus.predict.m", func(m *nats.Msg) *nats.Msg {
		mu.Lock()
		defer mu.Unlock()
		ids = append(ids, m.Header.Get(wire.HeaderID))
		reply := answer(m)
		reply.Header = nats.Header{wire.HeaderID: m.Header[wire.HeaderID]}
		return reply
	})
	c := newClient(t, nc, client.Options{})
	rows := make([]any, 5000)
	for i := range rows {
		rows[i] = []float64{float64(i)}
	}
	p, err := c.Predict(client.WithID(t.Context(), "call"), "m", rows...)
	if err != nil || p.Len() != len(rows) {
		t.Fatalf("Predict = %v, %v", p, err)
	}
	if want := []string{"call", "call-2"}; !reflect.DeepEqual(ids, want) {
		t.Errorf("ids of the requests %q, want %q", ids, want)
	}
	for _, tt := range []struct {
		i, row int
		id     string
	}{{0, 0, "call"}, {4095, 4095, "call"}, {4096, 0, "call-2"}, {4999, 903, "call-2"}} {
		if id, row := p.Row(tt.i); id != tt.id || row != tt.row {
			t.Errorf("Row(%d) = %q, %d, want %q, %d", tt.i, id, row, tt.id, tt.row)
		}
	}
	mu.Lock()
	ids = nil
	mu.Unlock()
	long := []string{strings.Repeat("a", 127) + "b", strings.Repeat("a", 127) + "c", strings.Repeat("a", 126)}
	for _, id := range long { // as long as an id may be, or with room for the number
		if _, err := c.Predict(client.WithID(t.Context(), id), "m", rows...); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for i, id := range ids {
		if err := wire.CheckID(id); err != nil || seen[id] || (i%2 == 0) != (id == long[i/2]) {
			t.Errorf("request %d of calls with ids of up to %d characters has the id %q: %v", i, len(long[0]), id, err)
		}
		seen[id] = true
	}
	if len(ids) != 6 || ids[5] != long[2]+"-2" {
		t.Errorf("ids %q, want 6, the last one with -2", ids)
	}
	if p, err = c.Predict(client.WithID(t.Context(), "one"), "m", rows[:2]...); err != nil {
		t.Fatal(err)
	}
	if id, row := p.Row(1); id != "one" || row != 1 || p.ID != "one" {
		t.Errorf("Row(1) = %q, %d", id, row)
	}
}
