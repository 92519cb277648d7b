package main

import (
	"encoding/json"
	"fmt"

	"github.com/dustin/go-humanize"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/serve"
	"github.com/modelbus/modelbus/stream/wire"
)

// traffic is what all servers of a model tell together of what goes past its
// champion's answers, since each has started.
type traffic struct {
	Servers int                  `json:"servers"`
	Canary  *serve.CanaryStatus  `json:"canary,omitempty"`
	Shadow  *serve.ShadowStatus  `json:"shadow,omitempty"` // latency: of the slowest server
	Capture *serve.CaptureStatus `json:"capture,omitempty"`
	Labels  *learn.Labels        `json:"labels,omitempty"`
}

// traffic returns what the servers of a model tell in their statistics, nil if that is
// nothing.
func (a *app) traffic(info *wire.ModelInfo, answers []json.RawMessage) *traffic {
	t := &traffic{}
	for _, answer := range answers {
		t.add(answer, a.subjects(), info.Model.Name)
	}
	spec, err := model.ParseSpec(info.Model.Spec)
	captures := err == nil && spec.Capture > 0
	labelled := t.Labels != nil && *t.Labels != learn.Labels{}
	if !captures && !labelled && info.Aliases[registry.Canary].Share == 0 && info.Aliases[registry.Shadow].To == 0 {
		return nil
	}
	return t
}

// add adds what one server tells, unless it is of a deployment with another prefix.
func (t *traffic) add(data []byte, subjects wire.Subjects, name string) {
	var s struct {
		Endpoints []struct {
			Subject string          `json:"subject"`
			Data    json.RawMessage `json:"data"`
		} `json:"endpoints"`
	}
	if json.Unmarshal(data, &s) != nil {
		return
	}
	for _, e := range s.Endpoints {
		switch e.Subject {
		case subjects.Predict(name, ""):
			var st serve.Status
			if json.Unmarshal(e.Data, &st) == nil {
				t.addStatus(&st)
			}
		case subjects.Label(name):
			var l learn.Labels
			if json.Unmarshal(e.Data, &l) == nil {
				t.addLabels(l)
			}
		}
	}
}

func (t *traffic) addStatus(st *serve.Status) {
	t.Servers++
	if c := st.Canary; c != nil {
		sum := t.Canary
		if sum == nil {
			sum = &serve.CanaryStatus{Version: c.Version, Split: c.Split}
		}
		sum.Requests += c.Requests
		sum.Fallback = sum.Fallback || c.Fallback
		t.Canary = sum
	}
	if c := st.Capture; c != nil {
		sum := t.Capture
		if sum == nil {
			sum = &serve.CaptureStatus{}
		}
		sum.Stored += c.Stored
		sum.Repeated += c.Repeated
		sum.Dropped += c.Dropped
		t.Capture = sum
	}
	if s := st.Shadow; s != nil {
		t.addShadow(s)
	}
}

func (t *traffic) addShadow(s *serve.ShadowStatus) {
	sum := t.Shadow
	if sum == nil {
		sum = &serve.ShadowStatus{Version: s.Version}
		t.Shadow = sum
	}
	if s.Version != sum.Version {
		return // one of them has not followed yet
	}
	mean := func(a, b *float64) *float64 {
		switch {
		case b == nil:
			return a
		case a == nil:
			return b
		}
		v := (*a*float64(sum.Rows) + *b*float64(s.Rows)) / float64(sum.Rows+s.Rows)
		return &v
	}
	sum.Agreement, sum.Difference = mean(sum.Agreement, s.Agreement), mean(sum.Difference, s.Difference)
	sum.Requests += s.Requests
	sum.Errors += s.Errors
	sum.Dropped += s.Dropped
	sum.Rows += s.Rows
	if s.LastError != "" {
		sum.LastError = s.LastError
	}
	if s.Latency.P99 >= sum.Latency.P99 {
		sum.Latency = s.Latency
	}
}

func (t *traffic) addLabels(l learn.Labels) {
	if t.Labels == nil {
		t.Labels = &learn.Labels{}
	}
	t.Labels.Joined += l.Joined
	t.Labels.Early += l.Early
	t.Labels.Repeated += l.Repeated
	t.Labels.Conflicting += l.Conflicting
	t.Labels.Unknown += l.Unknown
	t.Labels.Invalid += l.Invalid
}

// lines tells t as it is shown, with a name for each line.
func (t *traffic) lines() [][2]string {
	if t == nil {
		return nil
	}
	count := func(n uint64) string { return humanize.Comma(int64(n)) } //nolint:gosec // no server lives so long
	var all [][2]string
	if c := t.Canary; c != nil {
		text := fmt.Sprintf("version %d, for %s: %s requests", c.Version, shareOf(registry.Move{Split: c.Split}), count(c.Requests))
		if c.Fallback {
			text += "; it cannot be loaded everywhere: the champion answers"
		}
		all = append(all, [2]string{"Canary", text})
	}
	if s := t.Shadow; s != nil {
		text := fmt.Sprintf("version %d: %s requests, %s dropped, %s errors", s.Version, count(s.Requests), count(s.Dropped), count(s.Errors))
		switch {
		case s.Agreement != nil:
			text += fmt.Sprintf(", %s %% agree with the champion", number(100**s.Agreement))
		case s.Difference != nil:
			text += fmt.Sprintf(", %s from the champion on average", number(*s.Difference))
		}
		all = append(all, [2]string{"Shadow", text})
	}
	if c := t.Capture; c != nil {
		all = append(all, [2]string{"Captured", fmt.Sprintf("%s requests, %s dropped, %s of an id that was there", count(c.Stored), count(c.Dropped), count(c.Repeated))})
	}
	if l := t.Labels; l != nil && (t.Capture != nil || *l != learn.Labels{}) {
		all = append(all, [2]string{"Late labels", fmt.Sprintf("%s joined; %s repeated, %s conflicting, %s of unknown ids, %s invalid",
			count(l.Joined), count(l.Repeated), count(l.Conflicting), count(l.Unknown), count(l.Invalid))})
	}
	return all
}
