//go:build !linux

package bench

import "time"

// nap sleeps for d or less.
func nap(d time.Duration) { <-time.After(d) }
