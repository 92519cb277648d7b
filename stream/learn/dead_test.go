package learn_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/embedded"
	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

func TestBadExamplesAreBuriedOnce(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec)
	d.points(t, "iris", 60, 1)
	width := d.publish(t, "iris", `{"features": [1], "label": "left"}`)
	kind := d.publish(t, "iris", `{"instances": [[-2, 0], ["a", 0], [2, 0], [2, null]], "labels": ["left", "left", "right", "right"]}`)
	whole := d.publish(t, "iris", `{"features": [1, 2`)

	got := d.train(t, wire.TrainRequest{})
	if got.kind != "promoted" {
		t.Fatalf("training beside bad examples: %+v, want it promoted", got)
	}
	if l := d.resolve(t, "iris").Lineage; l.Examples != 62 || l.Rejected != 4 {
		t.Errorf("lineage has %d examples and %d rejected, want 62 and 4", l.Examples, l.Rejected)
	}

	want := []struct {
		seq  uint64
		row  string // header; "" for a whole message
		body string
		says string
	}{
		{seq: width, row: "0", body: `{"features":[1],"label":"left"}`},
		{seq: kind, row: "1", body: `{"features":["a",0],"label":"left"}`, says: `"a"`},
		{seq: kind, row: "3", body: `{"features":[2,null],"label":"right"}`, says: "missing"},
		{seq: whole, body: `{"features": [1, 2`},
	}
	dead := d.dead(t)
	if len(dead) != len(want) {
		t.Fatalf("%d messages on the dead subject, want %d", len(dead), len(want))
	}
	for i, w := range want {
		h := dead[i].Header
		if h.Get(wire.HeaderSequence) != strconv.FormatUint(w.seq, 10) || h.Get(wire.HeaderRow) != w.row ||
			h.Get(wire.HeaderSubject) != "modelbus.train.iris" {
			t.Errorf("dead message %d: headers %v, want sequence %d, row %q", i, h, w.seq, w.row)
		}
		if reason := h.Get(wire.HeaderReason); reason == "" || !strings.Contains(reason, w.says) {
			t.Errorf("dead message %d: reason %q, want one that says %q", i, reason, w.says)
		}
		if !sameJSON(dead[i].Data, []byte(w.body)) {
			t.Errorf("dead message %d: body %s, want %s", i, dead[i].Data, w.body)
		}
	}

	// The same range again, and a new bad one: only that is new.
	d.publish(t, "iris", `{"features": [1, 2, 3], "label": "left"}`)
	d.train(t, seeded(8))
	if got := len(d.dead(t)); got != len(want)+1 {
		t.Errorf("after another training %d messages on the dead subject, want %d", got, len(want)+1)
	}
	if l := d.resolve(t, "iris@2").Lineage; l.Rejected != 5 {
		t.Errorf("the second training rejected %d rows, want 5", l.Rejected)
	}
}

// TestBadExamplesOfNewStream deletes the training stream and makes it again: its bad
// examples have the sequences of those before, and are others.
func TestBadExamplesOfNewStream(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec)
	for _, bad := range []string{`{"features": [1], "label": "left"}`, `{"features": ["b", 1], "label": "left"}`} {
		d.publish(t, "iris", bad)
		d.points(t, "iris", 60, 1)
		for range 2 {
			d.train(t, wire.TrainRequest{})
		}
		if err := d.js.DeleteStream(t.Context(), "MODELBUS_TRAIN"); err != nil {
			t.Fatal(err)
		}
		if err := learn.Setup(t.Context(), d.js, wire.Subjects{}, 0); err != nil {
			t.Fatal(err)
		}
	}
	dead := d.dead(t)
	if len(dead) != 2 {
		t.Fatalf("%d messages on the dead subject, want 2", len(dead))
	}
	a, b := dead[0].Header, dead[1].Header
	if a.Get(wire.HeaderSequence) != "1" || b.Get(wire.HeaderSequence) != "1" || a.Get(wire.HeaderStored) == b.Get(wire.HeaderStored) {
		t.Errorf("headers %v and %v, want sequence 1 of different times", a, b)
	}
}

// sameJSON reports whether two bodies are the same JSON, or the same bytes.
func sameJSON(a, b []byte) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return slices.Equal(a, b)
	}
	p, errP := json.Marshal(x)
	q, errQ := json.Marshal(y)
	return errP == nil && errQ == nil && slices.Equal(p, q)
}

// A spec that asks for more makes examples bad that were good: they are buried then.
func TestExamplesThatTurnBad(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec)
	d.points(t, "iris", 50, 1)
	d.publish(t, "iris", `{"features": [1], "label": "left"}`)
	d.train(t, wire.TrainRequest{})
	d.update(t, change(t, spec, "  - {name: y, type: number}\n", ""))
	got := d.train(t, wire.TrainRequest{})
	if got.kind != "failed" { // one example is left
		t.Errorf("training: %+v, want it failed", got)
	}
	if got := len(d.dead(t)); got != 51 {
		t.Errorf("%d messages on the dead subject, want the 50 that turned bad and the one that was", got)
	}
}

// The headers that are needed to read a message go with it, the server's do not.
func TestUnreadableMessageKeepsItsHeaders(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec)
	d.points(t, "iris", 50, 1)
	msg := nats.NewMsg("modelbus.train.iris")
	msg.Header.Set(wire.HeaderContentLength, "1000")
	msg.Header.Set("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	msg.Header.Set(nats.MsgIdHdr, "once")
	msg.Data = []byte(`{"inputs": []}`)
	if _, err := d.js.PublishMsg(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	d.train(t, wire.TrainRequest{})
	dead := d.dead(t)
	if len(dead) != 1 {
		t.Fatalf("%d messages on the dead subject, want 1", len(dead))
	}
	h := dead[0].Header
	if h.Get(wire.HeaderContentLength) != "1000" || h.Get("traceparent") == "" || h.Get(nats.MsgIdHdr) == "once" {
		t.Errorf("headers %v, want the sender's but not its message id", h)
	}
	if string(dead[0].Data) != string(msg.Data) {
		t.Errorf("body %s, want %s", dead[0].Data, msg.Data)
	}
}

// A dead message has more headers than the one it was: the largest ones cannot be
// copied, but they are not lost either.
func TestLargestMessageIsNotLost(t *testing.T) {
	t.Parallel()
	const largest = 256 << 10
	srv := embeddedtest.StartWith(t, embedded.Options{MaxPayload: largest, SyncInterval: time.Minute})
	d := deployOn(t, srv, learn.Options{})
	d.create(t, spec)
	d.points(t, "iris", 50, 1)
	seq := d.publish(t, "iris", strings.Repeat("x", largest))
	if got := d.train(t, wire.TrainRequest{}); got.kind != "promoted" {
		t.Fatalf("training beside a bad message of the largest size: %+v, want it promoted", got)
	}
	dead := d.dead(t)
	if len(dead) != 1 {
		t.Fatalf("%d messages on the dead subject, want 1", len(dead))
	}
	if got := dead[0].Header.Get(wire.HeaderSequence); got != strconv.FormatUint(seq, 10) {
		t.Errorf("sequence %s, want %d", got, seq)
	}
	if reason := dead[0].Header.Get(wire.HeaderReason); !strings.Contains(reason, "training stream") {
		t.Errorf("reason %q, want it to say where the message is", reason)
	}
}
