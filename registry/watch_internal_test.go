package registry

import (
	"context"
	"testing"
	"time"
)

func TestWatchAsksAgain(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	n := 0
	err := r.watch(ctx, 10*time.Millisecond, func(c Change) {
		if c.Model != "" {
			t.Errorf("change = %+v, want empty ones: nothing happened", c)
		}
		if n++; n == 4 {
			stop()
		}
	})
	if err != nil || n != 4 {
		t.Errorf("watch = %v after %d changes, want nil after 4", err, n)
	}
}
