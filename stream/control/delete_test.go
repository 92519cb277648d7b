package control_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/control"
)

// TestDeleteLeavesWhatComesLater has another model of the name come, with an example, before
// the examples of the one that was deleted are removed.
func TestDeleteLeavesWhatComesLater(t *testing.T) {
	t.Parallel()
	d := deploy(t, false)
	d.must(t, "create", creation(t, spec), nil)
	d.examples(t, "iris", 5)
	d.stop()
	later := sync.OnceFunc(func() { d.examples(t, "iris", 3) })
	_, err := d.nc.Subscribe("late.>", func(m *nats.Msg) {
		rest := strings.TrimPrefix(m.Subject, "late.")
		if rest == "STREAM.PURGE.MODELBUS_TRAIN" {
			later()
		}
		forward := &nats.Msg{Subject: "$JS.API." + rest, Reply: m.Reply, Header: m.Header, Data: m.Data}
		if strings.HasPrefix(rest, "$KV.") {
			forward.Subject = rest
		}
		if err := d.nc.PublishMsg(forward); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.NewWithAPIPrefix(d.nc, "late")
	if err != nil {
		t.Fatal(err)
	}
	reg, err := registry.Open(t.Context(), js, registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctl := control.New(d.nc, reg, nil, control.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := ctl.Run(ctx); err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
	})
	defer running.Wait()
	defer cancel()
	<-ctl.Ready()
	d.must(t, "delete.iris", "", nil)
	s, err := d.js.Stream(t.Context(), "MODELBUS_TRAIN")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.CachedInfo().State.Msgs; got != 3 {
		t.Errorf("%d training messages are left, want the 3 that came later", got)
	}
}
