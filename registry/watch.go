package registry

import (
	"context"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// relist is how often Watch asks to look at everything again.
const relist = time.Minute

// A Change says which model's record, versions or aliases may have changed.
// An empty Model means: look at everything again.
type Change struct {
	Model string
}

// Watch calls fn for every change until ctx is done, first with an empty
// Change, and again with an empty Change whenever changes may have been missed
// and at least once a minute. fn runs on Watch's goroutine; while it runs,
// changes wait in the stream. Watch survives reconnects and returns nil when
// ctx is done.
func (r *Registry) Watch(ctx context.Context, fn func(Change)) error { return r.watch(ctx, relist, fn) }

func (r *Registry) watch(ctx context.Context, every time.Duration, fn func(Change)) error {
	var filters []string
	for _, pattern := range []string{"model.>", "version.>", "alias.>"} {
		filters = append(filters, r.subject(pattern))
	}
	all := func() error {
		fn(Change{})
		return nil
	}
	f := follower{js: r.js, stream: r.kv, filters: filters, every: every, tick: all}
	return f.run(ctx, func(msg jetstream.Msg, _ uint64) error {
		if tokens := strings.Split(r.key(msg.Subject()), "."); len(tokens) > 1 {
			fn(Change{Model: tokens[1]})
		}
		return nil
	})
}
