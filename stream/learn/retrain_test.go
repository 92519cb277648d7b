package learn_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

// retraining is spec with a retrain section, fast to fit.
func retraining(t *testing.T, section string) string {
	t.Helper()
	return change(t, spec, "epochs: 20", "epochs: 2") + "retrain: " + section + "\n"
}

// version waits for the next version of iris and returns its record.
func (d *deployment) version(t *testing.T) registry.Version {
	t.Helper()
	for {
		r := asResult(t, d.next(t))
		if r.Error != nil {
			t.Fatalf("the training failed: %v", r.Error)
		}
		if r.kind == "promoted" || r.kind == "rejected" {
			return d.resolve(t, fmt.Sprintf("iris@%d", r.version))
		}
	}
}

func TestRetrainEverySoManyExamples(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, retraining(t, "{every: 100}"))
	d.points(t, "iris", 50, 1)
	d.publish(t, "iris", `{"features":[1],"label":"left"}`) // too narrow: it does not count
	d.points(t, "iris", 50, 2)
	v := d.version(t)
	if v.Number != 1 || v.Lineage.LastSeq != 11 || v.Lineage.Examples != 100 || v.Lineage.Trigger != "100 new examples" {
		t.Errorf("version %+v, want one of 100 examples to message 11", v)
	}
	d.points(t, "iris", 100, 3)
	v = d.version(t)
	if v.Number != 2 || v.Lineage.LastSeq != 21 || v.Lineage.Trigger != "100 new examples" {
		t.Errorf("version %+v, want the next one to message 21", v)
	}
}

// A trainer that was away catches up once.
func TestRetrainCatchesUpOnce(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.stop()
	d.create(t, retraining(t, "{every: 100}"))
	d.points(t, "iris", 450, 1)
	join(t, d, learn.Options{})
	v := d.version(t)
	if v.Number != 1 || !strings.HasSuffix(v.Lineage.Trigger, " new examples") || v.Lineage.LastSeq != 45 {
		t.Errorf("version %+v, want one of all examples", v)
	}
	d.points(t, "iris", 100, 2)
	if v = d.version(t); v.Number != 2 || v.Lineage.Trigger != "100 new examples" {
		t.Errorf("version %+v, want the next one after 100 more", v)
	}
}

// Of several trainers one trains at a time, and no range is trained on twice.
func TestRetrainByOneOfSeveral(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	join(t, d, learn.Options{})
	join(t, d, learn.Options{})
	d.create(t, retraining(t, "{every: 50}"))
	const rounds = 6
	for i := range rounds {
		d.points(t, "iris", 50, uint64(i))
		if v := d.version(t); v.Number != uint64(i+1) || v.Lineage.LastSeq != uint64(5*(i+1)) {
			t.Fatalf("version %+v, want number %d to message %d", v, i+1, 5*(i+1))
		}
	}
	if n := len(d.versions(t)); n != rounds {
		t.Errorf("%d versions, want %d", n, rounds)
	}
}

// A lease whose holder has died runs out.
func TestRetrainTakesOver(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	kv, err := d.js.KeyValue(t.Context(), "MODELBUS_LEASE")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Create(t.Context(), "iris", []byte("one that died")); err != nil {
		t.Fatal(err)
	}
	d.create(t, retraining(t, "{every: 50}"))
	d.points(t, "iris", 50, 1)
	if v := d.version(t); v.Number != 1 {
		t.Errorf("version %+v, want the first", v)
	}
}

func TestRetrainByTime(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, retraining(t, "{every: 50ms}"))
	last := uint64(0)
	for i := range 2 { // without new examples there is nothing to do
		d.points(t, "iris", 50, uint64(i))
		for last < uint64(5*(i+1)) { // the time may pass while the examples come
			v := d.version(t)
			if !strings.HasPrefix(v.Lineage.Trigger, "50ms have passed, ") || v.Lineage.LastSeq <= last {
				t.Fatalf("version %+v after message %d, want a later one by time", v, last)
			}
			last = v.Lineage.LastSeq
		}
	}
}

func TestRetrainPaused(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	m := parse(t, retraining(t, "{every: 50}"))
	m.Paused = true // from the start: nothing is to begin before
	if _, err := d.reg.CreateModel(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	resume := func() {
		m, err := d.reg.Model(t.Context(), "iris")
		if err != nil {
			t.Fatal(err)
		}
		m.Paused = false
		if _, err := d.reg.UpdateModel(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	d.points(t, "iris", 100, 1)
	if got := d.train(t, wire.TrainRequest{}); got.kind != "promoted" || got.version != 1 {
		t.Fatalf("a training on request: %+v, want the first version", got)
	}
	d.points(t, "iris", 70, 2)
	resume()
	if v := d.version(t); v.Number != 2 || v.Lineage.LastSeq != 17 || v.Lineage.Trigger == "" {
		t.Errorf("version %+v, want the second, once it was resumed", v)
	}
}

// A window of examples, also of a training on request, and rebuilt.
func TestRetrainWindow(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, retraining(t, "{every: 24h, window: 155}"))
	d.points(t, "other", 30, 1)
	d.points(t, "iris", 100, 1)
	d.points(t, "other", 30, 1)
	d.points(t, "iris", 100, 2)
	d.train(t, wire.TrainRequest{})
	v := d.resolve(t, "iris@1")
	if v.Lineage.Examples != 155 || v.Lineage.LastSeq != 26 || v.Lineage.FirstSeq > 8 {
		t.Errorf("lineage %+v, want the newest 155 examples", v.Lineage)
	}
	if again, err := d.rebuild(t, "iris@1"); err != nil || !again.Same || again.Examples != 155 {
		t.Errorf("Rebuild = %+v, %v, want the same", again, err)
	}
	d.update(t, retraining(t, "{every: 24h, window: 1h}"))
	d.train(t, wire.TrainRequest{})
	if l := d.resolve(t, "iris@2").Lineage; l.Examples != 200 || l.FirstSeq != 4 {
		t.Errorf("lineage %+v, want the examples of an hour: all", l)
	}
	d.update(t, retraining(t, "{every: 24h, window: 1ns}"))
	if got := d.train(t, wire.TrainRequest{}); got.kind != "failed" || !strings.Contains(got.Error.Message, "no examples") {
		t.Errorf("training on a window of no time: %+v, want it failed", got)
	}
}

// A stream that was deleted and made again counts from the beginning.
func TestRetrainOnANewStream(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, retraining(t, "{every: 50}"))
	for i := range uint64(3) { // not at once: a training takes all there is when it begins
		d.points(t, "iris", 50, i)
		if v := d.version(t); v.Lineage.LastSeq != 5*(i+1) {
			t.Fatalf("version %+v, want one to message %d", v, 5*(i+1))
		}
	}
	d.stop()
	if err := d.js.DeleteStream(t.Context(), "MODELBUS_TRAIN"); err != nil {
		t.Fatal(err)
	}
	if err := learn.Setup(t.Context(), d.js, wire.Subjects{}, 0); err != nil {
		t.Fatal(err)
	}
	join(t, d, learn.Options{})
	d.points(t, "iris", 50, 2)
	if v := d.version(t); v.Lineage.FirstSeq != 1 || v.Lineage.LastSeq != 5 {
		t.Errorf("lineage %+v, want messages 1 to 5", v.Lineage)
	}
}

// A server that starts anew has forgotten who had which lease, and the bucket.
func TestRetrainMakesTheLeasesAgain(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	if err := d.js.DeleteKeyValue(t.Context(), "MODELBUS_LEASE"); err != nil {
		t.Fatal(err)
	}
	d.create(t, retraining(t, "{every: 50}"))
	d.points(t, "iris", 50, 1)
	if v := d.version(t); v.Number != 1 {
		t.Errorf("version %+v, want the first", v)
	}
}

// A version that was deleted is not made again from the same examples.
func TestRetrainLeavesADeletedVersionAway(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, retraining(t, "{every: 50}"))
	for i := range 2 {
		d.points(t, "iris", 50, uint64(i))
		d.version(t)
	}
	if _, err := d.reg.Promote(t.Context(), "iris", registry.Champion, 1, "test", "the second is bad"); err != nil {
		t.Fatal(err)
	}
	if err := d.reg.DeleteVersion(t.Context(), "iris", 2, "test", "it is bad"); err != nil {
		t.Fatal(err)
	}
	d.points(t, "iris", 50, 9)
	v := d.version(t)
	for v.Number == 1 { // moving the champion there was an event, too
		v = d.version(t)
	}
	if v.Lineage.LastSeq != 15 || v.Lineage.Trigger != "50 new examples" {
		t.Errorf("version %+v, want one of the 50 examples after the deleted version's", v)
	}
}
