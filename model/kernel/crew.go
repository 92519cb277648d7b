package kernel

import (
	"sync"
	"sync/atomic"
)

// A Crew computes something chunk by chunk on several goroutines: the calling one,
// which goes on by itself if no processor is free, and some that are started for it.
// They take the next chunk from a counter, so that a processor that is busy elsewhere
// only gets fewer of them; nobody spins, and nobody is waited for who has not begun.
// The zero value is ready. It must not be copied after first use, nor used by several
// goroutines.
type Crew struct {
	chunk  func(i, worker int)
	chunks int
	taken  atomic.Int64
	help   func() // what a started goroutine does
	wait   sync.WaitGroup

	mu      sync.Mutex
	open    bool // there are chunks to take
	workers int  // that may join
	joined  int
	started int // goroutines that have not ended
}

// Run calls chunk once for every i below chunks, on up to that many workers at once, each
// of which has a number below workers, and returns when all calls have. Run
// itself allocates nothing.
func (c *Crew) Run(workers, chunks int, chunk func(i, worker int)) {
	if workers = min(workers, chunks); workers < 2 {
		for i := range chunks {
			chunk(i, 0)
		}
		return
	}
	if c.help == nil {
		c.help = c.assist
	}
	c.chunk, c.chunks = chunk, chunks
	c.taken.Store(0)
	c.mu.Lock()
	c.open, c.workers, c.joined = true, workers, 1
	// There is one more than can join: the runtime lets the goroutine that was started
	// last wait for the processor that it was started on, and others take it from there
	// only after a pause. Those before it begin at once.
	missing := workers - c.started
	c.started += max(missing, 0)
	c.mu.Unlock()
	for range missing {
		go c.help()
	}
	c.work(0)
	c.mu.Lock()
	c.open = false
	c.mu.Unlock()
	c.wait.Wait()
	c.chunk = nil
}

// assist joins the runs that want workers until there is none. It may be later than the
// run that it was started for.
func (c *Crew) assist() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.open && c.joined < c.workers {
		worker := c.joined
		c.joined++
		c.wait.Add(1)
		c.mu.Unlock()
		c.work(worker)
		c.wait.Done()
		c.mu.Lock()
	}
	c.started--
}

// work takes chunks until there are none.
func (c *Crew) work(worker int) {
	for {
		i := int(c.taken.Add(1)) - 1
		if i >= c.chunks {
			return
		}
		c.chunk(i, worker)
	}
}
