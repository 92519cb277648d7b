package kernel

import (
	"sync"
	"sync/atomic"
)

// A crew is the goroutines that compute a product chunk by chunk: the calling one,
// which goes on by itself if no processor is free, and some that are started for it.
// They take the next chunk from a counter, so that a processor that is busy elsewhere
// only gets fewer of them; nobody spins. Starting them allocates nothing.
type crew struct {
	product product

	workers, chunks int
	joined, taken   atomic.Int64
	help            func() // what a started goroutine does
	wait            sync.WaitGroup
}

// run computes the product in that many chunks on that many goroutines.
func (c *crew) run(workers, chunks int) {
	if c.help == nil {
		c.help = func() {
			defer c.wait.Done()
			c.work()
		}
	}
	c.workers, c.chunks = workers, chunks
	c.joined.Store(0)
	c.taken.Store(0)
	for range workers - 1 {
		c.wait.Add(1)
		go c.help()
	}
	c.work()
	c.wait.Wait()
}

// work takes chunks until there are none.
func (c *crew) work() {
	worker := int(c.joined.Add(1)) - 1
	for {
		i := int(c.taken.Add(1)) - 1
		if i >= c.chunks {
			return
		}
		c.product.chunk(i, worker, c.workers)
	}
}
