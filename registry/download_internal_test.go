package registry

import (
	"bytes"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/registry/cache"
)

// TestStalledDownload has the server fall silent in the middle of an artifact: the
// download ends, and is done when it is tried again.
func TestStalledDownload(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	artifact := bytes.Repeat([]byte("artifact"), 1<<18) // several chunks
	digest := store(t, r, artifact)
	var silent atomic.Bool
	var asked atomic.Int32
	_, err := r.nc.Subscribe("stall.>", func(m *nats.Msg) {
		rest := strings.TrimPrefix(m.Subject, "stall.")
		if strings.Contains(rest, "GET.OBJ_") && asked.Add(1) > 3 && silent.Load() {
			return
		}
		if err := r.nc.PublishMsg(&nats.Msg{Subject: "$JS.API." + rest, Reply: m.Reply, Header: m.Header, Data: m.Data}); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.NewWithAPIPrefix(r.nc, "stall")
	if err != nil {
		t.Fatal(err)
	}
	far, err := Open(t.Context(), js, Options{})
	if err != nil {
		t.Fatal(err)
	}
	far.stall = 200 * time.Millisecond
	asked.Store(0)
	silent.Store(true)
	if _, err := far.Artifact(t.Context(), digest); !errors.Is(err, errStalled) {
		t.Errorf("Artifact() of a silent server = %v, want %v", err, errStalled)
	}
	silent.Store(false)
	far.stall = stallTime
	if got, err := far.Artifact(t.Context(), digest); err != nil || !bytes.Equal(got, artifact) {
		t.Errorf("Artifact() afterwards: %d bytes, %v, want the artifact", len(got), err)
	}
}

// TestWhatIsStoredIsNotDownloaded removes all chunks after an artifact was stored.
func TestWhatIsStoredIsNotDownloaded(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.cache = cache.New(cache.Options{Dir: t.TempDir(), Size: 1 << 30})
	artifact := bytes.Repeat([]byte("artifact"), 1<<18)
	digest := store(t, r, artifact)
	if err := r.objects.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	a, err := r.OpenArtifact(t.Context(), digest, int64(len(artifact)))
	if err != nil || !bytes.Equal(a.Bytes(), artifact) {
		t.Errorf("OpenArtifact() = %v, %v, want what this process stored", a, err)
	}
}
