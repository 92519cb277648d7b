package service

import (
	"encoding/json"
	"fmt"
	"time"
)

// The kinds of responses, by verb.
const (
	typePing  = "io.nats.micro.v1.ping_response"
	typeInfo  = "io.nats.micro.v1.info_response"
	typeStats = "io.nats.micro.v1.stats_response"
)

// identity is what every response begins with.
type identity struct {
	Type     string            `json:"type"`
	Name     string            `json:"name"`
	ID       string            `json:"id"`
	Version  string            `json:"version"`
	Metadata map[string]string `json:"metadata"`
}

type infoResponse struct {
	identity

	Description string         `json:"description"`
	Endpoints   []endpointInfo `json:"endpoints"`
}

type endpointInfo struct {
	Name     string            `json:"name"`
	Subject  string            `json:"subject"`
	Queue    string            `json:"queue_group"`
	Metadata map[string]string `json:"metadata"`
}

type statsResponse struct {
	identity

	Started   time.Time       `json:"started"`
	Endpoints []endpointStats `json:"endpoints"`
}

type endpointStats struct {
	Name      string          `json:"name"`
	Subject   string          `json:"subject"`
	Queue     string          `json:"queue_group"`
	Requests  uint64          `json:"num_requests"`
	Errors    uint64          `json:"num_errors"`
	LastError string          `json:"last_error"`
	Time      int64           `json:"processing_time"`         // nanoseconds
	Average   int64           `json:"average_processing_time"` // nanoseconds
	Data      json.RawMessage `json:"data,omitempty"`
}

func (s *Service) identity(kind, id, version string) identity {
	return identity{Type: kind, Name: s.Name, ID: id, Version: version, Metadata: present(s.Metadata)}
}

func (s *Service) ping(id, version string) any {
	return s.identity(typePing, id, version)
}

func (s *Service) info(id, version string) any {
	r := infoResponse{
		identity:    s.identity(typeInfo, id, version),
		Description: s.Description,
		Endpoints:   make([]endpointInfo, 0, len(s.Endpoints)),
	}
	for _, e := range s.Endpoints {
		r.Endpoints = append(r.Endpoints, endpointInfo{
			Name: e.Name, Subject: e.Subject, Queue: e.Queue, Metadata: present(e.Metadata),
		})
	}
	return r
}

func (s *Service) stats(id, version string) any {
	r := statsResponse{
		identity:  s.identity(typeStats, id, version),
		Started:   s.Started.UTC(),
		Endpoints: make([]endpointStats, 0, len(s.Endpoints)),
	}
	for i := range s.Endpoints {
		r.Endpoints = append(r.Endpoints, s.Endpoints[i].stats())
	}
	return r
}

func (e *Endpoint) stats() endpointStats {
	st := endpointStats{
		Name: e.Name, Subject: e.Subject, Queue: e.Queue,
		Requests: e.Requests, Errors: e.Errors, LastError: e.LastError,
		Time: e.Time.Nanoseconds(),
	}
	if e.Requests > 0 {
		st.Average = st.Time / int64(e.Requests)
	}
	if e.Data != nil {
		st.Data = encode(e.Data)
	}
	return st
}

// encode returns v as JSON; statistics that cannot be encoded (a NaN, say) show
// as their error, so that the rest of the answer is still given.
func encode(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err == nil {
		return b
	}
	if b, err = json.Marshal(map[string]string{"error": fmt.Sprintf("encoding statistics: %v", err)}); err != nil {
		return json.RawMessage("null")
	}
	return b
}

// present returns m, or an empty map for nil: ADR-32 clients expect an object.
func present(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
