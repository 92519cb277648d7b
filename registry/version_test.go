package registry_test

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
	"github.com/modelbus/modelbus/registry"
)

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }

func bucketOf(tb testing.TB, nc *nats.Conn) jetstream.KeyValue {
	tb.Helper()
	kv, err := jsOn(tb, nc).KeyValue(tb.Context(), "MODELBUS")
	if err != nil {
		tb.Fatal(err)
	}
	return kv
}

// putKey and deleteKey are what somebody does with the nats CLI.
func putKey(tb testing.TB, nc *nats.Conn, key, value string) {
	tb.Helper()
	if _, err := bucketOf(tb, nc).PutString(tb.Context(), key, value); err != nil {
		tb.Fatal(err)
	}
}

func deleteKey(tb testing.TB, nc *nats.Conn, key string) {
	tb.Helper()
	if err := bucketOf(tb, nc).Delete(tb.Context(), key); err != nil {
		tb.Fatal(err)
	}
}

func TestPublish(t *testing.T) {
	t.Parallel()
	r, nc, digest := withIris(t)
	in := registry.Version{
		Model: "iris", Digest: digest, Metrics: map[string]float64{"accuracy": 0.97},
		Lineage: registry.Lineage{Stream: "MODELBUS_TRAIN", FirstSeq: 1, LastSeq: 150, Examples: 150, Held: 30, Seed: 42, Software: "v0", Seconds: 0.5},
	}
	want, err := r.Publish(t.Context(), in, &registry.Promotion{Alias: registry.Champion, Who: "ada", Why: "first"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want.Number != 1 || want.Size != 1000 || want.Created.IsZero() {
		t.Errorf("Publish = %+v, want version 1 of 1000 bytes", want)
	}
	for _, ref := range []registry.Ref{{Model: "iris"}, {Model: "iris", Version: 1}, {Model: "iris", Alias: registry.Champion}} {
		if got, err := r.Resolve(t.Context(), ref); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Resolve(%v) = %+v, %v, want %+v", ref, got, err, want)
		}
	}
	entry, err := bucketOf(t, nc).Get(t.Context(), "version.iris.1")
	if err != nil {
		t.Fatal(err)
	}
	var stored registry.Version
	if err := json.Unmarshal(entry.Value(), &stored); err != nil || !reflect.DeepEqual(stored, want) {
		t.Errorf("nats kv get version.iris.1 = %s, %v", entry.Value(), err)
	}
	aliases, err := r.Aliases(t.Context(), "iris")
	if err != nil || len(aliases) != 1 {
		t.Fatalf("Aliases = %v, %v, want champion alone", aliases, err)
	}
	if m := aliases[registry.Champion]; m.From != 0 || m.To != 1 || m.Who != "ada" || m.Why != "first" || m.Number != 1 {
		t.Errorf("move = %+v", m)
	}
	got := events(t, r, "iris", 3)
	if strings.Join(names(got), " ") != "created/1 version/1 promoted/champion-1" {
		t.Fatalf("events = %v", names(got))
	}
	var v registry.Version
	var p registry.Promoted
	if err := errors.Join(json.Unmarshal(got[1].Data, &v), json.Unmarshal(got[2].Data, &p)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(v, want) || p.To != 1 || p.Who != "ada" || p.Verdict != nil {
		t.Errorf("data of the events = %+v, %+v", v, p)
	}
}

func TestPublishVerdict(t *testing.T) {
	t.Parallel()
	r, _, digest := withIris(t)
	scores := json.RawMessage(`{"champion":0.9,"challenger":0.95}`)
	v := registry.Version{Model: "iris", Digest: digest}
	_, err := r.Publish(t.Context(), v, &registry.Promotion{Alias: registry.Champion}, &registry.Event{Kind: registry.KindPromoted, Data: scores})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Publish(t.Context(), v, nil, &registry.Event{Kind: "rejected", Data: scores}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Publish(t.Context(), v, nil, &registry.Event{Kind: "rejected", ID: "2"}); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("Publish with an event that is there = %v, want ErrConflict", err)
	}
	got := events(t, r, "iris", 5)
	if strings.Join(names(got), " ") != "created/1 version/1 promoted/champion-1 version/2 rejected/2" {
		t.Fatalf("events = %v", names(got))
	}
	var p registry.Promoted
	if err := json.Unmarshal(got[2].Data, &p); err != nil || string(p.Verdict) != string(scores) || p.To != 1 {
		t.Errorf("data of promoted = %s, %v", got[2].Data, err)
	}
	if string(got[4].Data) != string(scores) || got[4].Model != "iris" || got[4].Time.IsZero() {
		t.Errorf("rejected = %+v", got[4])
	}
	for _, kind := range []string{registry.KindPromoted, registry.KindVersion, "No", ""} {
		if _, err := r.Publish(t.Context(), v, nil, &registry.Event{Kind: kind}); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("Publish with a verdict of kind %q = %v, want ErrInvalid", kind, err)
		}
	}
}

func TestPublishRefusesNaN(t *testing.T) {
	t.Parallel()
	r, _, digest := withIris(t)
	v := registry.Version{Model: "iris", Digest: digest, Metrics: map[string]float64{"loss": math.NaN()}}
	if _, err := r.Publish(t.Context(), v, nil, nil); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("Publish of a NaN metric = %v, want ErrInvalid", err)
	}
}

func TestPublishAtOnce(t *testing.T) {
	t.Parallel()
	const publishers, each = 8, 5
	srv := embeddedtest.Start(t)
	first := createOn(t, embeddedtest.Join(t, srv), registry.Options{})
	digest := addModel(t, first, "iris")
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex // guards seen
		seen []uint64
	)
	for range publishers {
		r := createOn(t, embeddedtest.Join(t, srv), registry.Options{})
		wg.Go(func() {
			for range each {
				v, err := r.Publish(t.Context(), registry.Version{Model: "iris", Digest: digest}, nil, nil)
				if err != nil {
					t.Errorf("Publish = %v", err)
					return
				}
				mu.Lock()
				seen = append(seen, v.Number)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(seen)
	for i, n := range seen {
		if n != uint64(i+1) {
			t.Fatalf("numbers = %v, want 1 to %d, each once", seen, publishers*each)
		}
	}
	vs, err := first.Versions(t.Context(), "iris")
	if err != nil || len(vs) != publishers*each {
		t.Errorf("Versions = %d, %v, want %d", len(vs), err, publishers*each)
	}
	got := names(events(t, first, "iris", 1+publishers*each))
	slices.Sort(got)
	if dup := slices.Compact(slices.Clone(got)); len(dup) != len(got) {
		t.Errorf("events = %v, want each once", got)
	}
}

func TestPromotersOneWins(t *testing.T) {
	t.Parallel()
	r, _, digest := withIris(t)
	versions(t, r, "iris", digest, 1)
	var wg sync.WaitGroup
	var won atomic.Uint64
	var wins atomic.Int32
	for range 6 {
		wg.Go(func() {
			v, err := r.Publish(t.Context(), registry.Version{Model: "iris", Digest: digest},
				&registry.Promotion{Alias: registry.Champion, If: 1}, nil)
			if err == nil {
				wins.Add(1)
				won.Store(v.Number)
			} else if !errors.Is(err, registry.ErrConflict) {
				t.Errorf("Publish = %v, want nil or ErrConflict", err)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 {
		t.Fatalf("%d promotions from version 1 succeeded, want 1", wins.Load())
	}
	if got := champion(t, r, "iris"); got != won.Load() {
		t.Errorf("champion = %d, want %d", got, won.Load())
	}
	if vs, err := r.Versions(t.Context(), "iris"); err != nil || len(vs) != 2 {
		t.Errorf("Versions = %+v, %v, want 2: the losers store nothing", vs, err)
	}
	if got := events(t, r, "iris", 5); len(got) != 5 {
		t.Errorf("events = %v", names(got))
	}
}

func TestDeleteVersion(t *testing.T) {
	t.Parallel()
	r, _, digest := withIris(t)
	versions(t, r, "iris", digest, 3)
	if err := r.DeleteVersion(t.Context(), "iris", 3, "", ""); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("DeleteVersion of the champion = %v, want ErrConflict", err)
	}
	if err := r.DeleteVersion(t.Context(), "iris", 2, "ada", "wrong data"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Resolve(t.Context(), registry.Ref{Model: "iris", Version: 2}); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("Resolve of a deleted version = %v, want ErrNotFound", err)
	}
	if m, err := r.Rollback(t.Context(), "iris", registry.Champion, "", ""); err != nil || m.To != 1 {
		t.Errorf("Rollback = %+v, %v, want to version 1: 2 is deleted", m, err)
	}
	if v := publish(t, r, "iris", digest, nil); v.Number != 4 {
		t.Errorf("next version = %d, want 4", v.Number)
	}
}

// TestPromoteOrDelete races a promotion against the deletion of its version:
// whichever is first, no alias names a version that is gone.
func TestPromoteOrDelete(t *testing.T) {
	t.Parallel()
	r, _, digest := withIris(t)
	versions(t, r, "iris", digest, 1)
	for range 20 {
		v := publish(t, r, "iris", digest, nil)
		var wg sync.WaitGroup
		var promoted, deleted error
		wg.Go(func() { _, promoted = r.Promote(t.Context(), "iris", "canary", v.Number, "", "") })
		wg.Go(func() { deleted = r.DeleteVersion(t.Context(), "iris", v.Number, "", "") })
		wg.Wait()
		if (promoted == nil) == (deleted == nil) {
			t.Fatalf("Promote = %v, DeleteVersion = %v, want one to win", promoted, deleted)
		}
		if _, err := r.Resolve(t.Context(), registry.Ref{Model: "iris", Alias: "canary"}); promoted == nil && err != nil {
			t.Fatalf("Resolve of the promoted version = %v", err)
		}
	}
}

// TestLostLedger is an operator who removed the key that numbers come from.
func TestLostLedger(t *testing.T) {
	t.Parallel()
	r, nc, digest := withIris(t)
	versions(t, r, "iris", digest, 3)
	deleteKey(t, nc, "number.iris")
	if v := publish(t, r, "iris", digest, &registry.Promotion{Alias: registry.Champion, If: 3}); v.Number != 4 {
		t.Errorf("version = %d, want 4", v.Number)
	}
	if got := champion(t, r, "iris"); got != 4 {
		t.Errorf("champion = %d, want 4", got)
	}
}

// TestPublishOnline has two trainers cut a version from the same one: the first alone does.
func TestPublishOnline(t *testing.T) {
	t.Parallel()
	r, _, digest := withIris(t)
	publish := func(parent uint64, online bool) (registry.Version, error) {
		return r.Publish(t.Context(), registry.Version{
			Model: "iris", Digest: digest, Lineage: registry.Lineage{Parent: parent, Online: online},
		}, nil, nil)
	}
	for _, tt := range []struct {
		parent uint64
		online bool
		want   uint64 // 0: overtaken
	}{
		{0, true, 1},
		{0, true, 0},
		{1, true, 2},
		{1, true, 0},
		{1, false, 3}, // a training of a window may go on from any
		{3, true, 4},  // and learning online from that
		{2, true, 0},
		{4, true, 5},
	} {
		v, err := publish(tt.parent, tt.online)
		if tt.want == 0 {
			if !errors.Is(err, registry.ErrOvertaken) || !errors.Is(err, registry.ErrConflict) {
				t.Errorf("a version after %d: error = %v, want ErrOvertaken", tt.parent, err)
			}
			continue
		}
		if err != nil || v.Number != tt.want {
			t.Errorf("a version after %d = %d, %v, want %d", tt.parent, v.Number, err, tt.want)
		}
	}
	if err := r.DeleteVersion(t.Context(), "iris", 5, "ann", "it is bad"); err != nil {
		t.Fatal(err)
	}
	if v, err := publish(4, true); err != nil || v.Number != 6 {
		t.Errorf("a version after 4, when 5 was deleted = %d, %v, want 6", v.Number, err)
	}

	var wins atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			switch _, err := publish(6, true); {
			case err == nil:
				wins.Add(1)
			case !errors.Is(err, registry.ErrOvertaken):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := wins.Load(); n != 1 {
		t.Errorf("%d of 8 at once published a version after 6, want 1", n)
	}
}
