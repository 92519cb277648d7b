package learn

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/registry"
)

// A place is a request for one message of a stream: the last one on a subject,
// the first one on a subject at or after a sequence, or the one of a sequence.
type place struct {
	Last string `json:"last_by_subj,omitempty"`
	Seq  uint64 `json:"seq,omitempty"`
	Next string `json:"next_by_subj,omitempty"`
}

// sequenceOf returns the sequence of the message at that place, 0 if there is
// none. Unlike a direct get, which any replica may answer, it asks the stream's
// leader, whoever becomes that: what was acknowledged before is not missed.
func sequenceOf(ctx context.Context, js jetstream.JetStream, stream string, at place) (uint64, error) {
	seq, _, err := messageOf(ctx, js, stream, at)
	return seq, err
}

// messageOf is [sequenceOf] that also says when the message was stored.
func messageOf(ctx context.Context, js jetstream.JetStream, stream string, at place) (seq uint64, stored time.Time, err error) {
	request, err := json.Marshal(at)
	if err != nil {
		return 0, stored, fmt.Errorf("looking for %+v in stream %s: %w", at, stream, err)
	}
	err = registry.Retry(ctx, func(ctx context.Context) error {
		reply, err := js.Conn().RequestWithContext(ctx, registry.APIPrefix(js)+"STREAM.MSG.GET."+stream, request)
		if err != nil {
			return err
		}
		seq, stored, err = messageIn(reply.Data)
		return err
	})
	if err != nil {
		return 0, stored, fmt.Errorf("looking for %+v in stream %s: %w", at, stream, err)
	}
	return seq, stored, nil
}

// messageIn returns what the answer to a request for a message says of it: its sequence is
// 0 if there is no such message.
func messageIn(data []byte) (seq uint64, stored time.Time, err error) {
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Seq  uint64    `json:"seq"`
			Time time.Time `json:"time"`
		} `json:"message"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return 0, stored, err
	}
	if answer.Error != nil && answer.Error.ErrorCode != jetstream.JSErrCodeMessageNotFound {
		return 0, stored, answer.Error
	}
	return answer.Message.Seq, answer.Message.Time, nil
}
