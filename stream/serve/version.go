package serve

import (
	"maps"
	"strconv"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/model/drift"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// A batch is the scratch in which one worker computes requests together.
type batch interface {
	// add decodes a request and returns how many rows it has. On an error the
	// batch is as it was.
	add(m *nats.Msg) (rows int, err error)

	// run computes rows [lo, hi) of those added. Between pieces of at most the
	// batch limit it calls pause, unless that is nil.
	run(lo, hi int, pause func()) error

	// encode fills msg with the answer to the i-th request added, whose rows
	// begin at row of the last run.
	encode(msg *nats.Msg, i, row int) error

	// warm computes once, so that the first request does not pay for it.
	warm() error

	// reset empties the batch and reports whether its memory is worth keeping.
	reset() bool
}

// A teller is a batch that tells what its last run predicted, to be captured or
// compared: it appends the predictions for n rows from row of that run on.
type teller interface {
	tell(dst []wire.Outcome, row, n int) []wire.Outcome
}

// spareBatches bounds the scratch that a version keeps between batches.
const spareBatches = 64

// A version is a loaded version. When nothing refers to it any more, the
// garbage collector takes it with its scratch.
type version struct {
	number uint64
	text   []string                      // the number as a header value
	params int                           // of its network
	schema *feature.Schema               // nil: requests cannot be captured
	told   []string                      // the classes that are captured with requests; nil: none
	make   func() batch                  // when none is spare
	window func() (*drift.Window, error) // to compare its rows with; nil for none
	spare  chan batch
	used   atomic.Int64 // when it was last asked for by number, Unix nanoseconds
}

func newVersion(number uint64, p plan) *version {
	return &version{
		number: number, text: []string{strconv.FormatUint(number, 10)},
		params: p.params, schema: p.schema, told: p.told, make: p.make, window: p.newWindow, spare: make(chan batch, spareBatches),
	}
}

// A plan is how a version is computed.
type plan struct {
	make   func() batch
	params int                           // of its network
	schema *feature.Schema               // nil: requests cannot be captured
	told   []string                      // the classes that are captured with requests; nil: none
	window func() (*drift.Window, error) // may be nil
}

// newWindow returns an empty window of what the version was trained on, nil if that is
// not known.
func (p plan) newWindow() (*drift.Window, error) {
	if p.window == nil {
		return nil, nil //nolint:nilnil // to have none is no error
	}
	return p.window()
}

func (v *version) giveBack(b batch) {
	if !b.reset() {
		return
	}
	select {
	case v.spare <- b:
	default:
	}
}

// live is an immutable snapshot of what a model answers with.
type live struct {
	aliases map[string]*version
	numbers map[uint64]*version // those of aliases and those asked for by number

	split  registry.Move // of the alias canary, whether it is loaded or not
	canary *canary       // nil: the champion answers all
	shadow *shadow       // nil: nobody gets copies
}

func (l *live) clone() *live {
	c := *l
	c.aliases, c.numbers = maps.Clone(l.aliases), maps.Clone(l.numbers)
	return &c
}

// find returns the loaded version that a target names, or nil.
func (l *live) find(t target) *version {
	if t.number > 0 {
		return l.numbers[t.number]
	}
	return l.aliases[t.alias]
}

// params returns the size of the champion's network, 0 if there is none.
func (l *live) params() int {
	if v := l.aliases[registry.Champion]; v != nil {
		return v.params
	}
	return 0
}

// A target is a parsed version or alias.
type target struct {
	number uint64
	alias  string
}

// parseTarget parses the last token of a subject. ok is false if it can be
// neither version nor alias; an alias out of its grammar is merely not found.
func parseTarget(s string) (t target, ok bool) {
	if s == "" {
		return target{alias: registry.Champion}, true
	}
	if c := s[0]; c < '0' || c > '9' {
		return target{alias: s}, true
	}
	n, err := strconv.ParseUint(s, 10, 53)
	return target{number: n}, err == nil && s[0] != '0'
}
