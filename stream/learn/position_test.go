package learn_test

import (
	"testing"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

// renew deletes the stream of examples and makes it anew.
func (d *deployment) renew(t *testing.T) {
	t.Helper()
	if err := d.js.DeleteStream(t.Context(), "MODELBUS_TRAIN"); err != nil {
		t.Fatal(err)
	}
	if err := learn.Setup(t.Context(), d.js, wire.Subjects{}, 0); err != nil {
		t.Fatal(err)
	}
}

// A stream that was made anew is known by when that was, also if it is as long as the one before
// within moments.
func TestOnlineOnALongerStream(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, onlineSpec)
	d.single(t, 200, 1)
	d.await(t, 1)
	d.stop()
	d.renew(t)
	d.single(t, 300, 2)
	d.trainer, d.stop = join(t, d, learn.Options{})
	d.train(t, wire.TrainRequest{})
	if v := d.await(t, 2).Lineage; v.FirstSeq != 1 || !v.Warm {
		t.Errorf("lineage = %+v, want it to begin with message 1, after version 1", v)
	}
}

// Likewise of mode window.
func TestWarmOnALongerStream(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, spec)
	d.points(t, "iris", 100, 1)
	d.train(t, wire.TrainRequest{})
	d.renew(t)
	d.points(t, "iris", 150, 2)
	d.train(t, wire.TrainRequest{Warm: true})
	if v := d.await(t, 2).Lineage; v.FirstSeq != 1 || v.Examples != 150 || !v.Warm {
		t.Errorf("lineage = %+v, want all 150 examples, after version 1", v)
	}
}

// A stream that has lost its end, as when the machine crashed, counts as lost what is lost and
// nothing else, also once it has grown again.
func TestOnlineAfterALostEnd(t *testing.T) {
	t.Parallel()
	d := deploy(t, learn.Options{})
	d.create(t, onlineSpec)
	d.single(t, 200, 1)
	v := d.await(t, 1)
	d.stop()
	v.Lineage.Parent, v.Lineage.FirstSeq = 1, 201 // the messages up to 300 were lost
	v.Lineage.LastSeq, v.Lineage.LastTime = 300, v.Lineage.LastTime.Add(1)
	if _, err := d.reg.Publish(t.Context(), v, &registry.Promotion{Alias: registry.Champion, If: 1}, nil); err != nil {
		t.Fatal(err)
	}
	d.single(t, 150, 2)
	d.trainer, d.stop = join(t, d, learn.Options{})
	d.train(t, wire.TrainRequest{})
	if v := d.await(t, 3).Lineage; v.FirstSeq != 201 || v.Examples != 150 || v.Parent != 2 {
		t.Errorf("lineage = %+v, want the 150 examples from message 201 on, after version 2", v)
	}
}
