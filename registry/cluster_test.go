package registry_test

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/registry"
)

func dial(tb testing.TB, url string) *nats.Conn {
	tb.Helper()
	nc, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond), nats.ReconnectJitter(0, 0))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(nc.Close)
	return nc
}

// TestLeaderChanges uploads and publishes from two clients while the leaders of
// all three streams step down in turn: what is acknowledged is there,
// once, with its announcement.
func TestLeaderChanges(t *testing.T) {
	t.Parallel()
	const clients, uploads, publishes, changes = 2, 2, 12, 18
	const leastSteps, mostPublishes = 5, 100 // work goes on until leaders have changed often enough
	conns := embeddedtest.Cluster(t, 3)
	first := createOn(t, conns[0], registry.Options{Replicas: 3})
	addModel(t, first, "iris")

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var disturbing, working sync.WaitGroup
	var stepped atomic.Int64
	disturbing.Go(func() {
		tick := time.NewTicker(150 * time.Millisecond) // some elections, then some work
		defer tick.Stop()
		streams := []string{"KV_MODELBUS", "OBJ_MODELBUS_ARTIFACTS", "MODELBUS_EVENT"}
		for i := range changes {
			if embeddedtest.StepDown(conns[2], streams[i%len(streams)]) == nil {
				stepped.Add(1)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	var mu sync.Mutex // guards numbers
	var numbers []uint64
	for i := range clients {
		r, err := registry.Open(ctx, jsOn(t, conns[i]), registry.Options{})
		if err != nil {
			t.Fatal(err)
		}
		working.Go(func() {
			pace := time.NewTicker(100 * time.Millisecond)
			defer pace.Stop()
			for j := range uploads {
				artifact := blob(uint64(100*i+j), 3<<19)
				digest, err := r.PutArtifact(ctx, artifact)
				if err != nil {
					t.Errorf("PutArtifact = %v", err)
					return
				}
				for k := 0; k < publishes/uploads || k < mostPublishes && stepped.Load() < leastSteps; k++ {
					if k >= publishes/uploads {
						<-pace.C // a lost answer is looked up among the last 64 changes
					}
					v, err := r.Publish(ctx, registry.Version{Model: "iris", Digest: digest}, nil, nil)
					if err != nil {
						t.Errorf("Publish = %v", err)
						return
					}
					mu.Lock()
					numbers = append(numbers, v.Number)
					mu.Unlock()
				}
			}
		})
	}
	working.Wait()
	stop()
	disturbing.Wait()
	if stepped.Load() < leastSteps {
		t.Errorf("%d leaders stepped down, want more", stepped.Load())
	}
	checkAfter(t, first, conns[1], numbers)
}

// checkAfter compares what the registry holds with the versions that were acknowledged.
func checkAfter(t *testing.T, r *registry.Registry, nc *nats.Conn, numbers []uint64) {
	t.Helper()
	slices.Sort(numbers)
	vs, err := r.Versions(t.Context(), "iris")
	if err != nil {
		t.Fatal(err)
	}
	var stored []uint64
	digests := map[string]bool{}
	for _, v := range vs {
		stored = append(stored, v.Number)
		digests[v.Digest] = true
	}
	if !slices.Equal(stored, numbers) {
		t.Errorf("versions = %v, acknowledged %v", stored, numbers)
	}
	bucket, _ := objectsOf(t, nc)
	for digest := range digests {
		got, err := r.Artifact(t.Context(), digest)
		if err != nil {
			t.Errorf("Artifact = %v", err)
		}
		if stock, err := bucket.GetBytes(t.Context(), digest); err != nil || !bytes.Equal(stock, got) {
			t.Errorf("stock Get = %d bytes, %v, want %d", len(stock), err, len(got))
		}
	}
	// A source that was asked for its consumer in an election waits half a minute
	// for the answer. A new leader asks at once.
	ctx, stop := context.WithCancel(t.Context())
	var nudging sync.WaitGroup
	nudging.Go(func() {
		tick := time.NewTicker(2 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if err := embeddedtest.StepDown(nc, "MODELBUS_EVENT"); err != nil {
					continue // there is none to step down: tried again at the next tick
				}
			case <-ctx.Done():
				return
			}
		}
	})
	defer nudging.Wait()
	defer stop()
	seen := map[string]int{}
	for _, e := range events(t, r, "iris", 1+len(numbers)) {
		seen[e.Kind+"/"+e.ID]++
	}
	for _, n := range numbers {
		if seen["version/"+decimal(n)] != 1 {
			t.Errorf("version %d was announced %d times, want once", n, seen["version/"+decimal(n)])
		}
	}
	if err := r.Announce(t.Context(), registry.Event{Model: "iris", Kind: "end", ID: "1"}); err != nil {
		t.Fatal(err)
	}
	all := events(t, r, "iris", 2+len(numbers))
	if last := all[len(all)-1]; last.Kind != "end" {
		t.Errorf("event %d = %s/%s, want end: no event is there twice", len(all), last.Kind, last.ID)
	}
}
