package learn

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/registry"
)

const (
	// labelCrowd is how many labels of a model may wait for what they are of until
	// their time is over. Where more are stored, and where labels take half the room that
	// there is for those of all models, they wait for shortLabelWait since they came.
	labelCrowd     = 8192
	shortLabelWait = 2 * time.Second
	crowdAge       = time.Second
)

// A crowd says whether too many labels of a model wait, as it was a moment ago.
type crowd struct {
	at    time.Time
	large bool
}

// patience returns how long a label of a model waits for what it is of.
func (j *joiner) patience(ctx context.Context, model string) time.Duration {
	j.mu.Lock()
	known := j.crowds[model]
	j.mu.Unlock()
	if time.Since(known.at) >= j.crowdAge {
		large, err := j.crowded(ctx, model)
		if err != nil { // as it was
			j.log.Debug().Err(err).Str("model", model).Msg("counting labels that wait")
			large = known.large
		}
		known = crowd{at: time.Now(), large: large}
		j.mu.Lock()
		j.crowds[model] = known
		j.mu.Unlock()
	}
	if known.large {
		return min(j.shortWait, j.wait)
	}
	return j.wait
}

// crowded reports whether so many labels wait that those of unknown ids are to go.
func (j *joiner) crowded(ctx context.Context, model string) (bool, error) {
	var info *jetstream.StreamInfo
	subject := j.opts.Subjects.Label(model)
	err := registry.Retry(ctx, func(ctx context.Context) error {
		s, err := j.stream(ctx, "LABEL")
		if err == nil {
			info, err = s.Info(ctx, jetstream.WithSubjectFilter(subject))
		}
		return err
	})
	if err != nil {
		return false, err
	}
	most := info.Config.MaxBytes
	return info.State.Subjects[subject] > j.crowd || most > 0 && info.State.Bytes > uint64(most)/2, nil //nolint:gosec // above 0
}
