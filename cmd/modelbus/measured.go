package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/modelbus/modelbus/stream/bench"
)

// loadOf names the load of a step.
func loadOf(s *bench.Step) string {
	switch {
	case s.Mode == "open" && s.Arrivals == "poisson":
		return number(s.Rate) + "/s poisson"
	case s.Mode == "open":
		return number(s.Rate) + "/s"
	case s.Concurrency == 1:
		return "1 caller"
	}
	return strconv.Itoa(s.Concurrency) + " callers"
}

// told sums a step up in a line.
func told(s *bench.Step) string {
	text := fmt.Sprintf("%s requests/s, p50 %s", perSecond(s.Result.Throughput), microseconds(s.Result.Latency.P50))
	if s.EchoRatio > 0 {
		text += fmt.Sprintf(", %.2f × echo", s.EchoRatio)
	}
	if !s.Stable {
		text += fmt.Sprintf(" (not stable in %d windows)", s.Windows)
	}
	if s.Result.Unsent > 0 {
		text += fmt.Sprintf(" (%d due requests were not sent: the model, or this machine, is too slow for the rate)", s.Result.Unsent)
	}
	if s.Result.LastError != "" {
		text += " (last error: " + s.Result.LastError + ")"
	}
	return text
}

func (a *app) printReport(r *bench.Report) error {
	if a.json {
		return a.printJSON(r)
	}
	connections := "1 connection"
	if r.Connections > 1 {
		connections = strconv.Itoa(r.Connections) + " connections"
	}
	rows := "1 row"
	if r.Rows > 1 {
		rows = humanize.Comma(int64(r.Rows)) + " rows"
	}
	t := a.newTable(
		fmt.Sprintf("%s version %d: %s, %s a request, %.0f bytes out, %d back, %s", r.Model, r.Version, r.Form, rows, r.RequestBytes, r.AnswerBytes, connections),
		"Load", "Requests/s", "p50", "p90", "p99", "p99.9", "Queue", "Compute", "Rest", "Echo/s", "× echo", "p50 − echo", "Errors")
	for i := range r.Steps {
		t.AppendRow(reportRow(&r.Steps[i]))
	}
	t.Render()
	return nil
}

func reportRow(s *bench.Step) []any {
	l := s.Result.Latency
	row := []any{
		loadOf(s), perSecond(s.Result.Throughput),
		microseconds(l.P50), microseconds(l.P90), microseconds(l.P99), microseconds(l.P999),
	}
	if v := s.Server; v != nil {
		row = append(row, microseconds(v.Queue), microseconds(v.Compute), microseconds(v.Other))
	} else {
		row = append(row, "–", "–", "–")
	}
	echo, ratio, over := "–", "–", "–"
	if s.Echo != nil {
		echo = perSecond(s.Echo.Throughput)
	}
	if s.EchoRatio > 0 {
		ratio = fmt.Sprintf("%.2f", s.EchoRatio)
	}
	if s.P50OverEcho != nil {
		over = microseconds(*s.P50OverEcho)
	}
	return append(row, echo, ratio, over, errorCounts(s.Result.Errors))
}

func errorCounts(errs map[string]uint64) string {
	if len(errs) == 0 {
		return "0"
	}
	var parts []string
	for code, n := range errs {
		parts = append(parts, fmt.Sprintf("%d %s", n, code))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// perSecond prints a throughput.
func perSecond(v float64) string {
	if v < 100 {
		return number(v)
	}
	return humanize.Comma(int64(v + 0.5))
}

// microseconds prints a time with about three digits.
func microseconds(us float64) string {
	d := time.Duration(us * float64(time.Microsecond))
	switch abs := max(d, -d); {
	case abs < 100*time.Microsecond:
		d = d.Round(100 * time.Nanosecond)
	case abs < 10*time.Millisecond:
		d = d.Round(time.Microsecond)
	case abs < 10*time.Second:
		d = d.Round(time.Millisecond)
	default:
		d = d.Round(100 * time.Millisecond)
	}
	return d.String()
}
