package serve

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/stream/wire"
)

// liveRest is how long to wait before live records are followed again after a failure.
const liveRest = 5 * time.Second

// A LiveScore is how a model does on labelled examples as they come, as its statistics
// tell. The rest is in its live record.
type LiveScore struct {
	Metric   string           `json:"metric"`
	Value    *float64         `json:"value,omitempty"`
	Learner  *float64         `json:"learner,omitempty"`
	Majority *float64         `json:"majority,omitempty"`
	Mean     *float64         `json:"mean,omitempty"`
	NoChange *float64         `json:"no_change,omitempty"`
	Examples int64            `json:"examples"`
	Recent   *wire.LiveRecent `json:"recent,omitempty"`
}

// A scoreboard knows the live score of each model, from memory.
type scoreboard struct {
	mu     sync.Mutex // guards scores
	scores map[string]*LiveScore
}

// A recorder is where live records are put: a [registry.Registry].
type recorder interface {
	WatchLive(ctx context.Context, fn func(model string, record []byte)) error
}

// follow keeps the scores up to date until ctx is done.
func (b *scoreboard) follow(ctx context.Context, from recorder, log zerolog.Logger) {
	for ctx.Err() == nil {
		err := from.WatchLive(ctx, b.put)
		if err != nil && ctx.Err() == nil {
			log.Debug().Err(err).Msg("live scores are not followed")
		}
		select {
		case <-ctx.Done():
		case <-time.After(liveRest):
		}
	}
}

// put takes a model's live record, nil if it is gone.
func (b *scoreboard) put(model string, record []byte) {
	var s *LiveScore
	if _, live, err := wire.DecodeLive(record); err == nil && live != nil {
		s = &LiveScore{
			Metric: live.Metric, Value: live.Value, Learner: live.Learner, Majority: live.Majority, Mean: live.Mean, NoChange: live.NoChange,
			Examples: live.Examples, Recent: live.Recent,
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if s == nil {
		delete(b.scores, model)
		return
	}
	if b.scores == nil {
		b.scores = map[string]*LiveScore{}
	}
	b.scores[model] = s
}

// of returns the score of a model, nil if it has none.
func (b *scoreboard) of(model string) *LiveScore {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.scores[model]
}
