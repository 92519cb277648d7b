package kernel

import (
	"sync"
	"sync/atomic"
)

// A share is a product that several goroutines compute chunk by chunk: the calling
// one, which goes on by itself if no processor is free, and some that are started
// for it. They take the next chunk from a counter, so that a processor that is busy
// elsewhere only gets fewer of them; nobody spins. Starting them allocates nothing.
type share struct {
	product product

	chunks int
	next   atomic.Int64
	work   func() // takes chunks until there are none
	help   func() // work of a started goroutine
	wait   sync.WaitGroup
}

// run computes the product in that many chunks on up to that many goroutines.
func (s *share) run(threads, chunks int) {
	if s.work == nil {
		s.work = s.take
		s.help = func() {
			defer s.wait.Done()
			s.take()
		}
	}
	s.chunks = chunks
	s.next.Store(0)
	for range min(threads, chunks) - 1 {
		s.wait.Add(1)
		go s.help()
	}
	s.work()
	s.wait.Wait()
}

func (s *share) take() {
	for {
		i := int(s.next.Add(1)) - 1
		if i >= s.chunks {
			return
		}
		s.product.chunk(i, s.chunks)
	}
}
