package control

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/modelbus/modelbus/stream/service"
	"github.com/modelbus/modelbus/stream/wire"
)

// stats counts the requests of one verb.
type stats struct {
	mu       sync.Mutex // guards what follows
	requests uint64
	errors   uint64
	last     string // error, "code:description"
	time     time.Duration
}

func (s *stats) count(took time.Duration, failure *wire.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	s.time += took
	if failure != nil {
		s.errors++
		s.last = fmt.Sprintf("%d:%s", failure.Status, failure.Message)
	}
}

// Changed returns nil: there is always the one service.
func (c *Controller) Changed() <-chan struct{} { return nil }

// Services describes the control service: it has the name of the prefix and an
// endpoint for each verb.
func (c *Controller) Services() []service.Service {
	s := service.Service{
		Name:        strings.ReplaceAll(strings.SplitN(c.prefix, ".control.", 2)[0], ".", "-"),
		Description: "models, versions, aliases and trainings",
		Metadata:    map[string]string{"kind": "control"},
		Started:     c.started,
	}
	for _, v := range c.verbs {
		subject := c.opts.Subjects.Control(v.name, "")
		if v.operand == mustModel {
			subject = c.opts.Subjects.Control(v.name, "*")
		}
		v.stats.mu.Lock()
		s.Endpoints = append(s.Endpoints, service.Endpoint{
			Name:      v.name,
			Subject:   subject,
			Queue:     queueGroup,
			Requests:  v.stats.requests,
			Errors:    v.stats.errors,
			LastError: v.stats.last,
			Time:      v.stats.time,
		})
		v.stats.mu.Unlock()
	}
	return []service.Service{s}
}
