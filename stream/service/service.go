package service

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
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
	Name     string
	Subject  string
	Queue    string
	Metadata map[string]string

	Requests  uint64
	Errors    uint64
	LastError string        // "code:description"
	Time      time.Duration // from receipt to reply, summed
	Data      any           // own statistics, as JSON
}

// A Provider lists services; it is asked anew for every answer.
type Provider interface {
	Services() []Service
}

// A Directory answers discovery for its providers.
type Directory struct{}

// New returns a directory. version is the software's semantic version.
func New(nc *nats.Conn, version string, providers ...Provider) *Directory { panic("unbuilt") }

// Run answers until ctx is done.
func (d *Directory) Run(ctx context.Context) error { panic("unbuilt") }

// Ready is closed when Run answers.
func (d *Directory) Ready() <-chan struct{} { panic("unbuilt") }
