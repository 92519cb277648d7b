package serve

import (
	"slices"
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

// hand hands a request that was answered with that id, whose n rows begin at row of the
// last run, over to the shadow, and from there or at once to be captured.
func (w *worker) hand(g *group, r *request, id []string, row, n int) {
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
	c := copied{lane: w.lane, msg: r.msg, version: g.version, at: w.ran, outcomes: t.tell(nil, row, n)}
	if w.after.capture > 0 && len(id) > 0 {
		c.keep, c.id = w.after.capture, id[0]
	}
	if (s == nil || !s.put(c)) && c.keep > 0 {
		if w.copies == nil {
			w.copies = w.lane.capture.list()
		}
		w.copies = append(w.copies, c)
	}
}

// toCapture returns those of list that are to be captured, in its memory.
func toCapture(list []copied) []copied {
	return slices.DeleteFunc(list, func(c copied) bool { return c.keep == 0 })
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
func (w *worker) identify(msg *nats.Msg) {
	if len(msg.Header[wire.HeaderID]) > 0 {
		return
	}
	id := w.id[:]
	if msg != &w.reply { // the outbox keeps it
		id = make([]string, 1)
	}
	id[0] = nuid.Next()
	msg.Header[wire.HeaderID] = id
}
