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

	// spareCopies bounds the lists of requests that are kept to be used again, and
	// longCopies their length.
	spareCopies, longCopies = 16, 256
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
	nc       *nats.Conn
	subjects wire.Subjects
	log      zerolog.Logger
	queue    chan []copied
	spare    chan []copied // lists to be used again
	waiting  atomic.Int64
	bytes    atomic.Int64
	flight   *flight
	wg       sync.WaitGroup
	ctx      context.Context //nolint:containedctx // of the capturer's own goroutine
	stop     context.CancelFunc

	// Of that goroutine.
	frame *feature.Frame
	req   wire.Request
	msg   nats.Msg // the last one, whose memory is used again
	keep  time.Duration
}

// newCapturer returns a capturer that works until it is closed.
func newCapturer(nc *nats.Conn, subjects wire.Subjects, log zerolog.Logger) (*capturer, error) {
	c := &capturer{
		nc: nc, subjects: subjects,
		log:   log.Sample(&zerolog.BurstSampler{Burst: 1, Period: time.Second}),
		queue: make(chan []copied, captureRequests), spare: make(chan []copied, spareCopies),
		msg: nats.Msg{Header: nats.Header{jetstream.ExpectedLastSubjSeqHeader: {"0"}}},
	}
	var err error
	if c.flight, err = newFlight(nc, captureWindow, c.settle); err != nil {
		return nil, fmt.Errorf("preparing to capture requests: %w", err)
	}
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.wg.Go(c.run)
	return c, nil
}

// list returns an empty list to put.
func (c *capturer) list() []copied {
	select {
	case l := <-c.spare:
		return l
	default:
		return nil
	}
}

// put takes the requests of a list to be captured, as many as there is room for, and the
// list with them.
func (c *capturer) put(list []copied) {
	if len(list) == 0 {
		return
	}
	room := list[:0]
	for i := range list {
		size := int64(list[i].size())
		if waiting, bytes := c.waiting.Add(1), c.bytes.Add(size); waiting <= captureRequests && bytes <= captureBytes {
			room = append(room, list[i])
			continue
		}
		c.taken(size)
		c.lose(&list[i].lane.captured, errCaptureFull)
	}
	clear(list[len(room):])
	if len(room) > 0 {
		c.queue <- room // has a place for each request that may wait
	}
}

// taken says that a request of that size waits no more.
func (c *capturer) taken(size int64) {
	c.waiting.Add(-1)
	c.bytes.Add(-size)
}

var errCaptureFull = fmt.Errorf("more than %d requests or %d bytes wait to be captured", captureRequests, captureBytes)

// close stores what is there, as long as that does not take too long. No put may follow.
func (c *capturer) close() {
	close(c.queue)
	timer := time.AfterFunc(captureDrain, c.stop)
	defer timer.Stop()
	defer c.stop()
	c.wg.Wait()
	c.flight.close()
}

func (c *capturer) run() {
	tick := time.NewTicker(ackTimeout / 4)
	defer tick.Stop()
	for {
		select {
		case list, ok := <-c.queue:
			if !ok {
				c.flight.drain(c.ctx)
				return
			}
			c.storeAll(list)
		case now := <-tick.C:
			c.flight.expire(now)
		}
	}
}

func (c *capturer) storeAll(list []copied) {
	for i := range list {
		r := &list[i]
		c.taken(int64(r.size()))
		if err := c.store(r); err != nil {
			c.lose(&r.lane.captured, err)
		}
	}
	if cap(list) > longCopies {
		return
	}
	clear(list)
	select {
	case c.spare <- list[:0]:
	default:
	}
}

// store sends a request on its way to the stream. Of one id there is one: the first.
func (c *capturer) store(r *copied) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if r.version.schema == nil {
		return errors.New("its version does not tell its features")
	}
	if c.frame == nil || c.frame.Schema() != r.version.schema {
		c.frame = feature.NewFrame(r.version.schema, false)
	}
	c.frame.Reset()
	if err := wire.DecodeRequest(c.frame, &c.req, r.msg.Header, r.msg.Data, 0); err != nil {
		return err
	}
	c.msg.Subject = c.subjects.Capture(r.lane.name, r.id)
	err := wire.EncodeCapture(&c.msg, &wire.Capture{
		Model: r.lane.name, Version: r.version.number, Time: r.at, Predictions: r.outcomes, Shadow: r.shadow, Classes: r.version.told,
	}, c.frame)
	if err != nil {
		return err
	}
	if c.keep != r.keep {
		c.keep = r.keep
		c.msg.Header[jetstream.MsgTTLHeader] = []string{wholeSeconds(r.keep).String()}
	}
	if err := c.flight.send(c.ctx, &c.msg, &r.lane.captured); err != nil {
		return fmt.Errorf("storing it, which takes %d bytes: %w", len(c.msg.Data), err)
	}
	return nil
}

// wholeSeconds rounds d up to what NATS takes as the life of a message.
func wholeSeconds(d time.Duration) time.Duration {
	return max((d + time.Second - 1).Truncate(time.Second), time.Second)
}

// settle counts a request that was sent, by what its acknowledgement says.
func (c *capturer) settle(counts *captures, err error) {
	switch {
	case err == nil:
		counts.stored.Add(1)
	case registry.Refused(err): // there is one of that id, or on its way
		counts.repeated.Add(1)
	default:
		c.lose(counts, err)
	}
}

func (c *capturer) lose(counts *captures, err error) {
	dropped := counts.dropped.Add(1)
	c.log.Warn().Err(err).Uint64("dropped", dropped).Msg("answered request could not be captured")
}
