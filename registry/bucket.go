package registry

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	history     = 64 // kept values of a key: the most a KV bucket may have
	dedupWindow = 2 * time.Minute

	// apiLevel is the JetStream API level of nats-server 2.12, the first with
	// atomic batches.
	apiLevel = 2
)

// A plan is a stream that [Create] makes, and how it repairs one that is there.
type plan struct {
	want jetstream.StreamConfig

	// mend sets on c what the registry needs and leaves alone what is the
	// operator's: limits in bytes, placement, compression, description.
	mend func(c *jetstream.StreamConfig)
}

// plans returns the streams in the order they have to be made in.
func (l layout) plans(replicas int) []plan {
	plans := []plan{l.records(), l.artifacts(), l.events()}
	for i := range plans {
		plans[i].want.Replicas = max(replicas, 1)
	}
	return plans
}

// live is the stream of the KV bucket of live records, of which the last is kept. Nobody
// needs it to open a deployment: one that an older version made has none.
func (l layout) live(replicas int) plan {
	want := jetstream.StreamConfig{
		Name:              l.liveStream(),
		Description:       "modelbus: scores on examples as they come",
		Replicas:          replicas,
		Subjects:          []string{l.liveSubject(">")},
		MaxMsgsPerSubject: 1,
		MaxBytes:          -1,
		MaxMsgs:           -1,
		MaxMsgSize:        -1,
		MaxConsumers:      -1,
		Duplicates:        dedupWindow,
		Discard:           jetstream.DiscardNew,
		AllowRollup:       true,
		AllowDirect:       true,
		DenyDelete:        true,
	}
	return plan{want: want, mend: func(c *jetstream.StreamConfig) {
		c.Subjects = want.Subjects
		c.MaxMsgsPerSubject, c.MaxMsgs, c.MaxAge = want.MaxMsgsPerSubject, want.MaxMsgs, want.MaxAge
		c.Discard, c.DiscardNewPerSubject = want.Discard, false
		c.AllowRollup, c.AllowDirect, c.DenyDelete = true, true, true
	}}
}

// records is the stream of the KV bucket. It is what the stock client makes,
// with atomic batches and announcements added.
func (l layout) records() plan {
	want := jetstream.StreamConfig{
		Name:               l.kvStream(),
		Description:        "modelbus: models, versions, aliases",
		Subjects:           []string{l.subject(">")},
		MaxMsgsPerSubject:  history,
		MaxBytes:           -1,
		MaxMsgs:            -1,
		MaxMsgSize:         -1,
		MaxConsumers:       -1,
		Duplicates:         dedupWindow,
		Discard:            jetstream.DiscardNew,
		AllowRollup:        true,
		AllowDirect:        true,
		DenyDelete:         true,
		AllowAtomicPublish: true,
		RePublish:          &jetstream.RePublish{Source: l.subject("event.>"), Destination: l.event(">")},
	}
	return plan{want: want, mend: func(c *jetstream.StreamConfig) {
		c.Subjects = want.Subjects
		c.MaxMsgsPerSubject = want.MaxMsgsPerSubject
		c.MaxMsgs, c.MaxAge = want.MaxMsgs, want.MaxAge
		c.Discard, c.DiscardNewPerSubject = want.Discard, false
		c.AllowRollup, c.AllowDirect, c.DenyDelete = true, true, true
		c.AllowAtomicPublish = true
		c.RePublish = want.RePublish
	}}
}

// artifacts is the stream of the object bucket, as the stock client makes it.
func (l layout) artifacts() plan {
	want := jetstream.StreamConfig{
		Name:              l.objectStream(),
		Description:       "modelbus: artifacts by SHA-256",
		Subjects:          []string{l.chunks(">"), l.meta(">")},
		MaxMsgsPerSubject: -1,
		MaxBytes:          -1,
		MaxMsgs:           -1,
		MaxMsgSize:        -1,
		MaxConsumers:      -1,
		Duplicates:        dedupWindow,
		Discard:           jetstream.DiscardNew,
		AllowRollup:       true,
		AllowDirect:       true,
	}
	return plan{want: want, mend: func(c *jetstream.StreamConfig) {
		c.Subjects = want.Subjects
		c.MaxMsgsPerSubject, c.MaxMsgs, c.MaxAge = want.MaxMsgsPerSubject, want.MaxMsgs, want.MaxAge
		c.Discard, c.DiscardNewPerSubject = want.Discard, false
		c.AllowRollup, c.AllowDirect = true, true
	}}
}

// events is the stream of announcements. It has no subjects of its own: it
// sources the announcements of the bucket, so that there is one exactly if the
// batch that it came with was committed.
func (l layout) events() plan {
	transforms := []jetstream.SubjectTransformConfig{{Source: l.subject("event.>"), Destination: l.event(">")}}
	want := jetstream.StreamConfig{
		Name:              l.eventStream(),
		Description:       "modelbus: announcements, in order",
		Sources:           []*jetstream.StreamSource{{Name: l.kvStream(), SubjectTransforms: transforms}},
		MaxMsgsPerSubject: -1,
		MaxBytes:          -1,
		MaxMsgs:           -1,
		MaxMsgSize:        -1,
		MaxConsumers:      -1,
		AllowDirect:       true,
	}
	return plan{want: want, mend: func(c *jetstream.StreamConfig) {
		c.Subjects = nil
		c.AllowDirect = true
		if !slices.ContainsFunc(c.Sources, func(s *jetstream.StreamSource) bool {
			return s.Name == l.kvStream() && slices.Equal(s.SubjectTransforms, transforms)
		}) {
			c.Sources = want.Sources
		}
	}}
}

// ensure makes the stream of p or mends it. Others may be at the same.
func ensure(ctx context.Context, js jetstream.JetStream, p plan, replicas int) (jetstream.Stream, error) {
	pace := newPacer()
	for {
		try, stop := pace.try(ctx)
		s, err := settle(try, js, p, replicas)
		stop()
		if err == nil {
			return s, nil
		}
		if !transient(err) && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil, fmt.Errorf("making stream %s: %w", p.want.Name, unsupported(err))
		}
		if err := pace.pause(ctx, err); err != nil {
			return nil, fmt.Errorf("making stream %s: %w", p.want.Name, err)
		}
	}
}

func settle(ctx context.Context, js jetstream.JetStream, p plan, replicas int) (jetstream.Stream, error) {
	s, err := js.Stream(ctx, p.want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return js.CreateStream(ctx, p.want)
	}
	if err != nil {
		return nil, err
	}
	have := s.CachedInfo().Config
	if have.Retention != jetstream.LimitsPolicy || have.Mirror != nil {
		return nil, fmt.Errorf("%w: there is another stream of that name, with %s retention: remove it or choose another prefix",
			ErrConflict, have.Retention)
	}
	need := have
	p.mend(&need)
	if replicas > 0 {
		need.Replicas = replicas
	}
	if reflect.DeepEqual(have, need) {
		return s, nil
	}
	return js.UpdateStream(ctx, need)
}

// bind opens the stream of p, which must be there.
func bind(ctx context.Context, js jetstream.JetStream, p plan) (jetstream.Stream, error) {
	var s jetstream.Stream
	err := Retry(ctx, func(ctx context.Context) (err error) {
		s, err = js.Stream(ctx, p.want.Name)
		return err
	})
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fmt.Errorf("%w: stream %s is missing", ErrNotInitialized, p.want.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("opening stream %s: %w", p.want.Name, unsupported(err))
	}
	if p.want.AllowAtomicPublish && !s.CachedInfo().Config.AllowAtomicPublish {
		return nil, fmt.Errorf("%w: stream %s no longer allows atomic batches", ErrNotInitialized, p.want.Name)
	}
	return s, nil
}

// probe returns an error that wraps [ErrUnsupported] unless the server has
// JetStream with atomic batches.
func probe(ctx context.Context, js jetstream.JetStream) error {
	var account *jetstream.AccountInfo
	err := Retry(ctx, func(ctx context.Context) (err error) {
		account, err = js.AccountInfo(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("asking for JetStream: %w", unsupported(err))
	}
	if account.API.Level < apiLevel {
		return fmt.Errorf("%w: nats-server %s has no atomic batches (JetStream API level %d, want %d): use 2.12 or newer",
			ErrUnsupported, js.Conn().ConnectedServerVersion(), account.API.Level, apiLevel)
	}
	return nil
}

// unsupported says what to do about a server or an account without JetStream.
func unsupported(err error) error {
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled):
		return fmt.Errorf("%w: JetStream is off: start nats-server with -js or a jetstream block: %w", ErrUnsupported, err)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return fmt.Errorf("%w: JetStream is off for this account: enable it there: %w", ErrUnsupported, err)
	default:
		return err
	}
}
