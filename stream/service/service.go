package service

import (
	"time"
)

// A Service is one discoverable service, a model or the control plane.
type Service struct {
	Name        string // [A-Za-z0-9_-]+
	Description string
	Metadata    map[string]string // never changes while the service lives (ADR-32)
	Started     time.Time
	Endpoints   []Endpoint
}

// An Endpoint is one endpoint with its counters so far.
type Endpoint struct {
	Name     string // [A-Za-z0-9_-]+, unique in the service
	Subject  string
	Queue    string
	Metadata map[string]string

	Requests  uint64
	Errors    uint64
	LastError string        // "code:description"
	Time      time.Duration // from receipt to reply, summed
	Data      any           // own statistics, as JSON
}

// A Provider lists services; it is asked anew for every answer. It must be safe
// for concurrent use and answer from memory: discovery waits for it.
type Provider interface {
	Services() []Service

	// Changed returns a channel that is closed when there are other services, or
	// other lives of them (name or start), than at the call; nil if there never are.
	Changed() <-chan struct{}
}
