package bench

import (
	"syscall"
	"time"
)

// nap sleeps for d or less. The runtime's own timers wake up to a millisecond
// late on Linux, where it waits in epoll.
func nap(d time.Duration) {
	t := syscall.NsecToTimespec(d.Nanoseconds())
	_ = syscall.Nanosleep(&t, nil) //nolint:errcheck // a signal ends it early, which the caller sees
}
