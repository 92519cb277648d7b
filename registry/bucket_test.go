package registry_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/embedded"
	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/registry"
)

func TestOpenMakesNothing(t *testing.T) {
	t.Parallel()
	js := jsOn(t, embeddedtest.Connect(t))
	if _, err := registry.Open(t.Context(), js, registry.Options{}); !errors.Is(err, registry.ErrNotInitialized) {
		t.Errorf("Open before Create = %v, want ErrNotInitialized", err)
	}
	for name := range js.StreamNames(t.Context()).Name() {
		t.Errorf("Open made stream %s", name)
	}
}

func TestCreateIsIdempotent(t *testing.T) {
	t.Parallel()
	r, nc, digest := withIris(t)
	versions(t, r, "iris", digest, 2)
	js := jsOn(t, nc)
	again := createOn(t, nc, registry.Options{})
	if got := champion(t, again, "iris"); got != 2 {
		t.Errorf("champion after a second Create = %d, want 2", got)
	}
	if _, err := registry.Open(t.Context(), js, registry.Options{}); err != nil {
		t.Errorf("Open = %v", err)
	}
}

func TestCreateAtOnce(t *testing.T) {
	t.Parallel()
	srv := embeddedtest.Start(t)
	var wg sync.WaitGroup
	for range 8 {
		js := jsOn(t, embeddedtest.Join(t, srv))
		wg.Go(func() {
			if _, err := registry.Create(t.Context(), js, registry.Options{}); err != nil {
				t.Errorf("Create = %v", err)
			}
		})
	}
	wg.Wait()
}

func TestCreateBringsDriftBack(t *testing.T) {
	t.Parallel()
	r, nc, digest := withIris(t)
	js := jsOn(t, nc)
	if _, err := js.CreateOrUpdateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "MODELBUS", History: 3}); err != nil {
		t.Fatal(err)
	}
	if _, err := registry.Open(t.Context(), js, registry.Options{}); !errors.Is(err, registry.ErrNotInitialized) {
		t.Errorf("Open without atomic batches = %v, want ErrNotInitialized", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	if _, err := r.Publish(ctx, registry.Version{Model: "iris", Digest: digest}, nil, nil); err == nil {
		t.Error("Publish without atomic batches succeeded")
	}
	r = createOn(t, nc, registry.Options{})
	versions(t, r, "iris", digest, 10)
	moves, err := r.History(t.Context(), "iris", registry.Champion)
	if err != nil || len(moves) != 10 {
		t.Errorf("History = %d moves, %v, want 10", len(moves), err)
	}
	s, err := js.Stream(t.Context(), "KV_MODELBUS")
	if err != nil {
		t.Fatal(err)
	}
	if c := s.CachedInfo().Config; !c.AllowAtomicPublish || c.MaxMsgsPerSubject != 64 || c.RePublish == nil || !c.DenyDelete {
		t.Errorf("config after Create = %+v", c)
	}
}

func TestCreateRefusesAForeignStream(t *testing.T) {
	t.Parallel()
	js := jsOn(t, embeddedtest.Connect(t))
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "MODELBUS_EVENT", Subjects: []string{"modelbus.event.>"}, Retention: jetstream.WorkQueuePolicy,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := registry.Create(t.Context(), js, registry.Options{}); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("Create = %v, want ErrConflict", err)
	}
}

func TestPrefix(t *testing.T) {
	t.Parallel()
	nc := embeddedtest.Connect(t)
	one, two := createOn(t, nc, registry.Options{Prefix: "acme-1"}), createOn(t, nc, registry.Options{})
	addModel(t, one, "iris")
	if _, err := two.Model(t.Context(), "iris"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("Model under another prefix = %v, want ErrNotFound", err)
	}
	sub, err := nc.SubscribeSync("acme-1.event.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := one.Announce(t.Context(), registry.Event{Model: "iris", Kind: "failed", ID: "a"}); err != nil {
		t.Fatal(err)
	}
	if msg, err := sub.NextMsgWithContext(t.Context()); err != nil || msg.Subject != "acme-1.event.iris.failed.a" {
		t.Errorf("event = %v, %v", msg, err)
	}
	for _, bad := range []string{"a.b", "Acme", "a b", "*", "a234567890123456789012345678901234567890"} {
		if _, err := registry.Create(t.Context(), jsOn(t, nc), registry.Options{Prefix: bad}); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("Create with prefix %q = %v, want ErrInvalid", bad, err)
		}
	}
}

func TestRestartKeepsEverything(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv, err := embedded.Start(embedded.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	nc := embeddedtest.Join(t, srv)
	r := createOn(t, nc, registry.Options{})
	digest := addModel(t, r, "iris")
	versions(t, r, "iris", digest, 3)
	nc.Close()
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	if srv, err = embedded.Start(embedded.Options{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	r, err = registry.Open(t.Context(), jsOn(t, embeddedtest.Join(t, srv)), registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := champion(t, r, "iris"); got != 3 {
		t.Errorf("champion after a restart = %d, want 3", got)
	}
	if got, err := r.Artifact(t.Context(), digest); err != nil || digestOf(got) != digest {
		t.Errorf("Artifact after a restart = %d bytes, %v", len(got), err)
	}
	if got := events(t, r, "iris", 7); len(got) != 7 {
		t.Errorf("events after a restart = %v", names(got))
	}
	if v := publish(t, r, "iris", digest, nil); v.Number != 4 {
		t.Errorf("version after a restart = %d, want 4", v.Number)
	}
}
