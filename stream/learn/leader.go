package learn

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/registry"
)

// A place is a request for one message of a stream: the last one on a subject,
// or the first one at or after a sequence.
type place struct {
	Last string `json:"last_by_subj,omitempty"`
	Seq  uint64 `json:"seq,omitempty"`
	Next string `json:"next_by_subj,omitempty"`
}

// sequenceOf returns the sequence of the message at that place, 0 if there is
// none. Unlike a direct get, which any replica may answer, it asks the stream's
// leader, whoever becomes that: what was acknowledged before is not missed.
func sequenceOf(ctx context.Context, js jetstream.JetStream, stream string, at place) (uint64, error) {
	request, err := json.Marshal(at)
	if err != nil {
		return 0, fmt.Errorf("looking for %+v in stream %s: %w", at, stream, err)
	}
	var seq uint64
	err = registry.Retry(ctx, func(ctx context.Context) error {
		reply, err := js.Conn().RequestWithContext(ctx, registry.APIPrefix(js)+"STREAM.MSG.GET."+stream, request)
		if err != nil {
			return err
		}
		seq, err = sequence(reply.Data)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("looking for %+v in stream %s: %w", at, stream, err)
	}
	return seq, nil
}

// sequence returns the sequence in the answer to a request for a message, 0 if
// there is no such message.
func sequence(data []byte) (uint64, error) {
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Seq uint64 `json:"seq"`
		} `json:"message"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return 0, err
	}
	if answer.Error != nil && answer.Error.ErrorCode != jetstream.JSErrCodeMessageNotFound {
		return 0, answer.Error
	}
	return answer.Message.Seq, nil
}
