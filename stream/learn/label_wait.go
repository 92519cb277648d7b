package learn

import (
	"context"
	"math/rand/v2"
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

	// labelBurials is how many labels that cannot be used one trainer stores elsewhere at
	// once. It takes far longer than to join others, which are not to wait for it.
	labelBurials = 4

	// burialRate is how many labels a second come again that found no place to be buried.
	burialRate   = 1000
	lastDeferral = 2 * time.Minute
)

// A crowd is how many labels are stored, as it was a moment ago.
type crowd struct {
	at      time.Time
	models  map[string]uint64 // labels by subject
	labels  uint64            // of all models
	crammed bool              // they take half the room
}

// crowd looks how many labels are stored, unless it has a moment ago.
func (j *joiner) crowd(ctx context.Context) *crowd {
	j.mu.Lock()
	known := j.crowded
	if time.Since(known.at) < j.crowdAge {
		j.mu.Unlock()
		return known
	}
	now := *known
	now.at = time.Now() // others need not look, too
	j.crowded = &now
	j.mu.Unlock()
	next, err := j.count(ctx)
	if err != nil { // it stays as it was
		j.log.Debug().Err(err).Msg("counting labels that wait")
		return known
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.crowded = next
	return next
}

// of returns how many labels are stored of a subject.
func (c *crowd) of(subject string) uint64 { return c.models[subject] }

// count counts the labels that are stored.
func (j *joiner) count(ctx context.Context) (*crowd, error) {
	var info *jetstream.StreamInfo
	err := registry.Retry(ctx, func(ctx context.Context) error {
		s, err := j.stream(ctx, "LABEL")
		if err == nil {
			info, err = s.Info(ctx, jetstream.WithSubjectFilter(j.opts.Subjects.Label("*")))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	most := info.Config.MaxBytes
	return &crowd{
		at: time.Now(), models: info.State.Subjects, labels: info.State.Msgs,
		crammed: most > 0 && info.State.Bytes > uint64(most)/2, //nolint:gosec // above 0
	}, nil
}

// patience returns how much longer a label of that age waits for what it is of, and for how
// long until it is tried again.
func (j *joiner) patience(ctx context.Context, model string, age time.Duration, deliveries uint64) (left, pause time.Duration) {
	now := j.crowd(ctx)
	left, pause = j.wait-age, pauseAfter(deliveries)
	if now.crammed || now.of(j.opts.Subjects.Label(model)) > j.most {
		left = min(left, j.shortWait-age)
		pause = left // not more often: there are many of them
	}
	return left, min(pause, max(left, firstLabelPause))
}

// pauseAfter returns how long a label waits after so many deliveries.
func pauseAfter(deliveries uint64) time.Duration {
	return min(firstLabelPause<<min(deliveries-1, 10), lastLabelPause)
}

// deferral returns how long a label waits that found no place to be buried, so that no
// more come again than can be looked at beside others.
func (j *joiner) deferral(ctx context.Context) time.Duration {
	spread := time.Duration(j.crowd(ctx).labels) * time.Second / burialRate //nolint:gosec // far fewer
	spread = min(max(spread, time.Second), lastDeferral)
	return firstLabelPause + time.Duration(rand.Float64()*float64(spread))
}
