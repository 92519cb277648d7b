package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
)

// readers bounds how many records of a listing are read at once.
const readers = 16

// An entry is one stored message.
type entry struct {
	subject string
	seq     uint64
	header  nats.Header
	data    []byte
	at      time.Time
}

// gone reports whether e marks a key as deleted.
func (e entry) gone() bool {
	op := e.header.Get("KV-Operation")
	return op == "DEL" || op == "PURGE"
}

// A getRequest asks the leader of a stream for one message. It is the request
// of jetstream.Stream.GetMsg for streams without direct gets: a direct get may be
// answered by a replica that is behind, and no decision may rest on that.
type getRequest struct {
	Seq     uint64 `json:"seq,omitempty"`
	LastFor string `json:"last_by_subj,omitempty"`
	NextFor string `json:"next_by_subj,omitempty"`
}

type getResponse struct {
	Error   *jetstream.APIError `json:"error"`
	Message *struct {
		Subject string    `json:"subject"`
		Seq     uint64    `json:"seq"`
		Header  []byte    `json:"hdrs"`
		Data    []byte    `json:"data"`
		Time    time.Time `json:"time"`
	} `json:"message"`
}

// last returns the last message of a subject as the stream's leader has it, an
// entry with sequence 0 if there is none.
func (r *Registry) last(ctx context.Context, stream, subject string) (entry, error) {
	return r.get(ctx, stream, getRequest{LastFor: subject})
}

// next returns the first message of a subject at or after a sequence as the
// stream's leader has it, an entry with sequence 0 if there is none.
func (r *Registry) next(ctx context.Context, stream, subject string, from uint64) (entry, error) {
	return r.get(ctx, stream, getRequest{NextFor: subject, Seq: max(from, 1)})
}

func (r *Registry) get(ctx context.Context, stream string, req getRequest) (entry, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return entry{}, err
	}
	var e entry
	err = Retry(ctx, func(ctx context.Context) error {
		msg, err := r.nc.RequestWithContext(ctx, r.api+"STREAM.MSG.GET."+stream, body)
		if err != nil {
			return err
		}
		e, err = answered(msg.Data)
		return err
	})
	if err != nil {
		return entry{}, fmt.Errorf("reading %s%s from %s: %w", req.LastFor, req.NextFor, stream, err)
	}
	return e, nil
}

func answered(data []byte) (entry, error) {
	var resp getResponse
	if err := json.Unmarshal(data, &resp); err != nil {
		return entry{}, fmt.Errorf("%w: %w", jetstream.ErrInvalidJetStreamResponse, err)
	}
	switch {
	case resp.Error != nil && resp.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return entry{}, nil
	case resp.Error != nil:
		return entry{}, resp.Error
	case resp.Message == nil:
		return entry{}, jetstream.ErrInvalidJetStreamResponse
	}
	m := resp.Message
	e := entry{subject: m.Subject, seq: m.Seq, data: m.Data, at: m.Time}
	if len(m.Header) > 0 {
		var err error
		if e.header, err = nats.DecodeHeadersMsg(m.Header); err != nil {
			return entry{}, err
		}
	}
	return e, nil
}

// info asks the leader of a stream for its state, with the number of messages
// of each subject that matches filter unless that is empty.
func info(ctx context.Context, s jetstream.Stream, filter string) (*jetstream.StreamInfo, error) {
	var opts []jetstream.StreamInfoOpt
	if filter != "" {
		opts = append(opts, jetstream.WithSubjectFilter(filter))
	}
	var si *jetstream.StreamInfo
	err := Retry(ctx, func(ctx context.Context) (err error) {
		si, err = s.Info(ctx, opts...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("asking for the state of %s: %w", s.CachedInfo().Config.Name, err)
	}
	return si, nil
}

// keys returns the keys of the bucket that match a pattern, sorted, deleted
// ones too.
func (r *Registry) keys(ctx context.Context, pattern string) ([]string, error) {
	si, err := info(ctx, r.kv, r.subject(pattern))
	if err != nil {
		return nil, err
	}
	keys := slices.Sorted(maps.Keys(si.State.Subjects))
	for i := range keys {
		keys[i] = r.key(keys[i])
	}
	return keys, nil
}

// list returns the live entries of the keys that match a pattern, by key.
func (r *Registry) list(ctx context.Context, pattern string) ([]entry, error) {
	keys, err := r.keys(ctx, pattern)
	if err != nil {
		return nil, err
	}
	entries := make([]entry, len(keys))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, key := range keys {
		group.Go(func() (err error) {
			entries[i], err = r.read(ctx, key)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(entries, func(e entry) bool { return e.seq == 0 || e.gone() }), nil
}

// read returns the last entry of a key, deleted or not.
func (r *Registry) read(ctx context.Context, key string) (entry, error) {
	return r.last(ctx, r.kvStream(), r.subject(key))
}

// history returns the kept entries of a key, oldest first.
func (r *Registry) history(ctx context.Context, key string) ([]entry, error) {
	var entries []entry
	for from := uint64(1); ; {
		e, err := r.next(ctx, r.kvStream(), r.subject(key), from)
		if err != nil {
			return nil, err
		}
		if e.seq == 0 {
			return entries, nil
		}
		entries = append(entries, e)
		from = e.seq + 1
	}
}

// tail returns the last token of a subject or key.
func tail(subject string) string { return subject[strings.LastIndexByte(subject, '.')+1:] }
