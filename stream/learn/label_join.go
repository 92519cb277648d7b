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
//
// A claim is never dropped while what it is of can be joined: where the stream of joins is
// full, the oldest go together with what was captured.
type joiner struct {
	*Trainer

	wait       time.Duration // for what a label is of
	shortWait  time.Duration // the same, where a crowd waits
	most       uint64        // labels of a model, that it is no crowd
	crowdAge   time.Duration // how long a look at the crowd holds
	tryTime    time.Duration // bounds one try
	searchTime time.Duration // of a try, to look through the training stream
	log        zerolog.Logger

	places   chan struct{} // one for each label that is joined at once
	burials  chan struct{} // one for each that is buried at once
	clearing sync.Mutex    // held while room is made in the stream of joins

	mu      sync.Mutex // guards all below
	schemas map[string]knownSchema
	streams map[string]jetstream.Stream
	after   map[string]uint64 // a sequence of the training stream, by model, that was given before now
	crowded *crowd
	cleared int // how often room was made
}

type knownSchema struct {
	schema  *feature.Schema
	earlier uint64 // versions up to it are of a model that had the name before
	at      time.Time
}

func newJoiner(t *Trainer) *joiner {
	return &joiner{
		Trainer: t, wait: cmp.Or(t.opts.LabelWait, defaultLabelWait),
		shortWait: shortLabelWait, most: labelCrowd, crowdAge: crowdAge, tryTime: labelTimeout, searchTime: labelSearch,
		log:     t.opts.Logger.Sample(&zerolog.BurstSampler{Burst: 10, Period: time.Second}),
		schemas: map[string]knownSchema{}, after: map[string]uint64{}, streams: map[string]jetstream.Stream{},
		crowded: &crowd{}, places: make(chan struct{}, labelsAtOnce), burials: make(chan struct{}, labelBurials),
	}
}

func (j *joiner) counts(model string) *labelCount { return j.labels.of(model) }

// label joins a label message and returns of how many rows it noted that they are joined,
// also beside an error. Rows that are wrong are an error, and the others are joined.
func (j *joiner) label(ctx context.Context, name string, body []byte) (int, error) {
	l, err := wire.DecodeLabel(body)
	if err != nil {
		return 0, err
	}
	known, err := j.known(ctx, name)
	if err != nil {
		return 0, err
	}
	joined := 0
	for range claimTries {
		c, err := j.captured(ctx, name, l.ID)
		if err != nil {
			return joined, err
		}
		if c.Version <= known.earlier {
			return joined, fmt.Errorf("id %s, of version %d of another model %s: %w", l.ID, c.Version, name, errUncaptured)
		}
		c.schema = known.schema
		if c.pending() { // of a trainer that died, or of another one's label of this moment
			noted, err := j.complete(ctx, c, true)
			if joined += noted; err != nil {
				return joined, err
			}
		}
		claimed, problem, err := c.claim(l)
		if err != nil || claimed == 0 {
			return joined, cmp.Or(err, problem)
		}
		if err := j.claim(ctx, c); errors.Is(err, errOther) {
			continue
		} else if err != nil {
			return joined, err
		}
		noted, err := j.complete(ctx, c, false)
		return joined + noted, cmp.Or(err, problem)
	}
	return joined, fmt.Errorf("%w: others label %s at the same time", wire.ErrUnavailable, l.ID)
}

// known returns what is to be known of a model as it is, or was a moment ago: not before a
// change of it that was noticed here.
func (j *joiner) known(ctx context.Context, name string) (knownSchema, error) {
	j.mu.Lock()
	known := j.schemas[name]
	j.mu.Unlock()
	if known.schema != nil && time.Since(known.at) < schemaAge && !j.changedSince(name, known.at) {
		return known, nil
	}
	known.at = time.Now()
	m, err := j.reg.Model(ctx, name)
	if err != nil {
		return known, fmt.Errorf("looking for the model of a label: %w", err)
	}
	spec, err := model.ParseSpec(m.Spec)
	if err != nil {
		return known, fmt.Errorf("reading the spec of %s: %w", name, err)
	}
	known.schema, known.earlier = &spec.Schema, m.Earlier
	j.mu.Lock()
	defer j.mu.Unlock()
	j.schemas[name] = known
	return known, nil
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

// claim writes new claims, which get a sequence before now: see store.
func (j *joiner) claim(ctx context.Context, c *captured) error {
	after, err := j.before(ctx, c.model)
	if err != nil {
		return err
	}
	for _, t := range c.Labels {
		if !t.Joined && t.After == 0 {
			t.After = after
		}
	}
	return j.store(ctx, c)
}

// store writes the labels of what was captured, unless they have changed meanwhile:
// then it returns errOther.
func (j *joiner) store(ctx context.Context, c *captured) error {
	body, err := json.Marshal(c.Join)
	if err != nil {
		return fmt.Errorf("%w: labelling %s: %w", wire.ErrInternal, c.id, err)
	}
	for range claimTries {
		cleared := j.clears()
		if err = j.put(ctx, c, body); !errors.Is(err, errNoRoom) {
			break
		}
		if err := j.clear(ctx, cleared); err != nil {
			return fmt.Errorf("labelling %s: %w", c.id, err)
		}
	}
	if registry.Refused(err) {
		return errOther
	}
	if err != nil {
		return fmt.Errorf("labelling %s: %w", c.id, err)
	}
	return nil
}

// put writes the labels as they are encoded. It returns errNoRoom if the stream is full.
func (j *joiner) put(ctx context.Context, c *captured, body []byte) error {
	return registry.Retry(ctx, func(ctx context.Context) error {
		msg := &nats.Msg{Subject: j.opts.Subjects.Join(c.model, c.id), Data: body}
		if c.ttl != "" {
			msg.Header = nats.Header{headerTTL: {c.ttl}}
		}
		ack, err := j.js.PublishMsg(ctx, msg, jetstream.WithExpectLastSequencePerSubject(c.seq), jetstream.WithRetryAttempts(0))
		if err == nil {
			c.seq = ack.Sequence
		}
		if isFull(err) {
			return errNoRoom
		}
		return err
	})
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

// stored notes a sequence that was given: the latest, as those of a stream that was made anew are
// smaller.
func (j *joiner) stored(name string, seq uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.after[name] = seq
}

// complete publishes the examples of claimed rows, notes that they are stored, and returns
// how many it noted. Those of claims that were found may be there already.
func (j *joiner) complete(ctx context.Context, c *captured, found bool) (int, error) {
	there := map[string]bool{}
	if found {
		searched, err := j.search(ctx, c, there)
		if err != nil {
			return 0, err
		}
		if !searched {
			noted, err := j.note(ctx, c, there)
			if err == nil && c.pending() {
				err = fmt.Errorf("labelling %s: %w: the search for its example goes on", c.id, wire.ErrUnavailable)
			}
			return noted, err
		}
	}
	var acks []jetstream.PubAckFuture
	for _, row := range slices.Sorted(maps.Keys(c.Labels)) {
		if c.Labels[row].Joined {
			continue
		}
		msg := c.example(j.opts.Subjects.Train(c.model), row)
		id := msg.Header.Get(jetstream.MsgIDHeader)
		if there[id] {
			continue
		}
		there[id] = true
		ack, err := j.js.PublishMsgAsync(msg)
		if err != nil {
			return 0, fmt.Errorf("publishing the example of %s: %w", c.id, err)
		}
		acks = append(acks, ack)
	}
	for _, ack := range acks {
		select {
		case done := <-ack.Ok():
			j.stored(c.model, done.Sequence)
		case err := <-ack.Err():
			return 0, fmt.Errorf("publishing the example of %s: %w", c.id, err)
		case <-ctx.Done():
			return 0, fmt.Errorf("publishing the example of %s: %w", c.id, context.Cause(ctx))
		}
	}
	return j.note(ctx, c, there)
}

// note notes which claimed rows have their examples stored, by message id, and how far was
// searched for the others. It returns how many were noted here: none if others were first.
func (j *joiner) note(ctx context.Context, c *captured, there map[string]bool) (int, error) {
	noted := 0
	for row, t := range c.Labels {
		if !t.Joined && there[c.messageID(row)] {
			t.Joined, t.After = true, 0
			noted++
		}
	}
	err := j.store(ctx, c)
	if errors.Is(err, errOther) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return noted, nil
}

// search looks for the examples of claimed rows in the training stream, and puts the
// message ids of those that are there into there. It reports whether it has looked at all
// of the stream: if its time was over before, the claims say from where it is to go on.
func (j *joiner) search(ctx context.Context, c *captured, there map[string]bool) (bool, error) {
	from := c.searched()
	stream, subject := j.opts.Subjects.Stream("TRAIN"), j.opts.Subjects.Train(c.model)
	last, err := sequenceOf(ctx, j.js, stream, place{Last: subject})
	if err != nil || last == from {
		return true, err
	}
	if last < from { // the claims are of a stream that was made anew since
		from = 0
		c.goOn(from)
	}
	begin := time.Now()
	f := follower{js: j.js, stream: stream, subject: subject, headersOnly: true}
	err = f.messages(ctx, from+1, last, func(seq uint64, msg jetstream.Msg) error {
		from = seq
		if h := msg.Headers(); h.Get(wire.HeaderID) == c.id {
			there[h.Get(jetstream.MsgIDHeader)] = true
		}
		if seq < last && time.Since(begin) > j.searchTime {
			return errSearching
		}
		return nil
	})
	if errors.Is(err, errSearching) {
		c.goOn(from)
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking for the example of %s: %w", c.id, err)
	}
	return true, nil
}

// errSearching ends a search before the end of the stream.
var errSearching = errors.New("the time to search is over")
