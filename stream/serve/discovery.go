package serve

import (
	"maps"
	"slices"
	"time"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/service"
	"github.com/modelbus/modelbus/stream/wire"
)

// EndpointPredict is the name of the endpoint of each model's service.
const EndpointPredict = "predict"

// A Status is what a model's endpoint tells of itself beside the counters of
// ADR-32: the data of its statistics.
type Status struct {
	Version    uint64             `json:"version"` // the champion; 0: none yet
	Aliases    map[string]uint64  `json:"aliases"`
	Loaded     []uint64           `json:"loaded"`            // versions in memory
	Problem    string             `json:"problem,omitempty"` // why an alias is not answered with what it names
	Live       *LiveScore         `json:"live,omitempty"`    // on labelled examples, if its spec has it retrained
	Queue      Depth              `json:"queue"`
	Overloaded uint64             `json:"overloaded"`        // requests refused with 429
	Late       uint64             `json:"deadline_exceeded"` // requests refused with 504
	Batches    Batches            `json:"batches"`
	Latency    Latency            `json:"latency_ms"`
	Times      Times              `json:"times_ns"`
	Drift      *wire.FeatureDrift `json:"drift,omitempty"` // how the live rows compare with those trained on; nil: not known
	Canary     *CanaryStatus      `json:"canary,omitempty"`
	Shadow     *ShadowStatus      `json:"shadow,omitempty"`
	Capture    *CaptureStatus     `json:"capture,omitempty"`
	Dropped    uint64             `json:"dropped"` // of all models: messages the client library dropped before they were seen
	Lost       uint64             `json:"lost"`    // of all models: results and dead requests that could not be stored
}

// Depth is how many requests wait and how many may.
type Depth struct {
	Waiting int `json:"waiting"`
	Limit   int `json:"limit"`
}

// Services describes the models served, for discovery, by name. It is safe for
// concurrent use.
func (s *Server) Services() []service.Service {
	now := time.Now()
	table := *s.table.Load()
	dropped, lost := s.losses()
	all := make([]service.Service, 0, len(table))
	for _, name := range slices.Sorted(maps.Keys(table)) {
		svc := table[name].service(now)
		e := &svc.Endpoints[0]
		if st, ok := e.Data.(Status); ok {
			st.Dropped, st.Lost, st.Live = dropped, lost, s.scores.of(name)
			e.Data = st
		}
		e.Subject = s.opts.Subjects.Predict(name, "")
		e.Queue = s.opts.Queue
		if s.opts.Endpoints != nil {
			svc.Endpoints = append(svc.Endpoints, s.opts.Endpoints(name)...)
		}
		all = append(all, svc)
	}
	return all
}

// Changed returns a channel that is closed when other models, or other lives of
// them, are served than at the call.
func (s *Server) Changed() <-chan struct{} { return s.changed.Changed() }

// losses returns the messages dropped before they were seen and those that
// could not be stored.
func (s *Server) losses() (dropped, lost uint64) {
	for _, sub := range *s.inbound.Load() {
		if n, err := sub.Dropped(); err == nil && n > 0 { // an ended subscription has no count
			dropped += uint64(n)
		}
	}
	if box := s.outbox.Load(); box != nil {
		lost = box.lost.Load()
	}
	return dropped, lost
}

// service describes the lane at now.
func (l *lane) service(now time.Time) service.Service {
	answers := l.live.Load()
	waiting, limit := l.queue.depth()
	status := Status{
		Aliases: make(map[string]uint64, len(answers.aliases)),
		Loaded:  slices.Sorted(maps.Keys(answers.numbers)),
		Problem: l.keeper.failing(),
		Queue:   Depth{Waiting: waiting, Limit: limit},
		Drift:   l.drifting(),
		Canary:  l.canaryStatus(),
		Shadow:  answers.shadow.status(now),
		Capture: l.captureStatus(),
	}
	for alias, v := range answers.aliases {
		status.Aliases[alias] = v.number
	}
	status.Version = status.Aliases[registry.Champion]
	set := &l.settings
	e := service.Endpoint{
		Name:     EndpointPredict,
		Metadata: map[string]string{"features": set.features, "label": set.label},
	}
	l.stats.fill(&e, &status, now)
	e.Data = status
	return service.Service{
		Name: l.name, Description: set.description, Started: l.started,
		Metadata:  map[string]string{"task": set.task},
		Endpoints: []service.Endpoint{e},
	}
}

// fill writes the counters to e and status.
func (s *stats) fill(e *service.Endpoint, status *Status, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.Requests, e.Errors, e.LastError, e.Time = s.requests, s.errors, s.last, s.time
	status.Overloaded, status.Late = s.overloaded, s.late
	status.Batches = s.batchesLocked()
	status.Latency = s.latencyLocked(now)
	status.Times = Times{Queue: s.queued.Nanoseconds(), Compute: s.computed.Nanoseconds()}
}
