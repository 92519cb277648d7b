package learn_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/modelbus/modelbus/embedded"
	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

func TestSetup(t *testing.T) {
	t.Parallel()
	js, err := jetstream.New(embeddedtest.Connect(t))
	if err != nil {
		t.Fatal(err)
	}
	subjects := wire.Subjects{Prefix: "acme"}
	var together errgroup.Group
	for range 4 { // several servers start at once
		together.Go(func() error { return learn.Setup(t.Context(), js, subjects, 0) })
	}
	if err := together.Wait(); err != nil {
		t.Fatalf("Setup() = %v", err)
	}
	for name, subject := range map[string]string{
		"ACME_TRAIN": "acme.train.*", "ACME_DEAD": "acme.dead.*", "ACME_RESULT": "acme.result.*",
	} {
		s, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatalf("stream %s: %v", name, err)
		}
		cfg := s.CachedInfo().Config
		if len(cfg.Subjects) != 1 || cfg.Subjects[0] != subject {
			t.Errorf("%s has subjects %q, want %q", name, cfg.Subjects, subject)
		}
		if cfg.Storage != jetstream.FileStorage || cfg.Compression != jetstream.S2Compression || !cfg.AllowDirect {
			t.Errorf("%s: storage %v, compression %v, direct %v; want file, s2, true", name, cfg.Storage, cfg.Compression, cfg.AllowDirect)
		}
		if cfg.Duplicates < 2*time.Minute || cfg.Duplicates > 10*time.Minute {
			t.Errorf("%s deduplicates for %v, want 2 to 10 minutes", name, cfg.Duplicates)
		}
	}
	for _, name := range []string{"ACME_RESULT", "ACME_DEAD"} { // which anybody can fill
		s, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if cfg := s.CachedInfo().Config; cfg.MaxAge == 0 || cfg.MaxMsgsPerSubject <= 0 {
			t.Errorf("%s keeps for %v and %d a model, want bounds", name, cfg.MaxAge, cfg.MaxMsgsPerSubject)
		}
	}
	joins, err := js.Stream(t.Context(), "ACME_JOIN")
	if err != nil {
		t.Fatal(err)
	}
	cfg := joins.CachedInfo().Config
	cfg.Discard, cfg.MaxMsgs = jetstream.DiscardOld, 1000 // as of a release before, and as its operator wants it
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if err := learn.Setup(t.Context(), js, subjects, 0); err != nil {
		t.Fatal(err)
	}
	if joins, err = js.Stream(t.Context(), "ACME_JOIN"); err != nil {
		t.Fatal(err)
	}
	if got := joins.CachedInfo().Config; got.Discard != jetstream.DiscardNew || got.MaxMsgs != 1000 {
		t.Errorf("joins discard %s and are %d at most, want new ones and 1000", got.Discard, got.MaxMsgs)
	}
	if got := resultBytes(t, js, "ACME_RESULT"); got != 1<<30 {
		t.Errorf("results may have %d bytes, want 1 GiB", got)
	}
}

// TestSetupOnSmallServer has a server that may store less than results may take.
func TestSetupOnSmallServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := filepath.Join(dir, "nats.conf")
	if err := os.WriteFile(config, []byte("jetstream {max_file_store: 200MB}"), 0o600); err != nil {
		t.Fatal(err)
	}
	srv := embeddedtest.StartWith(t, embedded.Options{Config: config, Dir: filepath.Join(dir, "store"), Listen: "127.0.0.1:0"})
	js, err := jetstream.New(embeddedtest.Join(t, srv))
	if err != nil {
		t.Fatal(err)
	}
	if err := learn.Setup(t.Context(), js, wire.Subjects{}, 0); err != nil {
		t.Fatal(err)
	}
	if got := resultBytes(t, js, "MODELBUS_RESULT"); got != 128<<20 {
		t.Errorf("results may have %d bytes, want the 128 MiB that fit", got)
	}
}

func resultBytes(t *testing.T, js jetstream.JetStream, stream string) int64 {
	t.Helper()
	s, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().Config.MaxBytes
}

func TestSetupLeavesConfigurationAlone(t *testing.T) {
	t.Parallel()
	js, err := jetstream.New(embeddedtest.Connect(t))
	if err != nil {
		t.Fatal(err)
	}
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "MODELBUS_TRAIN", Subjects: []string{"modelbus.train.*"}, MaxAge: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := learn.Setup(t.Context(), js, wire.Subjects{}, 0); err != nil {
		t.Fatalf("Setup() = %v", err)
	}
	s, err := js.Stream(t.Context(), "MODELBUS_TRAIN")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.CachedInfo().Config.MaxAge; got != time.Hour {
		t.Errorf("after Setup the stream keeps messages for %v, want the operator's 1h", got)
	}
}

func TestSetupRefusesForeignStream(t *testing.T) {
	t.Parallel()
	js, err := jetstream.New(embeddedtest.Connect(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "MODELBUS_DEAD", Subjects: []string{"elsewhere"}}); err != nil {
		t.Fatal(err)
	}
	if err := learn.Setup(t.Context(), js, wire.Subjects{}, 0); err == nil {
		t.Error("Setup() = nil beside a stream of that name for other subjects, want an error")
	}
}
