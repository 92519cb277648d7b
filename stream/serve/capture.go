package serve

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

const (
	// What waits to be captured: what is more is dropped.
	captureRequests = 8192
	captureBytes    = 64 << 20

	// captureWindow is how many captured requests are on their way to the stream.
	captureWindow = 1024

	// captureDrain is how long the rest is waited for at the end.
	captureDrain = 10 * time.Second
)

// captures counts what became of a model's requests that were to be captured.
type captures struct{ stored, repeated, dropped atomic.Uint64 }

// CaptureStatus tells what became of the answered requests that were to be captured,
// since the start.
type CaptureStatus struct {
	Stored   uint64 `json:"stored"`
	Repeated uint64 `json:"repeated"` // not stored, as there is one of that id already
	Dropped  uint64 `json:"dropped"`  // not stored, as there was no time or room for them
}

func (l *lane) captureStatus() *CaptureStatus {
	if l.settings.capture == 0 {
		return nil
	}
	c := &l.captured
	return &CaptureStatus{Stored: c.stored.Load(), Repeated: c.repeated.Load(), Dropped: c.dropped.Load()}
}

// A capturer stores answered requests for labels that come late, as long as there is
// time and room: whoever puts never waits.
type capturer struct {
	js       jetstream.JetStream
	subjects wire.Subjects
	log      zerolog.Logger
	queue    chan copied
	bytes    atomic.Int64
	wg       sync.WaitGroup
	ctx      context.Context //nolint:containedctx // of the capturer's own goroutines
	stop     context.CancelFunc

	// Of the goroutine that encodes.
	frame *feature.Frame
	req   wire.Request
}

// A capturing is a captured request on its way to the stream.
type capturing struct {
	counts *captures
	ack    jetstream.PubAckFuture
}

// newCapturer returns a capturer that works until it is closed.
func newCapturer(nc *nats.Conn, subjects wire.Subjects, log zerolog.Logger) (*capturer, error) {
	js, err := jetstream.New(nc,
		jetstream.WithPublishAsyncMaxPending(2*captureWindow),
		jetstream.WithPublishAsyncTimeout(ackTimeout))
	if err != nil {
		return nil, fmt.Errorf("preparing to capture requests: %w", err)
	}
	c := &capturer{
		js: js, subjects: subjects, queue: make(chan copied, captureRequests),
		log: log.Sample(&zerolog.BurstSampler{Burst: 1, Period: time.Second}),
	}
	c.ctx, c.stop = context.WithCancel(context.Background())
	flight := make(chan capturing, captureWindow)
	c.wg.Go(func() {
		defer close(flight)
		for r := range c.queue {
			c.bytes.Add(-int64(r.size()))
			ack, err := c.store(&r)
			if err != nil {
				c.lose(&r.lane.captured, err)
				continue
			}
			flight <- capturing{counts: &r.lane.captured, ack: ack}
		}
	})
	c.wg.Go(func() {
		for s := range flight {
			c.settle(s)
		}
	})
	return c, nil
}

// put takes r to be captured, if there is room.
func (c *capturer) put(r copied) {
	size := int64(r.size())
	if c.bytes.Add(size) <= captureBytes {
		select {
		case c.queue <- r:
			return
		default:
		}
	}
	c.bytes.Add(-size)
	c.lose(&r.lane.captured, errCaptureFull)
}

var errCaptureFull = fmt.Errorf("more than %d requests or %d bytes wait to be captured", captureRequests, captureBytes)

// close stores what is there, as long as that does not take too long. No put may follow.
func (c *capturer) close() {
	close(c.queue)
	timer := time.AfterFunc(captureDrain, c.stop)
	defer timer.Stop()
	defer c.stop()
	c.wg.Wait()
	c.js.CleanupPublisher() // the connection goes on
}

// store sends a request on its way to the stream. Of one id there is one: the first.
func (c *capturer) store(r *copied) (jetstream.PubAckFuture, error) {
	if err := c.ctx.Err(); err != nil {
		return nil, err
	}
	if r.version.schema == nil {
		return nil, errors.New("its version does not tell its features")
	}
	if c.frame == nil || c.frame.Schema() != r.version.schema {
		c.frame = feature.NewFrame(r.version.schema, false)
	}
	c.frame.Reset()
	if err := wire.DecodeRequest(c.frame, &c.req, r.msg.Header, r.msg.Data, 0); err != nil {
		return nil, err
	}
	msg := &nats.Msg{Subject: c.subjects.Capture(r.lane.name, r.id)}
	err := wire.EncodeCapture(msg, &wire.Capture{
		Model: r.lane.name, Version: r.version.number, Time: r.at, Predictions: r.outcomes, Shadow: r.shadow, Classes: r.version.told,
	}, c.frame)
	if err != nil {
		return nil, err
	}
	if int64(len(msg.Data))+idRoom > c.js.Conn().MaxPayload() {
		return nil, fmt.Errorf("%w: captured it would have %d bytes", nats.ErrMaxPayload, len(msg.Data))
	}
	return c.js.PublishMsgAsync(msg, jetstream.WithExpectLastSequencePerSubject(0),
		jetstream.WithMsgTTL(wholeSeconds(r.keep)), jetstream.WithRetryAttempts(0))
}

// wholeSeconds rounds d up to what NATS takes as the life of a message.
func wholeSeconds(d time.Duration) time.Duration {
	return max((d + time.Second - 1).Truncate(time.Second), time.Second)
}

func (c *capturer) settle(s capturing) {
	var err error
	select {
	case <-s.ack.Ok():
		s.counts.stored.Add(1)
		return
	case err = <-s.ack.Err():
	case <-c.ctx.Done():
		err = c.ctx.Err()
	}
	if registry.Refused(err) { // there is one of that id, or on its way
		s.counts.repeated.Add(1)
		return
	}
	c.lose(s.counts, err)
}

func (c *capturer) lose(counts *captures, err error) {
	dropped := counts.dropped.Add(1)
	c.log.Warn().Err(err).Uint64("dropped", dropped).Msg("answered request could not be captured")
}
