package learn

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// headerTrainer names the process that sends a plain event.
const headerTrainer = "Modelbus-Trainer"

// maxPeers bounds the trainings of others that are remembered.
const maxPeers = 10_000

// A peer is a training that another process reported.
type peer struct {
	id   string
	seen time.Time
}

// listen follows the trainings of other processes and their wishes to cancel ours.
func (t *Trainer) listen() (unsubscribe func() error, err error) {
	progress, err := t.nc.Subscribe(t.opts.Subjects.Event("*", kindTraining, "*"), t.heard)
	if err != nil {
		return nil, fmt.Errorf("listening for trainings: %w", err)
	}
	cancels, err := t.nc.Subscribe(t.opts.Subjects.Event("*", kindCancel, "*"), t.cancelWished)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listening for cancellations: %w", err), progress.Unsubscribe())
	}
	return func() error {
		err := errors.Join(progress.Unsubscribe(), cancels.Unsubscribe())
		if errors.Is(err, nats.ErrConnectionClosed) {
			return nil
		}
		return err
	}, nil
}

// heard notes a report of another process.
func (t *Trainer) heard(msg *nats.Msg) {
	if msg.Header.Get(headerTrainer) == t.name {
		return
	}
	var e registry.Event
	var at wire.Training
	if json.Unmarshal(msg.Data, &e) != nil || json.Unmarshal(e.Data, &at) != nil || e.Model == "" {
		return // not ours to judge: anybody may publish events of their own
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if at.State == stateStoring || at.State == stateDone { // from here on the next one may begin
		if t.peers[e.Model].id == e.ID {
			delete(t.peers, e.Model)
		}
		return
	}
	now := time.Now()
	if len(t.peers) >= maxPeers {
		for model, p := range t.peers {
			if now.Sub(p.seen) > peerTimeout {
				delete(t.peers, model)
			}
		}
	}
	if len(t.peers) < maxPeers {
		t.peers[e.Model] = peer{id: e.ID, seen: now}
	}
}

// peerLocked returns the training of the model in another process.
func (t *Trainer) peerLocked(model string) (peer, bool) {
	p, ok := t.peers[model]
	return p, ok && time.Since(p.seen) <= peerTimeout
}

// cancelPeer asks whoever runs the training to end it.
func (t *Trainer) cancelPeer(model string, p peer) bool {
	e := registry.Event{Model: model, Kind: kindCancel, ID: p.id, Time: time.Now().UTC()}
	if err := t.publishPlain(e); err != nil {
		t.opts.Logger.Warn().Err(err).Msg("canceling a training")
		return false
	}
	return true
}

// cancelWished ends our training of that id.
func (t *Trainer) cancelWished(msg *nats.Msg) {
	var e registry.Event
	if json.Unmarshal(msg.Data, &e) != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if j := t.jobs[e.Model]; j != nil && j.id == e.ID {
		t.cancelLocked(j)
	}
}

// publishPlain publishes an event to live listeners only.
func (t *Trainer) publishPlain(e registry.Event) error {
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding event %s of %s: %w", e.Kind, e.Model, err)
	}
	err = t.nc.PublishMsg(&nats.Msg{
		Subject: t.opts.Subjects.Event(e.Model, e.Kind, e.ID),
		Header:  nats.Header{headerTrainer: {t.name}},
		Data:    data,
	})
	if err != nil {
		return fmt.Errorf("publishing event %s of %s: %w", e.Kind, e.Model, err)
	}
	return nil
}
