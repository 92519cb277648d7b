package learn_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/embedded"
	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

// patience bounds every wait of a test; nothing takes nearly so long.
const patience = time.Minute

// A deployment is a server with a registry, the streams, and one running trainer.
type deployment struct {
	srv     *embedded.Server
	nc      *nats.Conn
	js      jetstream.JetStream
	reg     *registry.Registry
	trainer *learn.Trainer
	stop    func() // ends the trainer and waits

	events chan *nats.Msg // all events, plain and kept
}

func deploy(t *testing.T, opts learn.Options) *deployment {
	t.Helper()
	return deployOn(t, embeddedtest.Start(t), opts)
}

func deployOn(t *testing.T, srv *embedded.Server, opts learn.Options) *deployment {
	t.Helper()
	d := &deployment{srv: srv, events: make(chan *nats.Msg, 65536)}
	d.nc = embeddedtest.Join(t, d.srv)
	js, err := jetstream.New(d.nc)
	if err != nil {
		t.Fatal(err)
	}
	d.js = js
	if err := learn.Setup(t.Context(), js, wire.Subjects{}, 0); err != nil {
		t.Fatal(err)
	}
	if d.reg, err = registry.Create(t.Context(), js, registry.Options{}); err != nil {
		t.Fatal(err)
	}
	settle(t, d.reg)
	if _, err := d.nc.ChanSubscribe("modelbus.event.>", d.events); err != nil {
		t.Fatal(err)
	}
	d.trainer, d.stop = join(t, d, opts)
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

// join starts another trainer on a connection of its own, as another process would.
func join(t *testing.T, d *deployment, opts learn.Options) (trainer *learn.Trainer, stop func()) {
	t.Helper()
	nc := embeddedtest.Join(t, d.srv)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	reg, err := registry.Open(t.Context(), js, registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	trainer, err = learn.New(nc, reg, opts)
	if err != nil {
		t.Fatal(err)
	}
	return trainer, run(t, trainer)
}

// run runs a trainer until the test ends or stop is called.
func run(t *testing.T, trainer *learn.Trainer) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- trainer.Run(ctx) }()
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run() = %v, want nil", err)
			}
		case <-time.After(patience):
			t.Error("Run has not ended")
		}
	}
	t.Cleanup(stop)
	return stop
}

// spec is a classifier of points in the plane that learns well.
const spec = `
name: iris
features:
  - {name: x, type: number}
  - {name: y, type: number}
label: {name: side, type: category}
network:
  - Dense: {units: 8, activation: relu}
optimizer: {Adam: {learning_rate: 0.05}}
training: {epochs: 20, batch_size: 16, seed: 7}
`

// change returns spec with one piece replaced.
func change(t *testing.T, text, old, replacement string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("the spec has no %q", old)
	}
	return strings.Replace(text, old, replacement, 1)
}

func parse(tb testing.TB, text string) registry.Model {
	tb.Helper()
	s, err := model.ParseSpec([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	canonical, err := s.MarshalJSON()
	if err != nil {
		tb.Fatal(err)
	}
	return registry.Model{Name: s.Name, Spec: canonical, Source: text}
}

func (d *deployment) create(t *testing.T, text string) {
	t.Helper()
	if _, err := d.reg.CreateModel(t.Context(), parse(t, text)); err != nil {
		t.Fatal(err)
	}
}

func (d *deployment) update(t *testing.T, text string) {
	t.Helper()
	m := parse(t, text)
	old, err := d.reg.Model(t.Context(), m.Name)
	if err != nil {
		t.Fatal(err)
	}
	m.Created, m.Revision = old.Created, old.Revision
	if _, err := d.reg.UpdateModel(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

// publish puts one training message into the stream.
func (d *deployment) publish(t *testing.T, name, body string) uint64 {
	t.Helper()
	ack, err := d.js.Publish(t.Context(), "modelbus.train."+name, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return ack.Sequence
}

// points publishes n examples in batches of ten: four clouds that hardly overlap,
// with the sides crosswise, so that no network knows them without training.
func (d *deployment) points(t *testing.T, name string, n int, seed uint64) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 1))
	for n > 0 {
		var batch struct {
			Instances [][2]float64 `json:"instances"`
			Labels    []string     `json:"labels"`
		}
		for range min(n, 10) {
			x, y := float64(rnd.IntN(2)*4-2), float64(rnd.IntN(2)*4-2)
			side := "left"
			if x*y > 0 {
				side = "right"
			}
			batch.Instances = append(batch.Instances, [2]float64{x + rnd.NormFloat64()/2, y + rnd.NormFloat64()/2})
			batch.Labels = append(batch.Labels, side)
		}
		n -= len(batch.Labels)
		body, err := json.Marshal(batch)
		if err != nil {
			t.Fatal(err)
		}
		d.publish(t, name, string(body))
	}
}

// A result is how a training ended.
type result struct {
	wire.Verdict

	kind    string
	version uint64 // the version it made, if it did
}

// train asks for a training of iris and waits for its outcome.
func (d *deployment) train(t *testing.T, req wire.TrainRequest) result {
	t.Helper()
	reply, err := d.trainer.Train(t.Context(), "iris", req)
	if err != nil {
		t.Fatalf("Train(iris) = %v", err)
	}
	if reply.State != "started" || reply.ID == "" {
		t.Fatalf("Train(iris) = %+v, want a started training with an id", reply)
	}
	return d.outcome(t, reply.ID)
}

// seeded asks for a training with another seed than the spec's, which gives another
// version of the same examples.
func seeded(seed uint64) wire.TrainRequest { return wire.TrainRequest{Seed: &seed} }

// outcome waits for the one event that ends a training.
func (d *deployment) outcome(t *testing.T, id string) result {
	t.Helper()
	for {
		if r := asResult(t, d.next(t)); r.ID == id {
			return r
		}
	}
}

// asResult reads an event that ends a training; other events have no id in it.
func asResult(t *testing.T, e registry.Event) result {
	t.Helper()
	r := result{kind: e.Kind}
	switch e.Kind {
	case "promoted":
		var data struct {
			To      uint64       `json:"to"`
			Verdict wire.Verdict `json:"verdict"`
		}
		decode(t, e.Data, &data)
		r.Verdict, r.version = data.Verdict, data.To
	case "rejected":
		decode(t, e.Data, &r.Verdict)
		if _, err := fmt.Sscan(e.ID, &r.version); err != nil {
			t.Errorf("id of a rejected event %q, want a version: %v", e.ID, err)
		}
	case "failed":
		decode(t, e.Data, &r.Verdict)
	case "unchanged":
		decode(t, e.Data, &r.Verdict)
		r.version = r.Version
	}
	return r
}

// next waits for the next event of any kind.
func (d *deployment) next(t *testing.T) registry.Event {
	t.Helper()
	select {
	case msg := <-d.events:
		var e registry.Event
		decode(t, msg.Data, &e)
		return e
	case <-time.After(patience):
		t.Fatal("no event came")
		return registry.Event{}
	}
}

// until waits for a training event of that state.
func (d *deployment) until(t *testing.T, state string) wire.Training {
	t.Helper()
	for {
		e := d.next(t)
		if e.Kind != "training" {
			continue
		}
		var at wire.Training
		decode(t, e.Data, &at)
		if at.State == state {
			return at
		}
	}
}

func decode(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("decoding %s: %v", data, err)
	}
}

func (d *deployment) resolve(t *testing.T, ref string) registry.Version {
	t.Helper()
	r, err := registry.ParseRef(ref)
	if err != nil {
		t.Fatal(err)
	}
	v, err := d.reg.Resolve(t.Context(), r)
	if err != nil {
		t.Fatalf("Resolve(%s) = %v", ref, err)
	}
	return v
}

func (d *deployment) versions(t *testing.T) []registry.Version {
	t.Helper()
	versions, err := d.reg.Versions(t.Context(), "iris")
	if err != nil {
		t.Fatal(err)
	}
	return versions
}

// dead returns the messages on the dead subject of iris.
func (d *deployment) dead(t *testing.T) []*jetstream.RawStreamMsg {
	t.Helper()
	s, err := d.js.Stream(t.Context(), "MODELBUS_DEAD")
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []*jetstream.RawStreamMsg
	for seq := info.State.FirstSeq; seq <= info.State.LastSeq && info.State.Msgs > 0; seq++ {
		msg, err := s.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		if msg.Subject == "modelbus.dead.iris" {
			all = append(all, msg)
		}
	}
	return all
}
