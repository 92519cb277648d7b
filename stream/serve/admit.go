package serve

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/stream/wire"
)

// admit queues a request or refuses it at once. It runs on the goroutine of a
// subscription, which all models share: it must not wait.
func (s *Server) admit(out *post, m *nats.Msg) {
	r := request{msg: m, at: time.Now()}
	name, target, ok := s.opts.Subjects.ParsePredict(m.Subject)
	if !ok {
		out.fail("", &r, wire.ErrorOf(fmt.Errorf("%w: subject %q: want %s", wire.ErrInvalid, m.Subject,
			s.opts.Subjects.Predict("<model>", "<version or alias>"))))
		return
	}
	r.target = target
	// A lane closed between look-up and put has been replaced or removed
	// before: the second look finds what came after it.
	var l *lane
	err := errQueueClosed
	for range 2 {
		if l = (*s.table.Load())[name]; l == nil {
			out.fail(name, &r, wire.ErrorOf(s.unknown(name)))
			return
		}
		if err = l.queue.put(r); !errors.Is(err, errQueueClosed) {
			break
		}
	}
	if err != nil {
		l.fail(&r, l.refusal(err))
	}
}

// unknown returns the error for a model that is not served.
func (s *Server) unknown(name string) error {
	table := *s.table.Load()
	if other := near(name, table); other != "" {
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
