package serve

import (
	"runtime/debug"
	"sync"
)

// deskBytes bounds the requests that are answered where they arrive.
const deskBytes = 16 << 10

// A desk is where requests of a lane are answered at once, by the goroutine that
// received them, if they are few and quick: waking a worker would take longer.
type desk struct {
	mu     sync.Mutex
	worker *worker // nil until it is needed
}

// rouse has what waits answered, here if that is soon done, else by workers.
func (l *lane) rouse() {
	n, bytes := l.queue.waiting()
	if n > 0 && bytes <= deskBytes && l.pace.of(n) <= shortWork && l.desk.mu.TryLock() {
		defer l.desk.mu.Unlock()
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
		if l.desk.worker == nil {
			l.desk.worker = newWorker(l)
		}
		l.desk.worker.work()
		return
	}
	l.queue.wake(bytes > shareBytes || l.pace.of(n) > shareWork)
}
