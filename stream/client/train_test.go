package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/wire"
)

const specText = `{"name":"m","features":[{"name":"a","type":"number"}],"label":{"name":"y","type":"number"},"network":[],"training":{"epochs":1}}`

// store makes a registry with model m.
func store(t *testing.T, nc *nats.Conn) *registry.Registry {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	reg, err := registry.Create(t.Context(), js, registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reg.CreateModel(t.Context(), registry.Model{Name: "m", Spec: []byte(specText)}); err != nil {
		t.Fatal(err)
	}
	return reg
}

func artifact(t *testing.T) []byte {
	t.Helper()
	spec, err := model.ParseSpec([]byte(specText))
	if err != nil {
		t.Fatal(err)
	}
	f := feature.NewFrame(&spec.Schema, true)
	for i := range 10 {
		v := feature.Value{Kind: feature.KindNumber, Num: float64(i)}
		if err := f.Append(feature.Row{Values: []feature.Value{v}, Label: v}); err != nil {
			t.Fatal(err)
		}
	}
	m, _, err := model.Fit(t.Context(), spec, f, model.FitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func raw(t *testing.T, v any) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// trainer answers train requests with training T and runs work then; show says
// that the training is under way while running is true.
func trainer(t *testing.T, nc *nats.Conn, running *atomic.Bool, work func()) {
	t.Helper()
	respond(t, nc, "modelbus.control.train.m", func(*nats.Msg) *nats.Msg {
		go work()
		return &nats.Msg{Data: []byte(`{"id":"T","state":"started"}`)}
	})
	respond(t, nc, "modelbus.control.show.m", func(*nats.Msg) *nats.Msg {
		if running.Load() {
			return &nats.Msg{Data: []byte(`{"model":{"name":"m"},"training":{"id":"T","state":"running"}}`)}
		}
		return &nats.Msg{Data: []byte(`{"model":{"name":"m"}}`)}
	})
}

func publishEvent(t *testing.T, nc *nats.Conn, e registry.Event) {
	t.Helper()
	if err := nc.Publish(wire.Subjects{}.Event(e.Model, e.Kind, e.ID), raw(t, e)); err != nil {
		t.Error(err)
	}
}

func progressEvent(t *testing.T, nc *nats.Conn, id, state string) {
	t.Helper()
	publishEvent(t, nc, registry.Event{Model: "m", Kind: "training", ID: id, Data: raw(t, wire.Training{ID: id, State: state})})
}

func TestTrainFollowsEvents(t *testing.T) {
	t.Parallel()
	srv := embeddedtest.Start(t)
	serverSide, nc := embeddedtest.Join(t, srv), embeddedtest.Join(t, srv)
	reg := store(t, serverSide)
	file := artifact(t)
	var running atomic.Bool
	done := make(chan struct{})
	trainer(t, serverSide, &running, func() {
		defer close(done)
		progressEvent(t, serverSide, "T", "reading")
		progressEvent(t, serverSide, "other", "epoch")
		publishEvent(t, serverSide, registry.Event{Model: "m", Kind: "rejected", ID: "9", Data: raw(t, wire.Verdict{ID: "other"})})
		progressEvent(t, serverSide, "T", "epoch")
		digest, err := reg.PutArtifact(context.Background(), file)
		if err != nil {
			t.Error(err)
			return
		}
		_, err = reg.Publish(context.Background(), registry.Version{Model: "m", Digest: digest},
			&registry.Promotion{Alias: registry.Champion, Why: "first"},
			&registry.Event{Kind: registry.KindPromoted, Data: raw(t, wire.Verdict{ID: "T", Promoted: true, Why: "it is the first"})})
		if err != nil {
			t.Error(err)
		}
	})
	var states []string
	v, err := newClient(t, nc, client.Options{}).Train(t.Context(), "m", wire.TrainRequest{}, func(tr wire.Training) {
		states = append(states, tr.State)
	})
	<-done
	if err != nil || !v.Promoted || v.Version != 1 || v.Why != "it is the first" {
		t.Errorf("Train = %+v, %v, want the promotion of version 1", v, err)
	}
	if len(states) != 2 || states[0] != "reading" || states[1] != "epoch" {
		t.Errorf("states = %v, want those of our training", states)
	}
}

func TestTrainFailed(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	var running atomic.Bool
	trainer(t, nc, &running, func() {
		verdict := wire.Verdict{ID: "T", Error: wire.ErrorOf(feature.ErrInvalid)}
		publishEvent(t, nc, registry.Event{Model: "m", Kind: "failed", ID: "T", Data: raw(t, verdict)})
	})
	v, err := newClient(t, nc, client.Options{}).Train(t.Context(), "m", wire.TrainRequest{}, nil)
	if !errors.Is(err, wire.ErrInvalid) || v == nil || v.Promoted {
		t.Errorf("Train = %+v, %v, want the training's error with its verdict", v, err)
	}
}

// A verdict whose live event got lost is found among the kept ones.
func TestTrainFindsALostVerdict(t *testing.T) {
	t.Parallel()
	srv := embeddedtest.Start(t)
	serverSide, nc := embeddedtest.Join(t, srv), embeddedtest.Join(t, srv)
	reg := store(t, serverSide)
	announce := registry.Event{Model: "m", Kind: "rejected", ID: "7", Data: raw(t, wire.Verdict{ID: "T", Why: "worse"})}
	var running atomic.Bool
	trainer(t, serverSide, &running, func() { progressEvent(t, serverSide, "T", "done") })
	if err := reg.Announce(t.Context(), announce); err != nil { // before anybody listens
		t.Fatal(err)
	}
	progress := func(tr wire.Training) {
		if tr.State != "done" {
			t.Errorf("state = %q, want done", tr.State)
		}
	}
	v, err := newClient(t, nc, client.Options{}).Train(t.Context(), "m", wire.TrainRequest{}, progress)
	if err != nil || v.Promoted || v.Version != 7 || v.Why != "worse" {
		t.Errorf("Train = %+v, %v, want the rejection of version 7", v, err)
	}
}

// A training that nobody runs any more and that left no verdict is reported.
func TestTrainThatVanished(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	store(t, nc)
	var running atomic.Bool
	trainer(t, nc, &running, func() { progressEvent(t, nc, "T", "done") })
	v, err := newClient(t, nc, client.Options{Timeout: time.Second}).Train(t.Context(), "m", wire.TrainRequest{}, nil)
	if !errors.Is(err, wire.ErrUnavailable) || v != nil {
		t.Errorf("Train = %+v, %v, want ErrUnavailable", v, err)
	}
}

func TestTrainEndsWithItsContext(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	var running atomic.Bool
	running.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	trainer(t, nc, &running, func() { progressEvent(t, nc, "T", "epoch") })
	_, err := newClient(t, nc, client.Options{}).Train(ctx, "m", wire.TrainRequest{}, func(wire.Training) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Train = %v, want context.Canceled", err)
	}
}

func TestTrainOfAnUnknownModel(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	respond(t, nc, "modelbus.control.train.x", func(*nats.Msg) *nats.Msg { return failure(registry.ErrNotFound) })
	if _, err := newClient(t, nc, client.Options{}).Train(t.Context(), "x", wire.TrainRequest{}, nil); !errors.Is(err, wire.ErrNotFound) {
		t.Errorf("Train = %v, want ErrNotFound", err)
	}
}

func TestImportAndExport(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	reg := store(t, nc)
	c := newClient(t, nc, client.Options{})
	file := artifact(t)
	ctx := t.Context()
	for i, promote := range []bool{true, false, true} {
		v, err := c.Import(ctx, "", file, promote, "me", "a test")
		if err != nil || v.Number != uint64(i+1) || v.Model != "m" {
			t.Fatalf("Import %d = %+v, %v", i, v, err)
		}
	}
	v, got, err := c.Export(ctx, registry.Ref{Model: "m", Alias: registry.Champion})
	if err != nil || v.Number != 3 || string(got) != string(file) {
		t.Errorf("Export = version %d, %d bytes, %v, want version 3 as imported", v.Number, len(got), err)
	}
	if v, err := c.Import(ctx, "other", file, true, "", ""); err != nil || v.Model != "other" || v.Number != 1 {
		t.Errorf("Import under another name = %+v, %v", v, err)
	}
	if m, err := reg.Model(ctx, "other"); err != nil || m.Name != "other" {
		t.Errorf("the model that Import made = %+v, %v", m, err)
	}
	if _, err := c.Import(ctx, "m", file[:len(file)-1], true, "", ""); !errors.Is(err, model.ErrArtifact) {
		t.Errorf("Import of a damaged file = %v, want model.ErrArtifact", err)
	}
	if _, err := c.Import(ctx, "a.b", file, true, "", ""); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("Import under a bad name = %v, want registry.ErrInvalid", err)
	}
	if _, _, err := c.Export(ctx, registry.Ref{Model: "m", Version: 99}); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("Export of nothing = %v, want registry.ErrNotFound", err)
	}
}
