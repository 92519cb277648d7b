package kernel

import (
	"sync"
	"sync/atomic"
)

// A crew is the goroutines that compute a product chunk by chunk: the calling one,
// which goes on by itself if no processor is free, and some that are started for it.
// They take the next chunk from a counter, so that a processor that is busy elsewhere
// only gets fewer of them; nobody spins, and nobody is waited for who has not begun.
// Starting them allocates nothing.
type crew struct {
	product product

	workers, chunks int
	taken           atomic.Int64
	help            func() // what a started goroutine does
	wait            sync.WaitGroup

	mu      sync.Mutex
	open    bool // the product wants workers
	joined  int  // workers that it has
	started int  // goroutines that have not ended
}

// run computes the product in that many chunks on that many goroutines.
func (c *crew) run(workers, chunks int) {
	if c.help == nil {
		c.help = c.assist
	}
	c.workers, c.chunks = workers, chunks
	c.taken.Store(0)
	c.mu.Lock()
	c.open, c.joined = true, 1
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
}

// assist joins the products that want workers until there is none. It may be later than
// the product that it was started for.
func (c *crew) assist() {
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
func (c *crew) work(worker int) {
	for {
		i := int(c.taken.Add(1)) - 1
		if i >= c.chunks {
			return
		}
		c.product.chunk(i, worker, c.workers)
	}
}
