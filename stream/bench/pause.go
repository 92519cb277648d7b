package bench

import (
	"context"
	"time"
)

// coarse is what the runtime's timers may be late by: the last stretch is left
// to the operating system's.
const coarse = 2 * time.Millisecond

// pause waits until a time and reports whether ctx goes on.
func pause(ctx context.Context, until time.Time) bool {
	if left := time.Until(until); left > 2*coarse {
		timer := time.NewTimer(left - coarse)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return false
		}
	}
	for {
		left := time.Until(until)
		if left <= 0 {
			return ctx.Err() == nil
		}
		nap(left)
	}
}
