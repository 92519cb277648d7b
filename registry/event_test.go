package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/embedded"
	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/registry"
)

func TestEventsAreLiveAndKept(t *testing.T) {
	t.Parallel()
	r, nc := create(t)
	live, err := nc.SubscribeSync("modelbus.event.>")
	if err != nil {
		t.Fatal(err)
	}
	digest := addModel(t, r, "iris")
	versions(t, r, "iris", digest, 2)
	kept := events(t, r, "", 5)
	for i, e := range kept {
		msg, err := live.NextMsgWithContext(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got registry.Event
		if err := json.Unmarshal(msg.Data, &got); err != nil || got.ID != e.ID || got.Kind != e.Kind {
			t.Errorf("live event %d = %s, want %s", i, msg.Data, e.ID)
		}
		if want := "modelbus.event.iris." + e.Kind + "." + e.ID; msg.Subject != want {
			t.Errorf("subject = %s, want %s", msg.Subject, want)
		}
	}
	if n, _, err := live.Pending(); err != nil || n != 0 {
		t.Errorf("%d more live events, %v", n, err)
	}
}

func TestAnnounceOnce(t *testing.T) {
	t.Parallel()
	r, nc, _ := withIris(t)
	for range 3 {
		if err := r.Announce(t.Context(), registry.Event{Model: "iris", Kind: "failed", ID: "job-1", Data: json.RawMessage(`{"error":"NaN"}`)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Announce(t.Context(), registry.Event{Model: "iris", Kind: "drift", ID: "1"}); err != nil {
		t.Fatal(err)
	}
	got := events(t, r, "iris", 3)
	if strings.Join(names(got), " ") != "created/1 failed/job-1 drift/1" {
		t.Errorf("events = %v", names(got))
	}
	if string(got[1].Data) != `{"error":"NaN"}` || got[1].Time.IsZero() {
		t.Errorf("failed = %+v", got[1])
	}
	if _, err := bucketOf(t, nc).Get(t.Context(), "event.iris.failed.job-1"); err != nil {
		t.Errorf("nats kv get of the event = %v", err)
	}
}

func TestEventsFrom(t *testing.T) {
	t.Parallel()
	r, nc, digest := withIris(t)
	addModel(t, r, "wine")
	// What an operator may do by hand must not stall the rest.
	putKey(t, nc, "event.iris.note.1", "not JSON")
	deleteKey(t, nc, "event.iris.note.1")
	versions(t, r, "iris", digest, 1)

	var got []string
	enough := errors.New("enough")
	err := r.Events(t.Context(), "iris", 2, func(seq uint64, e registry.Event) error {
		got = append(got, e.Kind+" "+string(e.Data[:min(len(e.Data), 10)]))
		if e.Kind == registry.KindPromoted {
			return enough
		}
		if seq < 2 {
			t.Errorf("sequence = %d, want 2 or later", seq)
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("Events = %v, want what fn returned", err)
	}
	if want := `note "not JSON";version {"model":";promoted {"model":"`; strings.Join(got, ";") != want {
		t.Errorf("events = %v, want %s", got, want)
	}
	if err := r.Events(t.Context(), "a.b", 1, nil); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("Events of a wrong name = %v, want ErrInvalid", err)
	}
}

func TestEventsNewOnly(t *testing.T) {
	t.Parallel()
	r, _, digest := withIris(t)
	events(t, r, "iris", 1)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	got := make(chan registry.Event, 10)
	done := make(chan error)
	go func() {
		done <- r.Events(ctx, "", 0, func(_ uint64, e registry.Event) error {
			got <- e
			return nil
		})
	}()
	// There is no telling when Events listens: publish until it does.
	var first registry.Event
	for first.Kind == "" {
		publish(t, r, "iris", digest, nil)
		select {
		case first = <-got:
		default:
		}
	}
	if first.Kind != registry.KindVersion {
		t.Errorf("first event = %+v, want a version", first)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Events = %v, want nil when ctx is done", err)
	}
}

// TestFollowAcrossRestart restarts the server under Events and Watch.
func TestFollowAcrossRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opts := embedded.Options{Dir: dir, Listen: "127.0.0.1:0"}
	srv, err := embedded.Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	opts.Listen = strings.TrimPrefix(srv.URL(), "nats://")
	nc := dial(t, srv.URL())
	r := createOn(t, nc, registry.Options{})
	digest := addModel(t, r, "iris")

	ctx, stop := context.WithCancel(t.Context())
	seen, changed, done := make(chan uint64, 100), make(chan registry.Change, 100), make(chan error, 2)
	go func() {
		done <- r.Events(ctx, "iris", 1, func(_ uint64, e registry.Event) error {
			var v registry.Version
			if e.Kind == registry.KindVersion {
				if err := json.Unmarshal(e.Data, &v); err != nil {
					return err
				}
				seen <- v.Number
			}
			return nil
		})
	}()
	go func() { done <- r.Watch(ctx, func(c registry.Change) { changed <- c }) }()
	if c := <-changed; c.Model != "" {
		t.Errorf("first change = %+v, want an empty one", c)
	}
	for want := uint64(1); want <= 6; want++ {
		publish(t, r, "iris", digest, nil)
		if got := <-seen; got != want {
			t.Fatalf("event of version %d, want %d: none lost, none twice", got, want)
		}
		for c := range changed {
			if c.Model == "iris" {
				break
			}
		}
		if want%2 == 1 {
			if err := srv.Close(); err != nil {
				t.Fatal(err)
			}
			if srv, err = embedded.Start(opts); err != nil {
				t.Fatal(err)
			}
		}
	}
	stop()
	for range 2 {
		if err := <-done; err != nil {
			t.Errorf("got %v, want nil when ctx is done", err)
		}
	}
	nc.Close()
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	srv := embeddedtest.Start(t)
	r := createOn(t, embeddedtest.Join(t, srv), registry.Options{})
	digest := addModel(t, r, "iris")
	ctx, stop := context.WithCancel(t.Context())
	changed, done := make(chan registry.Change, 100), make(chan error)
	go func() { done <- r.Watch(ctx, func(c registry.Change) { changed <- c }) }()
	if c := <-changed; c != (registry.Change{}) {
		t.Errorf("first change = %+v, want an empty one", c)
	}
	other := createOn(t, embeddedtest.Join(t, srv), registry.Options{})
	steps := []struct {
		name string
		do   func() error
	}{
		{"version", func() error {
			_, err := other.Publish(ctx, registry.Version{Model: "iris", Digest: digest}, nil, nil)
			return err
		}},
		{"alias", func() error { _, err := other.Promote(ctx, "iris", registry.Champion, 1, "", ""); return err }},
		{"spec", func() error {
			m, err := other.Model(ctx, "iris")
			if err == nil {
				_, err = other.UpdateModel(ctx, m)
			}
			return err
		}},
		{"deletion", func() error { return other.DeleteModel(ctx, "iris", "", "") }},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if c := <-changed; c.Model != "iris" {
			t.Errorf("change after a new %s = %+v, want iris", step.name, c)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Watch = %v, want nil when ctx is done", err)
	}
}
