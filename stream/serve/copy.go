package serve

import (
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// after is what is to be done with requests once they are answered.
type after struct {
	shadow  *shadow       // nil: nothing gets a copy
	capture time.Duration // 0: nothing is captured
}

// A copied is an answered request, for those who look at it afterwards.
type copied struct {
	lane     *lane
	msg      *nats.Msg // the request
	version  *version  // that answered
	at       time.Time
	outcomes []wire.Outcome
	keep     time.Duration // to be captured for so long, unless 0
	id       string        // to be captured under
	shadow   *wire.Shadowed
}

// hand hands an answered request, whose n rows begin at row of the last run, over to
// the shadow, and from there or at once to be captured.
func (w *worker) hand(g *group, r *request, header nats.Header, row, n int) {
	t, ok := g.batch.(teller)
	if !ok {
		return
	}
	s := w.after.shadow
	if s != nil && (r.target != "" && r.target != registry.Champion || s.champion != g.version) {
		s = nil
	}
	if s == nil && w.after.capture == 0 {
		return
	}
	c := copied{lane: w.lane, msg: r.msg, version: g.version, at: time.Now(), outcomes: t.tell(nil, row, n)}
	if id := header[wire.HeaderID]; w.after.capture > 0 && len(id) > 0 {
		c.keep, c.id = w.after.capture, id[0]
	}
	if s == nil || !s.put(c) {
		c.pass()
	}
}

// pass hands c over to be captured, if it is to be.
func (c *copied) pass() {
	if c.keep > 0 {
		c.lane.capture.put(*c)
	}
}

// size is about what c holds of memory.
func (c *copied) size() int { return c.msg.Size() + len(c.outcomes)*outcomeBytes + copiedBytes }

const (
	copiedBytes  = 256
	outcomeBytes = 32
)

// checkID checks the id that the caller gave a request that is to be captured.
func checkID(h nats.Header) error {
	if id := h[wire.HeaderID]; len(id) > 0 {
		return wire.CheckID(id[0])
	}
	return nil
}

// identify gives an answer an id if its request had none.
func identify(h nats.Header) {
	if len(h[wire.HeaderID]) == 0 {
		h[wire.HeaderID] = []string{nuid.Next()}
	}
}
