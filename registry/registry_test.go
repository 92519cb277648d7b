package registry_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/embedded"
	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/registry"
)

func TestMain(m *testing.M) { embeddedtest.VerifyTestMain(m) }

// create returns a new registry on a new server.
func create(tb testing.TB) (*registry.Registry, *nats.Conn) {
	tb.Helper()
	nc := embeddedtest.Connect(tb)
	return createOn(tb, nc, registry.Options{}), nc
}

// createSmall is create on a server that takes chunks of less than 64 KiB.
func createSmall(tb testing.TB) (*registry.Registry, *nats.Conn) {
	tb.Helper()
	nc := embeddedtest.Join(tb, embeddedtest.StartWith(tb, embedded.Options{MaxPayload: 64 << 10, SyncInterval: time.Minute}))
	return createOn(tb, nc, registry.Options{}), nc
}

func createOn(tb testing.TB, nc *nats.Conn, opts registry.Options) *registry.Registry {
	tb.Helper()
	r, err := registry.Create(tb.Context(), jsOn(tb, nc), opts)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func jsOn(tb testing.TB, nc *nats.Conn) jetstream.JetStream {
	tb.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		tb.Fatal(err)
	}
	return js
}

// withIris returns a new registry that has the model iris and an artifact.
func withIris(tb testing.TB) (r *registry.Registry, nc *nats.Conn, digest string) {
	tb.Helper()
	r, nc = create(tb)
	return r, nc, addModel(tb, r, "iris")
}

func addModel(tb testing.TB, r *registry.Registry, name string) (digest string) {
	tb.Helper()
	if _, err := r.CreateModel(tb.Context(), model(name)); err != nil {
		tb.Fatal(err)
	}
	return putArtifact(tb, r, blob(1, 1000))
}

func model(name string) registry.Model {
	return registry.Model{Name: name, Spec: json.RawMessage(`{"name":"` + name + `"}`), Source: "name: " + name + "\n"}
}

func putArtifact(tb testing.TB, r *registry.Registry, artifact []byte) string {
	tb.Helper()
	digest, err := r.PutArtifact(tb.Context(), artifact)
	if err != nil {
		tb.Fatal(err)
	}
	return digest
}

// blob returns n bytes that no compression or repetition makes equal elsewhere.
func blob(seed uint64, n int) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// publish adds a version, promoted to champion if that is what champion names now.
func publish(tb testing.TB, r *registry.Registry, name, digest string, promote *registry.Promotion) registry.Version {
	tb.Helper()
	v, err := r.Publish(tb.Context(), registry.Version{Model: name, Digest: digest}, promote, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// versions publishes n versions, each promoted to champion.
func versions(tb testing.TB, r *registry.Registry, name, digest string, n uint64) {
	tb.Helper()
	for i := range n {
		publish(tb, r, name, digest, &registry.Promotion{Alias: registry.Champion, If: i})
	}
}

// champion returns the version that the champion of a model is.
func champion(tb testing.TB, r *registry.Registry, name string) uint64 {
	tb.Helper()
	v, err := r.Resolve(tb.Context(), registry.Ref{Model: name})
	if err != nil {
		tb.Fatal(err)
	}
	return v.Number
}

// events returns the first n kept announcements.
func events(tb testing.TB, r *registry.Registry, model string, n int) []registry.Event {
	tb.Helper()
	ctx, stop := context.WithCancel(tb.Context())
	defer stop()
	var got []registry.Event
	if n == 0 {
		return nil
	}
	err := r.Events(ctx, model, 1, func(_ uint64, e registry.Event) error {
		if got = append(got, e); len(got) == n {
			stop()
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return got
}

// names lists events as kind/id.
func names(events []registry.Event) []string {
	var names []string
	for _, e := range events {
		names = append(names, fmt.Sprintf("%s/%s", e.Kind, e.ID))
	}
	return names
}
