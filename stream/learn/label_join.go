package learn

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

const (
	headerTTL = "Nats-TTL" // of the server: how long a message is kept

	// schemaAge is how long the schema of a model is used before it is looked up again.
	schemaAge = 5 * time.Second

	// claimTries bounds how often a label is tried at once while others label the
	// same request.
	claimTries = 16
)

// A joiner makes training examples of what was captured and its labels, each once. It
// claims a row for its label in the stream of joins, by compare-and-set; then publishes
// the example; then notes there that it has. A claim that is found without that note was
// left by a trainer that died, or is another's of this moment: whoever finds it looks
// whether the example is in the training stream, from a sequence in the claim on, and
// publishes it if not. Two that do so at the same moment publish under one message id.
type joiner struct {
	*Trainer

	wait time.Duration
	log  zerolog.Logger

	mu      sync.Mutex // guards all below
	schemas map[string]knownSchema
	streams map[string]jetstream.Stream
	after   map[string]uint64 // a sequence of the training stream, by model, that was given before now
}

type knownSchema struct {
	schema *feature.Schema
	at     time.Time
}

func newJoiner(t *Trainer) *joiner {
	return &joiner{
		Trainer: t, wait: cmp.Or(t.opts.LabelWait, defaultLabelWait),
		log:     t.opts.Logger.Sample(&zerolog.BurstSampler{Burst: 10, Period: time.Second}),
		schemas: map[string]knownSchema{}, after: map[string]uint64{}, streams: map[string]jetstream.Stream{},
	}
}

func (j *joiner) counts(model string) *labelCount { return j.labels.of(model) }

// label joins a label message and returns how many rows it was the label of. Rows that
// are wrong are an error, and the others are joined.
func (j *joiner) label(ctx context.Context, name string, body []byte) (int, error) {
	l, err := wire.DecodeLabel(body)
	if err != nil {
		return 0, err
	}
	schema, err := j.schema(ctx, name)
	if err != nil {
		return 0, err
	}
	joined := 0
	for range claimTries {
		c, err := j.captured(ctx, name, l.ID)
		if err != nil {
			return joined, err
		}
		c.schema = schema
		if c.pending() {
			if err := j.complete(ctx, c, true); err != nil {
				return joined, err
			}
		}
		claimed, problem, err := c.claim(l)
		if err != nil || claimed == 0 {
			return joined, cmp.Or(err, problem)
		}
		if err := j.store(ctx, c, claimed); errors.Is(err, errOther) {
			continue
		} else if err != nil {
			return joined, err
		}
		joined = claimed
		if err := j.complete(ctx, c, false); err != nil {
			return joined, err
		}
		return joined, problem
	}
	return joined, fmt.Errorf("%w: others label %s at the same time", wire.ErrUnavailable, l.ID)
}

// schema returns a model's schema as it is, or was a moment ago.
func (j *joiner) schema(ctx context.Context, name string) (*feature.Schema, error) {
	j.mu.Lock()
	known := j.schemas[name]
	j.mu.Unlock()
	if known.schema != nil && time.Since(known.at) < schemaAge {
		return known.schema, nil
	}
	m, err := j.reg.Model(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("looking for the model of a label: %w", err)
	}
	spec, err := model.ParseSpec(m.Spec)
	if err != nil {
		return nil, fmt.Errorf("reading the spec of %s: %w", name, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.schemas[name] = knownSchema{schema: &spec.Schema, at: time.Now()}
	return &spec.Schema, nil
}

// captured reads what was captured under an id, and its labels.
func (j *joiner) captured(ctx context.Context, name, id string) (*captured, error) {
	msg, err := j.last(ctx, "CAPTURE", j.opts.Subjects.Capture(name, id))
	if err != nil {
		return nil, fmt.Errorf("reading what was captured of %s: %w", id, err)
	}
	if msg == nil {
		return nil, fmt.Errorf("id %s: %w", id, errUncaptured)
	}
	c := &captured{model: name, id: id, ttl: msg.Header.Get(headerTTL)}
	if c.Capture, err = wire.DecodeCapture(msg.Data); err != nil {
		return nil, fmt.Errorf("id %s: %w: %w", id, wire.ErrInvalid, err) // it will not get better
	}
	c.Join = &wire.Join{}
	if msg, err = j.last(ctx, "JOIN", j.opts.Subjects.Join(name, id)); err != nil {
		return nil, fmt.Errorf("reading the labels of %s: %w", id, err)
	}
	if msg != nil {
		c.seq = msg.Sequence
		if c.Join, err = wire.DecodeJoin(msg.Data, c.Capture); err != nil {
			return nil, fmt.Errorf("id %s: %w: %w", id, wire.ErrInvalid, err)
		}
	}
	if c.Labels == nil || !c.Join.Time.Equal(c.Capture.Time) { // those of an earlier request of that id
		c.Join = &wire.Join{Time: c.Capture.Time, Labels: map[int]*wire.Truth{}}
	}
	return c, nil
}

// last returns the last message of a subject, nil if there is none. In a cluster it
// may be an older one: what is decided on it is written by compare-and-set.
func (j *joiner) last(ctx context.Context, stream, subject string) (*jetstream.RawStreamMsg, error) {
	var msg *jetstream.RawStreamMsg
	err := registry.Retry(ctx, func(ctx context.Context) error {
		s, err := j.stream(ctx, stream)
		if err == nil {
			msg, err = s.GetLastMsgForSubject(ctx, subject)
		}
		return err
	})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil //nolint:nilnil // none is no error
	}
	return msg, err
}

// stream returns one of the streams of a deployment.
func (j *joiner) stream(ctx context.Context, name string) (jetstream.Stream, error) {
	j.mu.Lock()
	s := j.streams[name]
	j.mu.Unlock()
	if s != nil {
		return s, nil
	}
	s, err := j.js.Stream(ctx, j.opts.Subjects.Stream(name))
	if err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.streams[name] = s
	return s, nil
}

// errOther says that the labels are not any more as they were read.
var errOther = errors.New("others were first")

// store writes the labels of what was captured, unless they have changed meanwhile:
// then it returns errOther. New claims, if there are, get a sequence before now.
func (j *joiner) store(ctx context.Context, c *captured, claims int) error {
	if claims > 0 {
		after, err := j.before(ctx, c.model)
		if err != nil {
			return err
		}
		for _, t := range c.Labels {
			if !t.Joined && t.After == 0 {
				t.After = after
			}
		}
	}
	body, err := json.Marshal(c.Join)
	if err != nil {
		return fmt.Errorf("%w: labelling %s: %w", wire.ErrInternal, c.id, err)
	}
	err = registry.Retry(ctx, func(ctx context.Context) error {
		msg := &nats.Msg{Subject: j.opts.Subjects.Join(c.model, c.id), Data: body}
		if c.ttl != "" {
			msg.Header = nats.Header{headerTTL: {c.ttl}}
		}
		ack, err := j.js.PublishMsg(ctx, msg, jetstream.WithExpectLastSequencePerSubject(c.seq), jetstream.WithRetryAttempts(0))
		if err == nil {
			c.seq = ack.Sequence
		}
		return err
	})
	if registry.Refused(err) {
		return errOther
	}
	if err != nil {
		return fmt.Errorf("labelling %s: %w", c.id, err)
	}
	return nil
}

// before returns a sequence of the training stream that was given before now, or 0.
func (j *joiner) before(ctx context.Context, name string) (uint64, error) {
	j.mu.Lock()
	seq, ok := j.after[name]
	j.mu.Unlock()
	if ok {
		return seq, nil
	}
	seq, err := sequenceOf(ctx, j.js, j.opts.Subjects.Stream("TRAIN"), place{Last: j.opts.Subjects.Train(name)})
	if err == nil {
		j.stored(name, seq)
	}
	return seq, err
}

func (j *joiner) stored(name string, seq uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.after[name] = max(j.after[name], seq)
}

// complete publishes the examples of claimed rows, and notes that they are. Those of
// claims that were found may be there already.
func (j *joiner) complete(ctx context.Context, c *captured, found bool) error {
	there := map[string]bool{}
	if found {
		var err error
		if there, err = j.there(ctx, c); err != nil {
			return err
		}
	}
	var acks []jetstream.PubAckFuture
	for _, row := range slices.Sorted(maps.Keys(c.Labels)) {
		t := c.Labels[row]
		if t.Joined {
			continue
		}
		t.Joined, t.After = true, 0
		if msg := c.example(j.opts.Subjects.Train(c.model), row); !there[msg.Header.Get(jetstream.MsgIDHeader)] {
			ack, err := j.js.PublishMsgAsync(msg)
			if err != nil {
				return fmt.Errorf("publishing the example of %s: %w", c.id, err)
			}
			acks = append(acks, ack)
		}
	}
	for _, ack := range acks {
		select {
		case done := <-ack.Ok():
			j.stored(c.model, done.Sequence)
		case err := <-ack.Err():
			return fmt.Errorf("publishing the example of %s: %w", c.id, err)
		case <-ctx.Done():
			return fmt.Errorf("publishing the example of %s: %w", c.id, context.Cause(ctx))
		}
	}
	if err := j.store(ctx, c, 0); err != nil && !errors.Is(err, errOther) { // others have noted it
		return err
	}
	return nil
}

// there returns the message ids of the claimed rows whose examples are stored.
func (j *joiner) there(ctx context.Context, c *captured) (map[string]bool, error) {
	var from uint64
	first := true
	for _, t := range c.Labels {
		if !t.Joined && (first || t.After < from) {
			from, first = t.After, false
		}
	}
	there := map[string]bool{}
	stream, subject := j.opts.Subjects.Stream("TRAIN"), j.opts.Subjects.Train(c.model)
	last, err := sequenceOf(ctx, j.js, stream, place{Last: subject})
	if err != nil || last <= from {
		return there, err
	}
	f := follower{js: j.js, stream: stream, subject: subject, headersOnly: true}
	err = f.messages(ctx, from+1, last, func(_ uint64, msg jetstream.Msg) error {
		if h := msg.Headers(); h.Get(wire.HeaderID) == c.id {
			there[h.Get(jetstream.MsgIDHeader)] = true
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for the example of %s: %w", c.id, err)
	}
	return there, nil
}
