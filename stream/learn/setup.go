package learn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// What the streams keep that anybody can fill without a model or an
// acknowledgement: results and failed requests are for whoever follows them, not
// an archive.
const (
	resultAge = 24 * time.Hour
	deadAge   = 30 * 24 * time.Hour
	count     = 100_000 // messages of each model

	// The bytes of results of all models, of which the oldest go. A server sets
	// them aside, so that a small one may refuse as many.
	resultBytes = 1 << 30

	// leastBytes is what a stream that is bounded in bytes gets at least.
	leastBytes = 1 << 20
)

// Setup makes the streams that trainings and predictions need where they are
// missing, and leaves those there as they are, with whatever limits their operator
// gave them, but for which messages they discard when they are full. replicas 0 means 1.
//
//   - <PREFIX>_TRAIN keeps examples until they are deleted; an example published
//     again with its Nats-Msg-Id within 2 minutes counts once.
//   - <PREFIX>_DEAD keeps bad examples, each once, and predictions nobody waited
//     for that failed, for 30 days, at most 100,000 messages of a model. A bad
//     example that is still in _TRAIN comes back with the next training.
//   - <PREFIX>_RESULT keeps predictions for a day, at most 100,000 messages of a
//     model and 1 GiB in all, or less if JetStream or the account has not as much left.
//   - <PREFIX>_CAPTURE keeps answered requests of models whose specs say so, each for
//     the time given there, at most 1,000,000 of all models and 1 GiB, or less; the oldest go first.
//   - <PREFIX>_JOIN keeps which of them have labels, at most 256 MiB, or less; where it is
//     full, the oldest go, and what they are of goes from _CAPTURE first.
//   - <PREFIX>_LABEL keeps labels until they are joined with what was captured, at most
//     32 MiB, or less, and 131,072 of a model: more are refused.
//   - The bucket <PREFIX>_LEASE says who trains a model by itself now, for 6 seconds
//     at a time.
//
// A stream of that name that does not take our subjects is an error.
func Setup(ctx context.Context, js jetstream.JetStream, subjects wire.Subjects, replicas int) error {
	for _, cfg := range streams(subjects, max(replicas, 1)) {
		if err := ensure(ctx, js, cfg); err != nil {
			return err
		}
	}
	bucket := subjects.Stream("LEASE")
	err := registry.Retry(ctx, func(ctx context.Context) error {
		_, err := js.KeyValue(ctx, bucket)
		if errors.Is(err, jetstream.ErrBucketNotFound) {
			_, err = js.CreateKeyValue(ctx, leaseConfig(bucket, max(replicas, 1)))
		}
		if errors.Is(err, jetstream.ErrBucketExists) {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("setting up bucket %s: %w", bucket, err)
	}
	return nil
}

func streams(subjects wire.Subjects, replicas int) []jetstream.StreamConfig {
	common := jetstream.StreamConfig{
		Retention:   jetstream.LimitsPolicy,
		Storage:     jetstream.FileStorage,
		Compression: jetstream.S2Compression,
		Replicas:    replicas,
		AllowDirect: true,
	}
	train, dead, result := common, common, common

	train.Name = subjects.Stream("TRAIN")
	train.Description = "training examples"
	train.Subjects = []string{subjects.Train("*")}
	train.Duplicates = 2 * time.Minute

	dead.Name = subjects.Stream("DEAD")
	dead.Description = "examples and requests that could not be used, with the reason"
	dead.Subjects = []string{subjects.Dead("*")}
	dead.Duplicates = 10 * time.Minute
	dead.MaxAge = deadAge
	dead.MaxMsgsPerSubject = count

	result.Name = subjects.Stream("RESULT")
	result.Description = "predictions nobody waited for"
	result.Subjects = []string{subjects.Result("*")}
	result.Duplicates = 2 * time.Minute
	result.MaxAge = resultAge
	result.MaxMsgsPerSubject = count
	result.MaxBytes = resultBytes

	return append([]jetstream.StreamConfig{train, dead, result}, labelStreams(subjects, common)...)
}

// The server's codes for more bytes than it, or the account, has left.
const (
	storageExceeded jetstream.ErrorCode = 10047
	accountExceeded jetstream.ErrorCode = 10002
)

// create makes a stream. If it is to be of more bytes than there are, it gets fewer.
func create(ctx context.Context, js jetstream.JetStream, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	for {
		s, err := js.CreateStream(ctx, cfg)
		e, ok := errors.AsType[*jetstream.APIError](err)
		if !ok || cfg.MaxBytes < 2*leastBytes || e.ErrorCode != storageExceeded && e.ErrorCode != accountExceeded {
			return s, err
		}
		cfg.MaxBytes /= 2
	}
}

// ensure makes one stream if it is missing. Several processes may do so at once.
func ensure(ctx context.Context, js jetstream.JetStream, cfg jetstream.StreamConfig) error {
	var s jetstream.Stream
	err := registry.Retry(ctx, func(ctx context.Context) (err error) {
		if s, err = js.Stream(ctx, cfg.Name); !errors.Is(err, jetstream.ErrStreamNotFound) {
			return err
		}
		if s, err = create(ctx, js, cfg); errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			s, err = js.Stream(ctx, cfg.Name)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("setting up stream %s: %w", cfg.Name, err)
	}
	got := s.CachedInfo().Config
	if !slices.Contains(got.Subjects, cfg.Subjects[0]) {
		return fmt.Errorf("setting up stream %s: it is there with subjects %q, want %q among them",
			cfg.Name, got.Subjects, cfg.Subjects[0])
	}
	if got.Discard == cfg.Discard {
		return nil
	}
	got.Discard = cfg.Discard
	err = registry.Retry(ctx, func(ctx context.Context) error {
		_, err := js.UpdateStream(ctx, got)
		return err
	})
	if err != nil {
		return fmt.Errorf("setting up stream %s, to discard %s: %w", cfg.Name, cfg.Discard, err)
	}
	return nil
}
