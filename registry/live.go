package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Live returns the live record of a model, which whoever follows its examples keeps
// in the bucket <PREFIX>_LIVE, and its revision; nil and the revision to put a first
// one after if there is none.
func (r *Registry) Live(ctx context.Context, model string) (data []byte, revision uint64, err error) {
	if err := CheckModel(model); err != nil {
		return nil, 0, err
	}
	e, err := r.last(ctx, r.liveStream(), r.liveSubject(model))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading the live record of %s: %w", model, err)
	}
	if e.gone() {
		return nil, e.seq, nil
	}
	return e.data, e.seq, nil
}

// PutLive replaces the live record of a model if its revision is still the one given,
// else it returns [ErrConflict]. It returns the new revision.
func (r *Registry) PutLive(ctx context.Context, model string, data []byte, revision uint64) (uint64, error) {
	if err := CheckModel(model); err != nil {
		return 0, err
	}
	if err := r.fits([]put{{key: "the live record of " + model, data: data}}); err != nil {
		return 0, err
	}
	msg := nats.NewMsg(r.liveSubject(model))
	msg.Data = data
	seq, err := r.publish(ctx, r.liveStream(), msg, revision)
	if errors.Is(err, errOther) {
		return 0, fmt.Errorf("%w: the live record of %s is not at revision %d any more", ErrConflict, model, revision)
	}
	return seq, err
}

// WatchLive calls fn with each live record there is and each that is put, nil for one
// that was removed, until ctx is done, when it returns nil. It survives reconnects. fn
// runs on WatchLive's goroutine; of records put while it runs it gets the last.
func (r *Registry) WatchLive(ctx context.Context, fn func(model string, data []byte)) error {
	stream, err := r.js.Stream(ctx, r.liveStream())
	if err != nil {
		return fmt.Errorf("following live records: %w", err)
	}
	f := follower{js: r.js, stream: stream, filters: []string{r.liveSubject("*")}, from: 1}
	return f.run(ctx, func(msg jetstream.Msg, _ uint64) error {
		data := msg.Data()
		if msg.Headers().Get("KV-Operation") != "" {
			data = nil
		}
		fn(tail(msg.Subject()), data)
		return nil
	})
}

// removeLive removes the live record of a model that is gone.
func (r *Registry) removeLive(ctx context.Context, model string) error {
	for {
		data, revision, err := r.Live(ctx, model)
		if err != nil || data == nil {
			return err
		}
		msg := nats.NewMsg(r.liveSubject(model))
		msg.Header.Set("KV-Operation", "DEL")
		if _, err = r.publish(ctx, r.liveStream(), msg, revision); !errors.Is(err, errOther) {
			return err
		}
	}
}
