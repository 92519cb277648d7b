package learn

import (
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/modelbus/modelbus/stream/service"
	"github.com/modelbus/modelbus/stream/wire"
)

// EndpointLabel is the name of the endpoint of a model's service that counts its labels.
const EndpointLabel = "label"

// Labels tells what became of a model's labels in this process since its start.
type Labels struct {
	Joined      uint64 `json:"joined"`      // rows that became training examples
	Early       uint64 `json:"early"`       // labels that came before what they are about, and waited
	Repeated    uint64 `json:"repeated"`    // labels that said what was known already
	Conflicting uint64 `json:"conflicting"` // labels of rows with another label already: on the dead subject
	Unknown     uint64 `json:"unknown"`     // labels of ids that were not captured, or too long ago: on the dead subject
	Invalid     uint64 `json:"invalid"`     // labels that cannot be one, or the model's: on the dead subject
}

// An outcome of a label: how many rows were joined, or one of these.
const (
	labelRepeated = 0
	labelEarly    = -1
)

// labelCounts counts by model.
type labelCounts struct {
	mu  sync.Mutex // guards all
	all map[string]*labelCount
}

// A labelCount counts the labels of one model.
type labelCount struct {
	mu     sync.Mutex // guards all below
	labels Labels
	total  uint64 // labels that are dealt with
	failed uint64
	last   string
	time   time.Duration
}

// maxLabelModels bounds the models that are counted: anybody can publish labels of
// models that are not there.
const maxLabelModels = 4096

func (c *labelCounts) of(model string) *labelCount {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[string]*labelCount{}
	}
	n := c.all[model]
	if n == nil {
		n = &labelCount{}
		if len(c.all) < maxLabelModels {
			c.all[model] = n
		}
	}
	return n
}

// join counts rows that were joined by a label that is not dealt with yet.
func (c *labelCount) join(rows int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.labels.Joined += uint64(max(rows, 0))
}

// note counts a label that led to out, or to an error.
func (c *labelCount) note(out int, err error, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if out == labelEarly {
		c.labels.Early++
		return
	}
	c.total++
	c.time += took
	c.labels.Joined += uint64(max(out, 0))
	if err == nil {
		if out == labelRepeated {
			c.labels.Repeated++
		}
		return
	}
	e := wire.ErrorOf(err)
	c.failed++
	c.last = strconv.Itoa(e.Status) + ":" + e.Message
	switch {
	case errors.Is(err, errUncaptured):
		c.labels.Unknown++
	case e.Is(wire.ErrConflict):
		c.labels.Conflicting++
	default:
		c.labels.Invalid++
	}
}

// Endpoints describes what the trainer does for a model's service, for discovery. It
// is safe for concurrent use.
func (t *Trainer) Endpoints(model string) []service.Endpoint {
	c := t.labels.of(model)
	c.mu.Lock()
	defer c.mu.Unlock()
	return []service.Endpoint{{
		Name: EndpointLabel, Subject: t.opts.Subjects.Label(model), Queue: labelConsumer + "-" + model,
		Requests: c.total, Errors: c.failed, LastError: c.last, Time: c.time, Data: c.labels,
	}}
}
