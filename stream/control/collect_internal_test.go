package control

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// A counter counts collections and fails the first.
type counter struct{ collected chan struct{} }

func (c *counter) Collect(context.Context) ([]string, int64, error) {
	c.collected <- struct{}{}
	return nil, 0, errors.New("no leader")
}

func TestCollectGoesOnAfterAFailure(t *testing.T) {
	t.Parallel()
	c := &counter{collected: make(chan struct{})}
	tick := make(chan time.Time)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		collect(ctx, c, tick, zerolog.Nop())
	}()
	<-c.collected // at once
	for range 2 {
		tick <- time.Time{}
		<-c.collected
	}
	stop()
	<-done
}
