package serve

import (
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// A canary is a version that answers a share of the requests without a target.
type canary struct {
	version *version
	split   registry.Split
}

// takes reports whether the canary answers a request to the model. All servers decide
// alike, by what all of them see.
func (c *canary) takes(model string, m *nats.Msg) bool {
	return c.split.Takes(model, c.caller(m))
}

// caller returns what tells the caller of a request apart: the header that the split
// names, else the request's id, else where the answer goes without its last token,
// which clients count up, else the request itself.
func (c *canary) caller(m *nats.Msg) string {
	if by := m.Header[c.split.By]; len(by) > 0 && by[0] != "" {
		return by[0]
	}
	if id := m.Header[wire.HeaderID]; len(id) > 0 && id[0] != "" {
		return id[0]
	}
	if m.Reply != "" {
		// An inbox of two tokens is of one request.
		if last := strings.LastIndexByte(m.Reply, '.'); last > strings.IndexByte(m.Reply, '.') {
			return m.Reply[:last]
		}
		return m.Reply
	}
	return string(m.Data)
}

// CanaryStatus tells what share of the requests without a version the canary answers.
type CanaryStatus struct {
	registry.Split

	Version  uint64 `json:"version"`
	Requests uint64 `json:"requests"`           // that went to it by its share, since the start
	Fallback bool   `json:"fallback,omitempty"` // it is not loaded: the champion answers its share; "problem" says why
}

// setCanary has next's share of the requests go where the aliases say: nowhere else
// than to the champion if the canary is not the version they name.
func (l *live) setCanary(m registry.Move) {
	l.split, l.canary = m, nil
	if v := l.aliases[registry.Canary]; m.To != 0 && m.Share > 0 && v != nil && v.number == m.To {
		l.canary = &canary{version: v, split: m.Split}
	}
}

func (l *lane) canaryStatus() *CanaryStatus {
	answers := l.live.Load()
	if answers.split.Share == 0 {
		return nil
	}
	return &CanaryStatus{
		Split: answers.split.Split, Version: answers.split.To,
		Requests: l.routed.Load(), Fallback: answers.canary == nil,
	}
}
