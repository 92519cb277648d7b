package learn_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/drift"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

// onlineSpec learns the points of the plane as they come.
const onlineSpec = `
name: iris
features:
  - {name: x, type: number}
  - {name: y, type: number}
label: {name: side, type: category}
network:
  - Dense: {units: 8, activation: relu}
optimizer: {Adam: {learning_rate: 0.05}}
training: {seed: 7}
retrain: {mode: online, every: 200}
`

// single publishes n examples, each in a message of its own.
func (d *deployment) single(t *testing.T, n int, seed uint64) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 9))
	for range n {
		x, y := rnd.NormFloat64(), rnd.NormFloat64()
		side := "left"
		if x+y > 0 {
			side = "right"
		}
		ack, err := d.js.PublishAsync("modelbus.train.iris", fmt.Appendf(nil, `{"features":[%v,%v],"label":%q}`, x, y, side))
		if err != nil {
			t.Fatal(err)
		}
		_ = ack
	}
	select {
	case <-d.js.PublishAsyncComplete():
	case <-time.After(patience):
		t.Fatal("the examples were not stored")
	}
}

// await waits until there is a version of that number, and returns it.
func (d *deployment) await(t *testing.T, number uint64) registry.Version {
	t.Helper()
	for {
		v, err := d.reg.Resolve(t.Context(), registry.Ref{Model: "iris", Version: number})
		if err == nil {
			return v
		}
		if !errors.Is(err, registry.ErrNotFound) {
			t.Fatal(err)
		}
		for e := d.next(t); e.Kind != registry.KindVersion; e = d.next(t) {
		}
	}
}

// digests returns the digests of the versions of a straight run.
func digests(versions []registry.Version) []string {
	var out []string
	for _, v := range versions {
		out = append(out, v.Digest)
	}
	return out
}

func TestOnline(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{Software: "test"})
	d.create(t, onlineSpec)
	d.single(t, 250, 1)
	d.publish(t, "iris", `{"features":[1],"label":"left"}`)        // too narrow
	d.publish(t, "iris", `{"features":[1,2],"label":"elsewhere"}`) // no class of the first rows
	d.publish(t, "iris", `{"features":[1,2],"label":`)             // no JSON
	d.publish(t, "iris", `{"features":[2,2],"label":"right"}`)
	d.points(t, "iris", 330, 2)
	first, second := d.await(t, 1), d.await(t, 2)
	for _, tt := range []struct {
		v    registry.Version
		want registry.Lineage
	}{
		{first, registry.Lineage{FirstSeq: 1, LastSeq: 200, Examples: 200}},
		// 51 of one row, 3 bad ones, then tens: the first that makes 200 of them.
		{second, registry.Lineage{FirstSeq: 201, LastSeq: 269, Examples: 201, Rejected: 3, Parent: 1, Warm: true}},
	} {
		got := tt.v.Lineage
		want := tt.want
		want.Online, want.Stream, want.Seed, want.Software = true, "MODELBUS_TRAIN", 7, "test"
		want.Trigger = fmt.Sprintf("%d new examples", want.Examples)
		want.DataDigest, want.SpecDigest = got.DataDigest, got.SpecDigest
		want.LastTime, want.StreamCreated = got.LastTime, got.StreamCreated
		if got != want || got.LastTime.Before(got.StreamCreated) || got.DataDigest == "" || got.SpecDigest == "" {
			t.Errorf("lineage of version %d = %+v, want %+v", tt.v.Number, got, want)
		}
		m := tt.v.Metrics
		if m["accuracy"] < 0.7 || m["baseline_accuracy"] == 0 || m["baseline_no_change_accuracy"] == 0 || m["log_loss"] == 0 {
			t.Errorf("metrics of version %d = %v, want an accuracy of 0.7 at least, with its baselines", tt.v.Number, m)
		}
	}
	for _, v := range []registry.Version{first, second} {
		// The second stretch is too short to say more than the first one.
		if c := d.referenceOf(t, v, drift.PredictionColumn); c.Rows != 200 || c.Missing != 0 {
			t.Errorf("the reference of version %d has predictions %+v, want those of the 200 rows before the first version", v.Number, c)
		}
	}
	if v := d.resolve(t, "iris"); v.Number != 2 {
		t.Errorf("champion is version %d, want 2: there is no gate", v.Number)
	}
	if dead := d.dead(t); len(dead) != 3 {
		t.Errorf("%d messages on the dead subject, want 3", len(dead))
	}

	// On request, all up to now.
	got := d.train(t, wire.TrainRequest{Who: "ann"})
	third := d.await(t, 3)
	if got.kind != "promoted" || got.Version != 0 && got.Version != 3 || third.Lineage.Examples != 180 || third.Lineage.LastSeq != 287 {
		t.Errorf("training on request: %+v, lineage %+v, want version 3 of 180 examples up to message 287", got, third.Lineage)
	}
	if got := d.train(t, wire.TrainRequest{}); got.kind != "failed" || !strings.Contains(got.Error.Message, "no examples since version 3") {
		t.Errorf("training with nothing new: %+v, want it failed", got)
	}
	d.points(t, "iris", 10, 3)
	if got := d.train(t, wire.TrainRequest{NoPromote: true}); got.kind != "rejected" {
		t.Errorf("training that is not to promote: %+v, want it rejected", got)
	}
	seed := uint64(4)
	if got := d.train(t, wire.TrainRequest{Seed: &seed}); got.kind != "failed" || !errors.Is(got.Error, wire.ErrInvalid) {
		t.Errorf("training with a seed: %+v, want it failed", got)
	}
	for _, ref := range []string{"iris@1", "iris@2", "iris@3", "iris@4"} {
		got, err := d.rebuild(t, ref)
		if err != nil {
			t.Fatalf("Rebuild(%s) = %v", ref, err)
		}
		if v := d.resolve(t, ref); !got.Same || got.Examples != v.Lineage.Examples || got.LastSeq != v.Lineage.LastSeq {
			t.Errorf("Rebuild(%s) = %+v, want the same as %+v", ref, got, v)
		}
	}
}

// referenceOf returns a column of the reference of a version.
func (d *deployment) referenceOf(t *testing.T, v registry.Version, column string) *drift.ColumnReference {
	t.Helper()
	artifact, err := d.reg.Artifact(t.Context(), v.Digest)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Decode(artifact)
	if err != nil {
		t.Fatal(err)
	}
	r, err := m.Reference()
	if err != nil || r == nil {
		t.Fatalf("Reference of version %d = %v, %v, want one", v.Number, r, err)
	}
	c, ok := r.Column(column)
	if !ok {
		t.Fatalf("the reference of version %d has no column %s", v.Number, column)
	}
	return c
}

// TestOnlinePaused trains on request a model that does not learn by itself.
func TestOnlinePaused(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	m := parse(t, onlineSpec)
	m.Paused = true
	if _, err := d.reg.CreateModel(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := d.train(t, wire.TrainRequest{}); got.kind != "failed" {
		t.Errorf("training without examples: %+v, want it failed", got)
	}
	d.single(t, 450, 1)
	if got := d.train(t, wire.TrainRequest{}); got.kind != "promoted" {
		t.Errorf("training: %+v, want it promoted", got)
	}
	last := d.versions(t)
	if n := last[len(last)-1].Lineage.LastSeq; n != 450 {
		t.Errorf("the last version ends at message %d, want 450", n)
	}
}

// straight returns the digests of the versions that an uninterrupted run makes of the
// examples that d has by now.
func straight(t *testing.T, publish func(*deployment)) []string {
	t.Helper()
	d := deploy(t, learn.Options{})
	d.create(t, onlineSpec)
	publish(d)
	d.await(t, 10)
	return digests(d.versions(t))
}

// TestOnlineTakeover has the trainer that learns vanish, as a killed process does: the other
// one goes on, and what they come to together is what one alone would have.
func TestOnlineTakeover(t *testing.T) {
	t.Parallel()
	publish := func(d *deployment, from, to int) {
		for i := from; i < to; i++ {
			d.single(t, 100, uint64(i))
		}
	}
	want := straight(t, func(d *deployment) { publish(d, 0, 20) })

	d := deploy(t, learn.Options{})
	d.stop()
	nc := embeddedtest.Join(t, d.srv)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	reg, err := registry.Open(t.Context(), js, registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	victim, err := learn.New(nc, reg, learn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, victim)
	d.create(t, onlineSpec)
	publish(d, 0, 7)
	d.await(t, 3) // the victim has the lease
	publish(d, 7, 9)
	nc.Close() // without giving the lease back
	died := time.Now()
	join(t, d, learn.Options{})
	publish(d, 9, 20)
	d.await(t, 5)
	if took := time.Since(died); took > 10*time.Second {
		t.Errorf("another trainer went on after %v, want 10 s at most", took)
	}
	d.await(t, 10)
	stop()
	got := d.versions(t)
	examples, last := 0, uint64(0)
	for i, v := range got {
		if v.Number != uint64(i+1) || v.Lineage.FirstSeq != last+1 {
			t.Errorf("version %d begins at message %d, want version %d from message %d", v.Number, v.Lineage.FirstSeq, i+1, last+1)
		}
		examples, last = examples+v.Lineage.Examples, v.Lineage.LastSeq
	}
	if examples != 2000 || last != 2000 {
		t.Errorf("the versions are made of %d examples up to message %d, want 2000", examples, last)
	}
	if g := digests(got); strings.Join(g, " ") != strings.Join(want, " ") {
		t.Errorf("digests = %v, want those of an uninterrupted run, %v", g, want)
	}
}

// TestOnlineRequesterIsGone asks for a version in the name of a training that has ended: the
// version is not that training's.
func TestOnlineRequesterIsGone(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, onlineSpec)
	d.single(t, 250, 1)
	d.await(t, 1)
	body, err := json.Marshal(registry.Event{Model: "iris", Kind: "cut", ID: "gone", Data: []byte(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.nc.Request("modelbus.event.iris.cut.gone", body, patience); err != nil {
		t.Fatal(err)
	}
	if v := d.await(t, 2); v.Lineage.Training != "" || v.Lineage.Examples != 50 {
		t.Errorf("lineage = %+v, want one of no training with 50 examples", v.Lineage)
	}
	for _, e := range d.kept(t, "promoted") {
		if got := asResult(t, e); got.ID == "gone" {
			t.Errorf("event %s says how training %s ended, which it had before", e.ID, got.ID)
		}
	}
}

// TestOnlineOnANewStream deletes the stream of examples while they are learned: those of the new
// one are, from the first on.
func TestOnlineOnANewStream(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, onlineSpec)
	d.single(t, 300, 1)
	d.await(t, 1)
	if err := d.js.DeleteStream(t.Context(), "MODELBUS_TRAIN"); err != nil {
		t.Fatal(err)
	}
	if err := learn.Setup(t.Context(), d.js, wire.Subjects{}, 0); err != nil {
		t.Fatal(err)
	}
	d.single(t, 200, 2) // as many as version 1 was trained on
	if _, err := d.reg.Promote(t.Context(), "iris", "mine", 1, "ann", "any change is noticed"); err != nil {
		t.Fatal(err)
	}
	if v := d.await(t, 2).Lineage; v.FirstSeq != 1 || v.LastSeq != 200 || !v.Warm {
		t.Errorf("lineage = %+v, want messages 1 to 200, after version 1", v)
	}
}

// TestOnlineSpecChange learns from nothing where the network is another one, and goes on
// where it is not.
func TestOnlineSpecChange(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, onlineSpec)
	d.single(t, 200, 1)
	d.await(t, 1)
	d.update(t, change(t, onlineSpec, "every: 200", "every: 100"))
	d.single(t, 100, 2)
	if v := d.await(t, 2).Lineage; !v.Warm || v.Parent != 1 || v.FirstSeq != 201 {
		t.Errorf("lineage after a change of when to cut = %+v, want it to go on from version 1", v)
	}
	d.update(t, change(t, onlineSpec, "units: 8", "units: 9"))
	if v := d.await(t, 3).Lineage; v.Warm || v.Parent != 2 || v.FirstSeq != 1 || v.LastSeq != 200 {
		t.Errorf("lineage after a change of the network = %+v, want it to begin with the first message", v)
	}
	if got, err := d.rebuild(t, "iris@3"); err != nil || !got.Same {
		t.Errorf("Rebuild(iris@3) = %+v, %v, want the same", got, err)
	}
}

// Whoever learns on request, and loses its lease over it, asks the one that has it.
func TestOnlineRequestHandsOver(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.stop()
	m := parse(t, onlineSpec)
	m.Paused = true
	if _, err := d.reg.CreateModel(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	d.single(t, 50, 1)
	kv, err := d.js.KeyValue(t.Context(), "MODELBUS_LEASE")
	if err != nil {
		t.Fatal(err)
	}
	nc := embeddedtest.Join(t, d.srv)
	js := intercept(t, nc, "late", func(rest string, _ *nats.Msg) bool {
		if !strings.HasPrefix(rest, "CONSUMER.CREATE.MODELBUS_TRAIN") {
			return false
		}
		if _, err := kv.Put(t.Context(), "follow.iris", []byte("another")); err != nil {
			t.Error(err)
		}
		return true // it is never answered
	})
	reg, err := registry.Open(t.Context(), js, registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d.trainer, err = learn.New(nc, reg, learn.Options{}); err != nil {
		t.Fatal(err)
	}
	run(t, d.trainer)
	if _, err := d.nc.Subscribe("modelbus.event.iris.cut.*", func(msg *nats.Msg) {
		if err := msg.Respond([]byte(`{"error":{"error":"I was asked","code":"conflict"}}`)); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if got := d.train(t, wire.TrainRequest{}); got.kind != "failed" || got.Error.Message != "I was asked" {
		t.Errorf("outcome %+v, %+v, want what the other one answered", got, got.Error)
	}
}

// A spec that does not say when has a first version soon, and as many kept as it says.
func TestOnlineKeeps(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, change(t, onlineSpec, "every: 200", "keep: 1"))
	d.single(t, 1010, 1)
	if v := d.await(t, 1).Lineage; v.Examples != 1000 || v.Trigger != "1000 new examples" {
		t.Errorf("lineage of the first version = %+v, want one of 1,000 examples", v)
	}
	for range 3 {
		d.points(t, "iris", 10, 3)
		if got := d.train(t, wire.TrainRequest{}); got.kind != "promoted" {
			t.Fatalf("training: %+v, want it promoted", got)
		}
	}
	for len(d.versions(t)) > 3 {
		d.kind(t, "deleted")
	}
	if got := d.versions(t); len(got) != 3 || got[0].Number != 2 { // 4 is the champion, 3 was before
		t.Errorf("the versions are %+v, want 2, 3 and 4", got)
	}
}
