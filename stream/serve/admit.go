package serve

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// burst bounds how many requests are queued before their lanes are told.
const burst = 64

// loneBursts is after how many bursts of one request the next ones are taken to be alike;
// one in so many finds out whether they still are.
const loneBursts = 16

// An intake queues what one subscription receives. It runs on the goroutine of the
// subscription, which all models share: it must not wait. It looks at what else
// has arrived already, so that requests that came together are computed together.
type intake struct {
	server *Server
	post   *post
	turns  turns
	filled []*lane   // have requests and were not told
	held   int       // requests queued since
	behind int       // messages that are known to wait behind the one that is handled
	now    time.Time // when these were seen
	single int       // bursts of one request, one after the other
}

func (s *Server) newIntake(sh *shared) *intake {
	return &intake{server: s, post: sh.post, turns: sh.turns}
}

// take queues a request, and tells the lanes when it was the last that arrived.
func (in *intake) take(m *nats.Msg) {
	if in.behind > 0 {
		in.behind--
	} else {
		in.now = time.Now()
	}
	if l := in.admit(m); l != nil {
		in.held++
		if n := len(in.filled); n == 0 || in.filled[n-1] != l {
			in.filled = append(in.filled, l)
		}
	}
	if in.held == 0 {
		return
	}
	if in.held < burst && in.more(m.Sub) {
		return
	}
	if in.single++; in.held > 1 {
		in.single = 0
	}
	for _, l := range in.filled {
		l.rouse()
	}
	clear(in.filled)
	in.filled, in.held = in.filled[:0], 0
}

// more reports whether other requests have arrived behind the one that is handled. If
// there are none it lets other goroutines run first, such as the one that reads
// from the connection: what is on its way then comes in one batch, whose answers
// leave in one write. With all processors computing, that would take long; with a
// caller who waits for each answer, it would be for nothing.
func (in *intake) more(sub *nats.Subscription) bool {
	if in.arrived(sub) {
		return true
	}
	if in.turns.taken() || in.single >= loneBursts && in.single%loneBursts != 0 {
		return false
	}
	runtime.Gosched()
	return in.arrived(sub)
}

// arrived reports whether messages wait behind the one that is handled, which
// counts until its handler returns.
func (in *intake) arrived(sub *nats.Subscription) bool {
	if in.behind == 0 {
		if n, _, err := sub.Pending(); err == nil {
			in.behind = max(n-1, 0)
		}
	}
	return in.behind > 0
}

// admit queues a request, or refuses it at once, and returns the lane that has it.
func (in *intake) admit(m *nats.Msg) *lane {
	s := in.server
	r := newRequest(m, in.now)
	name, target, ok := s.opts.Subjects.ParsePredict(m.Subject)
	if !ok {
		in.post.fail("", &r, wire.ErrorOf(fmt.Errorf("%w: subject %q: want %s", wire.ErrInvalid, m.Subject,
			s.opts.Subjects.Predict("<model>", "<version or alias>"))))
		return nil
	}
	r.target = target
	// A lane closed between look-up and put has been replaced or removed
	// before: the second look finds what came after it.
	var l *lane
	err := errQueueClosed
	for range 2 {
		if l = (*s.table.Load())[name]; l == nil {
			in.post.fail(name, &r, wire.ErrorOf(s.unknown(name)))
			return nil
		}
		if err = l.queue.put(r); !errors.Is(err, errQueueClosed) {
			break
		}
	}
	if err != nil {
		l.fail(&r, l.refusal(err))
		return nil
	}
	return l
}

// unknown returns the error for a model that is not served.
func (s *Server) unknown(name string) error {
	table := *s.table.Load()
	if other := registry.Near(name, table); other != "" {
		return fmt.Errorf("%w: no model %q; did you mean %q?", wire.ErrNotFound, name, other)
	}
	if len(table) == 0 {
		return fmt.Errorf("%w: no model %q: there are no models yet", wire.ErrNotFound, name)
	}
	return fmt.Errorf("%w: no model %q; there is %s", wire.ErrNotFound, name, some(table))
}

// namesShown bounds how many models an answer lists.
const namesShown = 8

// some lists the first few names of a table in their order.
func some[V any](table map[string]V) string {
	names := slices.Sorted(maps.Keys(table))
	if more := len(names) - namesShown; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:namesShown], ", "), more)
	}
	return strings.Join(names, ", ")
}
