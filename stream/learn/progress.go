package learn

import (
	"maps"
	"sync"
	"time"

	"github.com/modelbus/modelbus/model/nn"
	"github.com/modelbus/modelbus/stream/wire"
)

// The kinds of events.
const (
	kindTraining = "training" // published plainly, not kept
	kindCancel   = "cancel"   // likewise: asks whoever trains to end it
	kindCut      = "cut"      // likewise: asks whoever learns online to cut a version now
	kindPromoted = "promoted"
	kindRejected = "rejected"
	kindFailed   = "failed"
	kindSame     = "unchanged"
)

// The states of a training, in order. "epoch" comes once for an epoch, or less
// often when epochs are short. Every training ends with "done", however it went.
const (
	stateWaiting    = "waiting" // for a slot, or for the training of the model elsewhere
	stateReading    = "reading"
	stateEpoch      = "epoch"
	stateEvaluating = "evaluating"
	stateStoring    = "storing"
	stateDone       = "done"
)

const (
	progressEvery  = 100 * time.Millisecond
	heartbeatEvery = 5 * time.Second
	peerTimeout    = 3 * heartbeatEvery // a training unheard of for so long is dead
)

// A progress tells live listeners how far a training is. A change of state goes
// out at once; within a state at most ten reports a second do, and the last one
// always. While nothing happens the last report is repeated every few seconds, so
// that other processes know the training is alive.
type progress struct {
	send  func(wire.Training) // publishes, in order
	ended chan struct{}
	beat  sync.WaitGroup

	mu      sync.Mutex // guards what follows, and the order of sends
	last    wire.Training
	pending bool // last was not sent
	sent    time.Time
}

// newProgress starts the heartbeat; close ends it.
func newProgress(id string, send func(wire.Training)) *progress {
	p := &progress{send: send, ended: make(chan struct{}), last: wire.Training{ID: id}}
	p.beat.Go(p.heartbeat)
	return p
}

func (p *progress) heartbeat() {
	tick := time.NewTicker(heartbeatEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.ended:
			return
		case now := <-tick.C:
			p.mu.Lock()
			if p.last.State != "" && now.Sub(p.sent) >= heartbeatEvery/2 {
				p.sendLocked(now)
			}
			p.mu.Unlock()
		}
	}
}

func (p *progress) sendLocked(now time.Time) {
	p.send(p.last)
	p.pending, p.sent = false, now
}

// report tells where the training is. Reports of the same state may be skipped.
func (p *progress) report(next wire.Training) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := next.State != p.last.State
	if changed && p.pending {
		p.sendLocked(now)
	}
	next.ID = p.last.ID
	p.last, p.pending = next, true
	if changed || now.Sub(p.sent) >= progressEvery {
		p.sendLocked(now)
	}
}

// close reports the end and stops the heartbeat.
func (p *progress) close() {
	close(p.ended)
	p.beat.Wait()
	p.report(wire.Training{State: stateDone})
}

// epoch is the report of one epoch.
func epoch(e nn.Epoch) wire.Training {
	scores := make(map[string]float64, len(e.Metrics)+3)
	maps.Copy(scores, e.Metrics)
	scores["loss"] = e.Loss
	scores["learning_rate"] = e.LearningRate
	if e.ValLoss != nil {
		scores["val_loss"] = *e.ValLoss
	}
	return wire.Training{State: stateEpoch, Epoch: e.Number, Epochs: e.Epochs, Rows: e.Rows, Scores: finite(scores)}
}
