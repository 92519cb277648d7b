package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/wire"
)

// killRounds is the environment variable that says how often TestKillOnline kills: few
// times without it.
const killRounds = "MODELBUS_KILL_ROUNDS"

const killOnlineSpec = `name: doubled
features: [{name: x, type: number}]
label: {name: y, type: number}
network: [{Dense: {units: 4, activation: relu}}]
optimizer: {Adam: {learning_rate: 0.01}}
retrain: {mode: online, every: 500}
`

// TestKillOnline kills -9 the server at random instants while a model learns from what is
// published, and answers requests. Every example counts once: the versions are those of
// a server that was never killed.
func TestKillOnline(t *testing.T) {
	t.Parallel()
	rounds := 3
	if text := os.Getenv(killRounds); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", killRounds, err)
		}
	}
	ctx, stop := context.WithTimeout(t.Context(), patience+time.Duration(rounds)*5*time.Second)
	defer stop()
	v := &victim{t: t, addr: freeAddr(t), data: t.TempDir()}
	v.start()
	name := filepath.Join(t.TempDir(), "doubled.yaml")
	if err := os.WriteFile(name, []byte(killOnlineSpec), 0o600); err != nil {
		t.Fatal(err)
	}
	v.modelbus("create", name)

	loaded, unload := context.WithCancel(ctx)
	defer unload()
	var load sync.WaitGroup
	rows, gap := 0, time.Duration(0)
	load.Go(func() { rows = v.publishUntil(ctx, loaded) })
	v.awaitVersions(ctx, 1)
	load.Go(func() { gap = v.predictUntil(loaded) })
	rnd := rand.New(rand.NewPCG(11, 12)) // the instants differ anyway
	seen := map[uint64]string{}
	longest := time.Duration(0)
	for range rounds {
		<-time.After(time.Duration(50+rnd.IntN(600)) * time.Millisecond)
		began := time.Now()
		v.kill()
		v.start()
		longest = max(longest, time.Since(began))
		v.unchanged(seen)
	}
	unload()
	load.Wait()
	if gap > longest+2*time.Second {
		t.Errorf("no request was answered for %v; the longest restart took %v", gap, longest)
	}
	v.modelbus("train", "doubled")
	v.unchanged(seen)
	got := v.show()
	examples := 0
	for i, version := range got.Versions {
		examples += version.Lineage.Examples
		if version.Number != uint64(i+1) {
			t.Errorf("version %d is the %dth", version.Number, i+1)
		}
	}
	if examples != rows {
		t.Errorf("the versions are made of %d examples, want the %d published", examples, rows)
	}
	want := v.uninterrupted(ctx, name)
	if len(got.Versions) != len(want.Versions) {
		t.Errorf("%d versions, want %d as without kills", len(got.Versions), len(want.Versions))
	}
	for i, version := range got.Versions[:min(len(got.Versions), len(want.Versions))] {
		if version.Digest != want.Versions[i].Digest {
			t.Fatalf("version %d has the digest %s, without kills it has %s", i+1, version.Digest, want.Versions[i].Digest)
		}
	}
	t.Logf("%d kills: %d examples, %d versions; longest restart %v, longest time without an answer %v",
		rounds, rows, len(got.Versions), longest, gap)
}

// publishUntil publishes examples until loaded is done, and returns how many.
func (v *victim) publishUntil(ctx, loaded context.Context) int {
	c := v.client()
	schema, err := c.Schema(ctx, "doubled")
	if err != nil {
		v.t.Error(err)
		return 0
	}
	to := c.Examples("doubled", schema, client.PublisherOptions{BatchRows: 3, InFlight: 8})
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	rows := 0
	for ; loaded.Err() == nil; rows++ {
		x := float64(rows%1000) / 1000
		row := feature.Row{
			Values: []feature.Value{{Kind: feature.KindNumber, Num: x}},
			Label:  feature.Value{Kind: feature.KindNumber, Num: 2 * x},
		}
		if err := to.Add(ctx, row); err != nil {
			v.t.Error(err)
			return rows
		}
		if rows%3 == 0 {
			<-tick.C
		}
	}
	if err := to.Flush(ctx); err != nil {
		v.t.Error(err)
	}
	return rows
}

// predictUntil asks for predictions until loaded is done, and returns the longest time
// without an answer.
func (v *victim) predictUntil(loaded context.Context) (gap time.Duration) {
	nc, err := nats.Connect(v.addr, nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		v.t.Error(err)
		return 0
	}
	defer nc.Close()
	last := time.Now()
	for loaded.Err() == nil {
		ctx, stop := context.WithTimeout(loaded, 500*time.Millisecond)
		msg, err := nc.RequestWithContext(ctx, "modelbus.predict.doubled", []byte(`{"instances":[[0.5]]}`))
		stop()
		switch {
		case err == nil && msg.Header.Get("Nats-Service-Error-Code") == "":
			gap, last = max(gap, time.Since(last)), time.Now()
		case err == nil || errors.Is(err, nats.ErrNoResponders): // it has just started
			<-time.After(time.Millisecond)
		}
	}
	return max(gap, time.Since(last))
}

// unchanged checks that every version seen before is the same now.
func (v *victim) unchanged(seen map[uint64]string) {
	v.t.Helper()
	for _, version := range v.show().Versions {
		if old := seen[version.Number]; old != "" && old != version.Digest {
			v.t.Errorf("version %d has the digest %s, and had %s", version.Number, version.Digest, old)
		}
		seen[version.Number] = version.Digest
	}
}

func (v *victim) awaitVersions(ctx context.Context, n int) {
	v.t.Helper()
	for len(v.show().Versions) < n {
		if ctx.Err() != nil {
			v.t.Fatalf("there are no %d versions in the test's time", n)
		}
	}
}

// uninterrupted has a server that nobody kills learn from the same messages.
func (v *victim) uninterrupted(ctx context.Context, spec string) wire.ModelInfo {
	v.t.Helper()
	other := &victim{t: v.t, addr: freeAddr(v.t), data: v.t.TempDir()}
	other.start()
	other.modelbus("create", spec)
	from, to := v.jetStream(), other.jetStream()
	cons, err := from.OrderedConsumer(ctx, "MODELBUS_TRAIN", jetstream.OrderedConsumerConfig{})
	if err != nil {
		v.t.Fatal(err)
	}
	for left := v.show().Examples; left > 0; left-- {
		msg, err := cons.Next()
		if err != nil {
			v.t.Fatal(err)
		}
		copied := nats.NewMsg(msg.Subject())
		copied.Data = msg.Data()
		for key, values := range msg.Headers() {
			if key != jetstream.MsgIDHeader {
				copied.Header[key] = values
			}
		}
		if _, err := to.PublishMsg(ctx, copied); err != nil {
			v.t.Fatal(err)
		}
	}
	other.modelbus("train", "doubled")
	return other.show()
}

func (v *victim) jetStream() jetstream.JetStream {
	v.t.Helper()
	nc, err := nats.Connect(v.addr)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		v.t.Fatal(err)
	}
	return js
}
