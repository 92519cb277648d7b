package bench

import (
	"fmt"
	"time"

	"github.com/modelbus/modelbus/stream/wire"
)

// Options are optional parameters of a [Bench]. The zero value is ready for use.
type Options struct {
	Subjects wire.Subjects

	Form wire.Form // of the requests: rows as JSON
	Rows int       // of a request: 1 if 0

	// Concurrency lists the closed-loop steps by callers: 1, 16, 64 if it and
	// Rates are empty.
	Concurrency []int

	// Rates lists the open-loop steps in requests a second, after the closed
	// ones. With Poisson, requests arrive at random with that mean rate.
	Rates   []float64
	Poisson bool

	// InFlight bounds an open loop's requests that wait for an answer: 256 if 0.
	InFlight int

	Timeout time.Duration // of a request: 5 s if 0
	Warmup  time.Duration // of each step, for the model and for the echo: 0.5 s if 0
	Window  time.Duration // 1 s if 0
	MaxTime time.Duration // of a step: 20 s if 0

	// Requests, if not 0, ends a window after that many requests.
	Requests int

	NoEcho bool // leave the echo out

	Seed uint64 // of Poisson arrivals

	// OnStep, if not nil, is called with each step when it is done.
	OnStep func(Step)
}

// The bounds of options.
const (
	maxCallers = 4096
	maxRate    = 10_000_000 // requests a second
	maxRows    = 65_536     // of a request, as the server has it
)

// The defaults of [Options].
const (
	defaultInFlight = 256
	defaultTimeout  = 5 * time.Second
	defaultWarmup   = 500 * time.Millisecond
	defaultWindow   = time.Second
	defaultMaxTime  = 20 * time.Second
)

// setDefaults fills in what is not given.
func (o *Options) setDefaults() {
	if len(o.Concurrency) == 0 && len(o.Rates) == 0 {
		o.Concurrency = []int{1, 16, 64}
	}
	fill(&o.Rows, 1)
	fill(&o.InFlight, defaultInFlight)
	fill(&o.Timeout, defaultTimeout)
	fill(&o.Warmup, defaultWarmup)
	fill(&o.Window, defaultWindow)
	fill(&o.MaxTime, defaultMaxTime)
}

func fill[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// Check returns an error that wraps [wire.ErrInvalid] if the options make no
// sense. [New] checks them too.
func (o *Options) Check() error {
	c := *o
	c.setDefaults()
	return c.check()
}

// check checks options with defaults filled in.
func (o *Options) check() error {
	if err := o.Subjects.Check(); err != nil {
		return err
	}
	if o.Rows < 1 || o.Rows > maxRows {
		return invalidf("%d rows a request: want 1 to %d", o.Rows, maxRows)
	}
	for _, c := range o.Concurrency {
		if c < 1 || c > maxCallers {
			return invalidf("concurrency %d: want 1 to %d callers", c, maxCallers)
		}
	}
	for _, r := range o.Rates {
		if !(r > 0) || r > maxRate {
			return invalidf("rate %v: want more than 0 and at most %d requests a second", r, maxRate)
		}
	}
	if o.InFlight < 1 || o.InFlight > maxCallers {
		return invalidf("%d requests in flight: want 1 to %d", o.InFlight, maxCallers)
	}
	if o.Timeout < 0 || o.Warmup < 0 || o.Window < 0 || o.MaxTime < 0 || o.Requests < 0 {
		return invalidf("a time or number of requests is negative")
	}
	if need := o.each(o.Warmup + o.Window); need > o.MaxTime {
		return invalidf("a step of at most %v has no room for a warm-up of %v and a window of %v for each side: it needs %v",
			o.MaxTime, o.Warmup, o.Window, need)
	}
	return nil
}

// each is how long all sides take of which one takes d.
func (o *Options) each(d time.Duration) time.Duration {
	if o.NoEcho {
		return d
	}
	return 2 * d
}

// A shape is the load of a step.
type shape struct {
	callers int     // closed loop, else 0
	rate    float64 // open loop: requests a second
	poisson bool
}

func (o *Options) shapes() []shape {
	var all []shape
	for _, c := range o.Concurrency {
		all = append(all, shape{callers: c})
	}
	for _, r := range o.Rates {
		all = append(all, shape{rate: r, poisson: o.Poisson})
	}
	return all
}

func invalidf(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{wire.ErrInvalid}, args...)...)
}
