package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/control"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

const (
	patience = time.Minute

	spec = `
name: iris
features:
  - {name: x, type: number}
  - {name: y, type: number}
label: {name: side, type: category}
network:
  - Dense: {units: 4, activation: relu}
training: {epochs: 2}
`
	slow = `
name: slow
features: [{name: x, type: number}]
label: {name: y, type: number}
training: {epochs: 1000000}
`
)

// A deployment is a server with a running controller, and a trainer unless it has none.
type deployment struct {
	nc   *nats.Conn
	js   jetstream.JetStream
	reg  *registry.Registry
	ctl  *control.Controller
	stop func()
}

func deploy(t *testing.T, trains bool) *deployment {
	t.Helper()
	d := &deployment{nc: embeddedtest.Connect(t)}
	var err error
	if d.js, err = jetstream.New(d.nc); err != nil {
		t.Fatal(err)
	}
	if err := learn.Setup(t.Context(), d.js, wire.Subjects{}, 0); err != nil {
		t.Fatal(err)
	}
	if d.reg, err = registry.Create(t.Context(), d.js, registry.Options{}); err != nil {
		t.Fatal(err)
	}
	settle(t, d.reg)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	var trainer *learn.Trainer
	if trains {
		if trainer, err = learn.New(d.nc, d.reg, learn.Options{}); err != nil {
			t.Fatal(err)
		}
		running.Go(func() {
			if err := trainer.Run(ctx); err != nil {
				t.Errorf("the trainer's Run() = %v, want nil", err)
			}
		})
	}
	d.ctl = control.New(d.nc, d.reg, trainer, control.Options{})
	running.Go(func() {
		if err := d.ctl.Run(ctx); err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
	})
	d.stop = func() { cancel(); running.Wait() }
	t.Cleanup(d.stop)
	select {
	case <-d.ctl.Ready():
	case <-time.After(patience):
		t.Fatal("the controller is not ready")
	}
	return d
}

// settle waits until the registry's stream of events follows its bucket: a server
// that ends before that leaves a goroutine waiting for half a minute.
func settle(t *testing.T, reg *registry.Registry) {
	t.Helper()
	if err := reg.Announce(t.Context(), registry.Event{Model: "deployment", Kind: "started", ID: "1"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	arrived := errors.New("arrived")
	err := reg.Events(ctx, "deployment", 1, func(uint64, registry.Event) error { return arrived })
	if !errors.Is(err, arrived) {
		t.Fatalf("no event has reached the stream of events: %v", err)
	}
}

// ask sends one request; into may be nil.
func (d *deployment) ask(t *testing.T, subject, body string, into any) error {
	t.Helper()
	msg, err := d.nc.Request("modelbus.control."+subject, []byte(body), patience)
	if err != nil {
		t.Fatalf("asking %s: %v", subject, err)
	}
	if err := wire.ErrorFrom(msg); err != nil {
		return err
	}
	if into == nil {
		into = new(map[string]any)
	}
	if err := json.Unmarshal(msg.Data, into); err != nil {
		t.Fatalf("%s answered %s: %v", subject, msg.Data, err)
	}
	return nil
}

func (d *deployment) must(t *testing.T, subject, body string, into any) {
	t.Helper()
	if err := d.ask(t, subject, body, into); err != nil {
		t.Fatalf("%s %s: %v", subject, body, err)
	}
}

func creation(t *testing.T, text string) string {
	t.Helper()
	body, err := json.Marshal(wire.CreateRequest{Spec: text, Who: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func (d *deployment) examples(t *testing.T, model string, n int) {
	t.Helper()
	for i := range n {
		body := fmt.Sprintf(`{"features": [%d, 1], "label": "%c"}`, i, 'a'+i%2)
		if model == "slow" {
			body = fmt.Sprintf(`{"features": [%d], "label": %d}`, i, i)
		}
		if _, err := d.js.Publish(t.Context(), "modelbus.train."+model, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
}

// train asks for a training and waits for its version or failure.
func (d *deployment) train(t *testing.T, model string) {
	t.Helper()
	sub, err := d.nc.SubscribeSync("modelbus.event." + model + ".*.*")
	if err != nil {
		t.Fatal(err)
	}
	var reply wire.TrainReply
	d.must(t, "train."+model, "", &reply)
	if reply.State != "started" || reply.ID == "" {
		t.Fatalf("train answered %+v, want a started training", reply)
	}
	for {
		msg, err := sub.NextMsg(patience)
		if err != nil {
			t.Fatal(err)
		}
		switch kind := strings.Split(msg.Subject, ".")[3]; kind {
		case "promoted", "rejected":
			if err := sub.Unsubscribe(); err != nil {
				t.Fatal(err)
			}
			return
		case "failed":
			t.Fatalf("the training failed: %s", msg.Data)
		}
	}
}

// put registers a version of a model without training it.
func (d *deployment) put(t *testing.T, model, artifact string, champion bool) {
	t.Helper()
	digest, err := d.reg.PutArtifact(t.Context(), []byte(artifact))
	if err != nil {
		t.Fatal(err)
	}
	var promotion *registry.Promotion
	if champion {
		promotion = &registry.Promotion{Alias: registry.Champion}
		if v, err := d.reg.Resolve(t.Context(), registry.Ref{Model: model}); err == nil {
			promotion.If = v.Number
		}
	}
	if _, err := d.reg.Publish(t.Context(), registry.Version{Model: model, Digest: digest}, promotion, nil); err != nil {
		t.Fatal(err)
	}
}
