package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
)

// TestDomain has a deployment in the JetStream domain of a leaf node, and server
// and users at the hub, which has a JetStream of its own.
func TestDomain(t *testing.T) {
	hub, leaf := embeddedtest.Leaf(t, "hub", "edge")
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	contexts := filepath.Join(dir, "nats", "context")
	if err := os.MkdirAll(contexts, 0o700); err != nil {
		t.Fatal(err)
	}
	file := `{"url": "` + hub.ConnectedUrl() + `", "jetstream_domain": "edge"}`
	if err := os.WriteFile(filepath.Join(contexts, "edge.json"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	at := []string{"--server", hub.ConnectedUrl(), "--js-domain", "edge"}
	serving(t, append(at, "serve", "--cache", filepath.Join(dir, "cache"))...)

	iris := filepath.Join("..", "..", "testdata", "iris.csv")
	spec := filepath.Join(dir, "iris.yaml")
	if err := os.WriteFile(spec, []byte(command(t, "init", iris, "--label", "species")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"create", append(at, "create", spec), "iris"},
		{"push", append(at, "push", "iris", iris), "150"},
		{"train", append(at, "train", "iris"), "version 1"},
		{"predict", append(at, "predict", "iris", "5.1,3.5,1.4,0.2"), "setosa"},
		{"by a context", []string{"--context", "edge", "show", "iris"}, "champion"},
		{"by an API prefix", []string{"--server", hub.ConnectedUrl(), "--js-api-prefix", "$JS.edge.API", "rebuild", "iris"}, "the same artifact"},
		{"watch", append(at, "watch", "--all", "--count", "1"), "created"},
		{"at the leaf itself", []string{"--server", leaf.ConnectedUrl(), "export", "iris", filepath.Join(dir, "iris.model")}, ""},
	} {
		if got := command(t, tt.args...); !strings.Contains(got, tt.want) {
			t.Errorf("%s: modelbus %q printed %q, want %q in it", tt.name, tt.args, got, tt.want)
		}
	}
	for _, stream := range []string{"KV_MODELBUS", "OBJ_MODELBUS_ARTIFACTS", "MODELBUS_TRAIN"} {
		if n := stored(t, leaf, stream); n == 0 {
			t.Errorf("nothing is in stream %s of the domain", stream)
		}
		if n := stored(t, hub, stream); n != -1 {
			t.Errorf("the hub has a stream %s with %d messages, want none", stream, n)
		}
	}
}

// stored returns how many messages a stream has, -1 if it is not there.
func stored(t *testing.T, nc *nats.Conn, stream string) int {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return -1
	}
	if err != nil {
		t.Fatal(err)
	}
	return int(s.CachedInfo().State.Msgs) //nolint:gosec // a test's
}

// serving runs `modelbus serve` until the test ends, and returns
// when it is ready.
func serving(t *testing.T, args ...string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ready, done := make(chan struct{}), make(chan string, 1)
	go func() {
		var log bytes.Buffer
		buf := make([]byte, 4096)
		for told := false; ; {
			n, err := r.Read(buf)
			log.Write(buf[:n])
			if !told && strings.Contains(log.String(), "ready") {
				told = true
				close(ready)
			}
			if err != nil {
				done <- log.String()
				return
			}
		}
	}()
	go func() {
		code := run(ctx, args, stdio{in: strings.NewReader(""), out: w, err: w})
		if code != exitOK {
			t.Errorf("modelbus %q exited with %d", args, code)
		}
		_ = w.Close() //nolint:errcheck // it has none
	}()
	t.Cleanup(func() {
		stop()
		if log := <-done; t.Failed() {
			t.Log(log)
		}
	})
	select {
	case <-ready:
	case log := <-done:
		t.Fatalf("modelbus %q ended: %s", args, log)
	}
}

// command runs modelbus and returns what it prints.
func command(t *testing.T, args ...string) string {
	t.Helper()
	var out, err bytes.Buffer
	if code := run(t.Context(), args, stdio{in: strings.NewReader(""), out: &out, err: &err}); code != exitOK {
		t.Fatalf("modelbus %q exited with %d: %s", args, code, err.String())
	}
	return out.String()
}
