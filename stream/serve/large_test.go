package serve_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/embedded"
	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/registry/cache"
	"github.com/modelbus/modelbus/stream/serve"
)

// largeInputs is the width of large's rows.
const largeInputs = 1024

// large has 4 million weights, 16 MiB, and as much momentum.
func large() made {
	return made{
		spec: `
name: large
features: [{name: x, type: vector, size: 1024, scale: none}]
label: {name: y, type: number}
network: [{Dense: {units: 4096, activation: relu}}]
optimizer: {SGD: {learning_rate: 0.000001, momentum: 0.9}}
training: {epochs: 1}
`,
		rows: []feature.Row{largeRow(1), largeRow(2)},
	}
}

func largeRow(seed uint64) feature.Row {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, largeInputs)
	for i := range x {
		x[i] = r.Float32()
	}
	return feature.Row{Values: []feature.Value{{Kind: feature.KindVector, Vector: x}}, Label: number(float64(seed))}
}

// serveFrom serves with artifacts in dir until the subtest ends.
func serveFrom(t *testing.T, srv *embedded.Server, dir string, log *bytes.Buffer) {
	t.Helper()
	js, err := jetstream.New(embeddedtest.Join(t, srv))
	if err != nil {
		t.Fatal(err)
	}
	c := cache.New(cache.Options{Dir: dir, Size: 1 << 30, Warn: func(err error) { t.Errorf("warning: %v", err) }})
	reg, err := registry.Open(t.Context(), js, registry.Options{Cache: c})
	if err != nil {
		t.Fatal(err)
	}
	runWith(t, srv, reg, serve.Options{Logger: zerolog.New(zerolog.SyncWriter(log))})
}

// TestLargeModel serves a model from a folder: downloaded, from there again, with a
// weight on disk damaged, and when the registry has lost the artifact.
func TestLargeModel(t *testing.T) {
	t.Parallel()
	srv, dir := embeddedtest.Start(t), t.TempDir()
	reg := openRegistry(t, srv)
	p := fitted(t, large)
	v := publish(t, reg, "large", registry.Champion, p)
	rows := [][]float32{largeRow(3).Values[0].Vector, largeRow(4).Values[0].Vector}
	payload, want := instances(t, rows), p.values(t, rows)
	p.model, p.artifact = nil, nil

	step := func(name, logged string) {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			serveFrom(t, srv, dir, &log)
			got, err := predict(embeddedtest.Join(t, srv), "modelbus.predict.large", payload)
			if err != nil {
				t.Fatal(err)
			}
			if !equal(got.Values, want) {
				t.Errorf("answer = %v, want %v", got.Values, want)
			}
			if !strings.Contains(log.String(), logged) {
				t.Errorf("log = %s, want %q in it", log.String(), logged)
			}
		})
	}
	step("downloaded", "")
	damageWeight(t, filepath.Join(dir, v.Digest))
	step("a weight damaged on disk", "a cached file is downloaded again")
	js, err := jetstream.New(embeddedtest.Join(t, srv))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := js.Stream(t.Context(), "OBJ_MODELBUS_ARTIFACTS")
	if err != nil {
		t.Fatal(err)
	}
	if err := objects.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	step("not downloaded again", "")
}

// damageWeight flips a bit of a weight and leaves the file's time as it was, as a
// disk does.
func damageWeight(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	const at = 5<<20 + 3
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1 << 4
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
}
