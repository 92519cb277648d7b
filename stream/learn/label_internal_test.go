package learn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// A desk joins labels of one model, without a trainer that runs.
type desk struct {
	*joiner

	js jetstream.JetStream
}

func openDesk(t *testing.T) *desk {
	t.Helper()
	nc := embeddedtest.Connect(t)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := Setup(t.Context(), js, wire.Subjects{}, 1); err != nil {
		t.Fatal(err)
	}
	reg, err := registry.Create(t.Context(), js, registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text := `{"name": "iris", "features": [{"name": "x", "type": "number"}], "label": {"name": "side", "type": "category"}}`
	if _, err := reg.CreateModel(t.Context(), registry.Model{Name: "iris", Spec: json.RawMessage(text)}); err != nil {
		t.Fatal(err)
	}
	trainer, err := New(nc, reg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &desk{joiner: newJoiner(trainer), js: js}
}

// capture stores a prediction and returns when it was made.
func (d *desk) capture(t *testing.T, id string) time.Time {
	t.Helper()
	known, err := d.known(t.Context(), "iris")
	if err != nil {
		t.Fatal(err)
	}
	schema := known.schema
	f := feature.NewFrame(schema, false)
	if err := f.Append(feature.Row{Values: []feature.Value{{Kind: feature.KindNumber, Num: 1}}}); err != nil {
		t.Fatal(err)
	}
	c := &wire.Capture{Model: "iris", Version: 3, Time: time.Now(), Predictions: []wire.Outcome{{Class: true, Label: "left", Score: 0.75}}}
	msg := nats.NewMsg("modelbus.capture.iris." + id)
	if err := wire.EncodeCapture(msg, c, f); err != nil {
		t.Fatal(err)
	}
	if _, err := d.js.PublishMsg(t.Context(), msg, jetstream.WithMsgTTL(time.Hour)); err != nil {
		t.Fatal(err)
	}
	return c.Time
}

// examples counts the messages of the training stream by the id that they are of.
func (d *desk) examples(t *testing.T) map[string]int {
	t.Helper()
	s, err := d.js.Stream(t.Context(), "MODELBUS_TRAIN")
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	for seq := uint64(1); seq <= s.CachedInfo().State.LastSeq; seq++ {
		msg, err := s.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		n[msg.Header.Get(wire.HeaderID)]++
	}
	return n
}

// limit bounds the messages of a stream.
func (d *desk) limit(t *testing.T, name string, messages int64) {
	t.Helper()
	s, err := d.js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.MaxMsgs = messages
	if _, err := d.js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

// Where no more claims can be kept, a label that comes twice makes no second example.
func TestLabelsAreJoinedOnceWhereClaimsHaveNoRoom(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	d.limit(t, "MODELBUS_JOIN", 3)
	d.tryTime = 0 // all that was claimed is old enough to go
	const n = 12
	for i := range n {
		d.capture(t, fmt.Sprint("id-", i))
	}
	for i := range n {
		if got, err := d.label(t.Context(), "iris", fmt.Appendf(nil, `{"id": "id-%d", "label": "right"}`, i)); err != nil || got != 1 {
			t.Fatalf("label %d: %d rows are joined, %v", i, got, err)
		}
	}
	unknown := 0
	for i := range n {
		got, err := d.label(t.Context(), "iris", fmt.Appendf(nil, `{"id": "id-%d", "label": "right"}`, i))
		if errors.Is(err, errUncaptured) {
			unknown++
		}
		if got != 0 || err != nil && !errors.Is(err, errUncaptured) {
			t.Errorf("label %d, again: %d rows are joined, %v, want none", i, got, err)
		}
	}
	all := d.examples(t)
	for id, c := range all {
		if c != 1 {
			t.Errorf("%d examples of %s, want 1", c, id)
		}
	}
	if len(all) != n {
		t.Errorf("examples of %d ids, want %d", len(all), n)
	}
	if unknown < n-3 {
		t.Errorf("%d labels that came again are of unknown ids, want those of all but 3 claims at most", unknown)
	}
}

// Claims as young as a try may last do not go: labels wait then, and are not lost.
func TestYoungClaimsStay(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	d.limit(t, "MODELBUS_JOIN", 1)
	d.tryTime = time.Hour
	d.capture(t, "a")
	d.capture(t, "b")
	if got, err := d.label(t.Context(), "iris", []byte(`{"id": "a", "label": "right"}`)); err != nil || got != 1 {
		t.Fatalf("%d rows are joined, %v", got, err)
	}
	body := []byte(`{"id": "b", "label": "right"}`)
	if got, err := d.label(t.Context(), "iris", body); got != 0 || !errors.Is(err, errNoRoom) || lasting(err) {
		t.Errorf("a label that has no room: %d rows are joined, %v, want it to be tried again", got, err)
	}
	d.tryTime = 0
	if got, err := d.label(t.Context(), "iris", body); err != nil || got != 1 || d.examples(t)["b"] != 1 {
		t.Errorf("a label that has room: %d rows are joined, %v", got, err)
	}
}

// TestSearchGoesOn has no time to search the training stream for an example whose
// trainer died: each try goes on where the one before ended.
func TestSearchGoesOn(t *testing.T) {
	t.Parallel()
	for _, there := range []bool{true, false} {
		t.Run(fmt.Sprint("there ", there), func(t *testing.T) {
			t.Parallel()
			d := openDesk(t)
			d.searchTime = 0
			at := d.capture(t, "a")
			claim := wire.Join{Time: at, Labels: map[int]*wire.Truth{0: {Label: json.RawMessage(`"right"`)}}}
			body, err := json.Marshal(claim)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := d.js.Publish(t.Context(), "modelbus.join.iris.a", body); err != nil {
				t.Fatal(err)
			}
			for i := range 7 {
				msg := nats.NewMsg("modelbus.train.iris")
				if there && i == 4 {
					msg.Header.Set(wire.HeaderID, "a")
					msg.Header.Set("Nats-Msg-Id", fmt.Sprintf("label-iris-a-0-%d", at.UnixNano()))
				}
				if _, err := d.js.PublishMsg(t.Context(), msg); err != nil {
					t.Fatal(err)
				}
			}
			joined, tries := 0, 0
			for err = errSearching; err != nil; tries++ {
				var n int
				if n, err = d.label(t.Context(), "iris", []byte(`{"id": "a", "label": "right"}`)); err != nil && lasting(err) || tries > 7 {
					t.Fatalf("try %d: %v, want it to be tried again, 7 times at most", tries, err)
				}
				joined += n
			}
			if want := map[bool]int{true: 5, false: 7}[there]; tries != want {
				t.Errorf("%d tries, want %d", tries, want)
			}
			if c := d.examples(t)["a"]; joined != 1 || c != 1 {
				t.Errorf("%d rows are joined, %d examples, want one each", joined, c)
			}
		})
	}
}

// Too many labels of unknown ids wait for a short while, and those of other models as ever.
func TestPatience(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	d.wait, d.most, d.crowdAge = time.Hour, 10, 0
	put := func(model string, n int) {
		for range n {
			if _, err := d.js.Publish(t.Context(), "modelbus.label."+model, []byte(`{"id": "nobody", "label": "left"}`)); err != nil {
				t.Fatal(err)
			}
		}
	}
	wait := func(model string) time.Duration {
		left, _ := d.patience(t.Context(), model, 0, 1)
		return left
	}
	put("iris", 10)
	if got := wait("iris"); got != time.Hour {
		t.Errorf("10 labels of iris wait for %v, want an hour", got)
	}
	put("iris", 1)
	if got, other := wait("iris"), wait("other"); got != shortLabelWait || other != time.Hour {
		t.Errorf("11 labels of iris wait for %v, those of another model for %v, want %v and an hour", got, other, shortLabelWait)
	}
	s, err := d.js.Stream(t.Context(), "MODELBUS_LABEL")
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.MaxBytes = int64(s.CachedInfo().State.Bytes) * 3 / 2
	if _, err := d.js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if got := wait("other"); got != shortLabelWait {
		t.Errorf("where labels take more than half of the room, they wait for %v, want %v", got, shortLabelWait)
	}
}

// TestFloodHoldsUpNobody has labels of unknown ids come before one that can be joined:
// it is, and of the others no more than a crowd waits on.
func TestFloodHoldsUpNobody(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	d.wait, d.shortWait, d.most, d.crowdAge = time.Hour, time.Millisecond, 10, 0
	const n = 50
	for i := range n {
		if _, err := d.js.Publish(t.Context(), "modelbus.label.iris", fmt.Appendf(nil, `{"id": "nobody-%d", "label": "left"}`, i)); err != nil {
			t.Fatal(err)
		}
	}
	d.capture(t, "a")
	if _, err := d.js.Publish(t.Context(), "modelbus.label.iris", []byte(`{"id": "a", "label": "left"}`)); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var consuming sync.WaitGroup
	consuming.Go(func() {
		if err := d.consume(ctx, "iris"); ctx.Err() == nil {
			t.Errorf("consume() = %v, want it to go on", err)
		}
	})
	defer func() {
		stop()
		consuming.Wait()
	}()
	for end := time.Now().Add(30 * time.Second); ; <-time.After(5 * time.Millisecond) {
		got := d.Endpoints("iris")[0].Data.(Labels) //nolint:errcheck // it is that
		if got.Joined == 1 && got.Unknown >= n-d.most {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("labels %+v, want 1 joined, and of %d unknown ones all but %d dealt with", got, n, d.most)
		}
	}
}

// A label that comes when its model was deleted and made anew makes no example of the other model,
// also if what was captured is still there.
func TestLabelOfAModelBefore(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	ctx := t.Context()
	d.capture(t, "a") // of version 3
	digest, err := d.reg.PutArtifact(ctx, []byte("an artifact"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := d.reg.Model(ctx, "iris")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := d.reg.Publish(ctx, registry.Version{Model: "iris", Digest: digest}, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.reg.DeleteModel(ctx, "iris", "", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := d.reg.CreateModel(ctx, m); err != nil {
		t.Fatal(err)
	}
	d.noticed.Store("iris", time.Now())
	if got, err := d.label(ctx, "iris", []byte(`{"id": "a", "label": "right"}`)); got != 0 || !errors.Is(err, errUncaptured) {
		t.Errorf("%d rows are joined, %v, want %v", got, err, errUncaptured)
	}
	if all := d.examples(t); len(all) != 0 {
		t.Errorf("examples of %v, want none", all)
	}
}
