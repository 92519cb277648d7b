package bench

import (
	"cmp"
	"maps"
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A Report is what was measured. Its JSON is stable: fields may be added.
type Report struct {
	Model   string `json:"model"`   // as asked for: iris, iris@3, iris@canary
	Version uint64 `json:"version"` // that answered the first request
	Form    string `json:"form"`    // json, oip or binary
	Rows    int    `json:"rows"`    // of a request

	Payloads     int     `json:"payloads"`      // different requests, sent in turn
	RequestBytes float64 `json:"request_bytes"` // on average, without headers
	AnswerBytes  int     `json:"answer_bytes"`  // of the first answer, without headers; the echo's answers have as many
	Connections  int     `json:"connections"`   // that the callers share
	Seed         uint64  `json:"seed"`

	Started time.Time `json:"started"`
	Machine Machine   `json:"machine"`
	NATS    NATS      `json:"nats"`

	Steps       []Step `json:"steps"`
	Interrupted bool   `json:"interrupted"` // it was ended early: the last step is not complete
}

// A Machine is where the callers ran.
type Machine struct {
	OS   string `json:"os"`
	Arch string `json:"arch"`
	CPUs int    `json:"cpus"` // that Go uses
	Go   string `json:"go"`
}

// NATS is the server that the callers were connected to.
type NATS struct {
	Version string  `json:"version"`
	RTT     float64 `json:"rtt_us"` // a ping, before the first step
}

// A Step is one load and what it came to.
type Step struct {
	Mode        string  `json:"mode"`                  // closed or open
	Concurrency int     `json:"concurrency,omitempty"` // closed: callers
	Rate        float64 `json:"rate,omitempty"`        // open: requests due a second
	Arrivals    string  `json:"arrivals,omitempty"`    // open: constant or poisson

	Stable  bool    `json:"stable"`  // the last three windows agree within ±10 %
	Windows int     `json:"windows"` // on the model
	Seconds float64 `json:"seconds"` // with warm-up

	Result Side  `json:"result"`         // of the model
	Echo   *Side `json:"echo,omitempty"` // of the echo; absent if it was left out

	// EchoRatio is the model's throughput over the echo's, of the medians over
	// windows. In an open loop that both can follow it is 1.
	EchoRatio float64 `json:"echo_ratio,omitempty"`

	// P50OverEcho is the model's median latency less the echo's, in
	// microseconds: of one caller, and of open loops.
	P50OverEcho *float64 `json:"p50_over_echo_us,omitempty"`

	Server *Server `json:"server,omitempty"` // absent if no server told
}

// A Side is what callers saw of the model or of the echo.
type Side struct {
	Requests   int64             `json:"requests"`                  // answered without error
	Throughput float64           `json:"requests_per_second"`       // median over windows
	Rows       float64           `json:"rows_per_second"`           // the same in rows
	Latency    Latency           `json:"latency_us"`                // of those requests
	Errors     map[string]uint64 `json:"errors"`                    // by code
	LastError  string            `json:"last_error,omitempty"`      // as an example
	Unsent     uint64            `json:"unsent,omitempty"`          // open: due, but too many others waited for an answer
	Lag        float64           `json:"send_lag_p99_us,omitempty"` // open: from due to sent; part of the latencies
}

// Latency is a distribution, in microseconds.
type Latency struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99.9"`
	Max  float64 `json:"max"`
}

// Server is how long requests were in the servers, on average, in microseconds.
type Server struct {
	Servers  int    `json:"servers"`  // that answered some
	Requests uint64 `json:"requests"` // those of other callers included

	Total   float64 `json:"total_us"`   // from receipt to answer
	Queue   float64 `json:"queue_us"`   // until a worker took them
	Compute float64 `json:"compute_us"` // while the model ran, for the whole batch
	Other   float64 `json:"other_us"`   // the rest: decoding, encoding, sending

	BatchRequests float64 `json:"batch_requests"` // computed together, on average
	BatchRows     float64 `json:"batch_rows"`
}

// micros turns nanoseconds into microseconds.
func micros(ns float64) float64 { return round(ns/1000, 3) }

// round keeps some digits behind the point.
func round(v float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(v*p) / p
}

// latency reads a histogram of nanoseconds.
func latency(h *hdrhistogram.Histogram) Latency {
	if h.TotalCount() == 0 {
		return Latency{}
	}
	at := func(q float64) float64 { return micros(float64(h.ValueAtQuantile(q))) }
	return Latency{Mean: micros(h.Mean()), P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: micros(float64(h.Max()))}
}

// side sums windows of requests of that many rows.
func side(windows []*window, rows int) *Side {
	if len(windows) == 0 {
		return nil
	}
	sum := newWindow()
	for _, w := range windows {
		sum.merge(w)
	}
	s := &Side{
		Requests: sum.answered(), Throughput: round(middle(windows, (*window).throughput), 2),
		Latency: latency(sum.took), Errors: maps.Clone(sum.errors), Unsent: sum.unsent,
	}
	s.Rows = round(s.Throughput*float64(rows), 2)
	if sum.last != nil {
		s.LastError = sum.last.Error()
	}
	if sum.lag != nil {
		s.Lag = micros(float64(sum.lag.ValueAtQuantile(99)))
	}
	return s
}

// compare fills what follows from both sides.
func (s *Step) compare() {
	if s.Echo == nil || s.Echo.Requests == 0 || s.Result.Requests == 0 {
		return
	}
	s.EchoRatio = round(s.Result.Throughput/cmp.Or(s.Echo.Throughput, 1), 4)
	if s.Concurrency <= 1 {
		over := round(s.Result.Latency.P50-s.Echo.Latency.P50, 3)
		s.P50OverEcho = &over
	}
}
