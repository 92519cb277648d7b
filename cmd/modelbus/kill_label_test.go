package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/client"
)

// TestKillWhileLabelling kills -9 the server, which joins them, three times while labels
// arrive: each makes one example.
func TestKillWhileLabelling(t *testing.T) {
	t.Parallel()
	const n = 400
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	v := &victim{t: t, addr: freeAddr(t), data: t.TempDir()}
	v.start()
	v.modelbus("create", v.spec("3}\ncapture: 1h"))
	c := v.client()
	schema, err := c.Schema(ctx, "doubled")
	if err != nil {
		t.Fatal(err)
	}
	var rows []feature.Row
	for i := range 20 {
		x := feature.Value{Kind: feature.KindNumber, Num: float64(i)}
		rows = append(rows, feature.Row{Values: []feature.Value{x}, Label: x})
	}
	if err := c.PublishExamples(ctx, "doubled", schema, rows); err != nil {
		t.Fatal(err)
	}
	v.modelbus("train", "doubled")
	for i := range n {
		if _, err := c.Predict(client.WithID(ctx, fmt.Sprint("id-", i)), "doubled", []float64{float64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	js := v.jetStream()
	settled(ctx, t, js, "MODELBUS_CAPTURE", n)
	for i := range n {
		if err := c.Label(ctx, "doubled", fmt.Sprint("id-", i), 2*i); err != nil {
			t.Fatal(err)
		}
		if i%(n/4) == n/4-1 && i < n-1 {
			v.kill()
			v.start()
		}
	}
	settled(ctx, t, js, "MODELBUS_LABEL", 0)
	stream, err := js.Stream(ctx, "MODELBUS_TRAIN")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for seq := uint64(2); seq <= stream.CachedInfo().State.LastSeq; seq++ {
		m, err := stream.GetMsg(ctx, seq)
		if err != nil {
			t.Fatal(err)
		}
		id := m.Header.Get("Modelbus-Id")
		if found[id]++; !strings.HasPrefix(id, "id-") {
			t.Errorf("message %d is of %q", seq, id)
		}
	}
	for i := range n {
		if id := fmt.Sprint("id-", i); found[id] != 1 {
			t.Errorf("%d examples of %s, want 1", found[id], id)
		}
	}
}

// settled waits until a stream has so many messages.
func settled(ctx context.Context, t *testing.T, js jetstream.JetStream, name string, want uint64) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		s, err := js.Stream(ctx, name)
		if err == nil && s.CachedInfo().State.Msgs == want {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s does not come to hold %d messages: %v", name, want, err)
		}
	}
}
