package control

import (
	"context"
	"time"

	"github.com/rs/zerolog"
)

// collectEvery is how often artifacts that no version refers to are removed.
const collectEvery = time.Hour

// A collector removes what no version refers to and says what it removed.
type collector interface {
	Collect(ctx context.Context) (digests []string, bytes int64, err error)
}

// collect has garbage collected now and at every tick, until ctx is done. Servers
// that do it at once do not hurt each other.
func collect(ctx context.Context, from collector, tick <-chan time.Time, log zerolog.Logger) {
	for {
		digests, bytes, err := from.Collect(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			log.Warn().Err(err).Msg("collecting artifacts no version refers to")
		case len(digests) > 0 || bytes > 0:
			log.Info().Int("artifacts", len(digests)).Int64("bytes", bytes).Msg("removed artifacts no version refers to")
		}
		select {
		case <-tick:
		case <-ctx.Done():
			return
		}
	}
}
