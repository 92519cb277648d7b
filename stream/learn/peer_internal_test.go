package learn

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// heartbeat is what another process reports of a training.
func heartbeat(t *testing.T, model string) *nats.Msg {
	t.Helper()
	at, err := json.Marshal(wire.Training{ID: "its", State: stateEpoch})
	if err != nil {
		t.Fatal(err)
	}
	e, err := json.Marshal(registry.Event{Model: model, Kind: kindTraining, ID: "its", Data: at})
	if err != nil {
		t.Fatal(err)
	}
	return &nats.Msg{Header: nats.Header{headerTrainer: {"another"}}, Data: e}
}

func bare() *Trainer {
	return &Trainer{name: "this", jobs: map[string]*job{}, peers: map[string]peer{}}
}

// TestSilentPeer has a process report a training, and fall silent.
func TestSilentPeer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := bare()
		for range 3 { // as long as it reports, it trains
			tr.heard(heartbeat(t, "iris"))
			<-time.After(peerTimeout)
			if got := tr.Running("iris"); got == nil || got.ID != "its" {
				t.Fatalf("Running() = %v after %v, want the other's", got, peerTimeout)
			}
		}
		if j, _, err := tr.claim(&job{model: "iris"}); j != nil || err != nil {
			t.Error("a model that another process trains was claimed")
		}
		<-time.After(time.Millisecond)
		if got := tr.Running("iris"); got != nil {
			t.Errorf("Running() = %v of a process that fell silent, want nil", got)
		}
		if j, _, err := tr.claim(&job{model: "iris"}); j == nil || err != nil {
			t.Error("the model of a process that fell silent cannot be trained")
		}
	})
}

// TestPeersAreBounded has more models reported than are remembered: silent ones go.
func TestPeersAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := bare()
		for i := range maxPeers {
			tr.heard(heartbeat(t, fmt.Sprint("m", i)))
		}
		tr.heard(heartbeat(t, "iris"))
		if n := len(tr.peers); n != maxPeers {
			t.Errorf("%d trainings are remembered, want %d", n, maxPeers)
		}
		<-time.After(peerTimeout + 1)
		tr.heard(heartbeat(t, "iris"))
		if n := len(tr.peers); n != 1 || tr.Running("iris") == nil {
			t.Errorf("%d trainings are remembered after the silent ones went, want that of iris", n)
		}
	})
}
