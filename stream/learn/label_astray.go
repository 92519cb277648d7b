package learn

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/registry"
)

// modelOf returns the model that a label's subject names.
func modelOf(subject string) string { return subject[strings.LastIndexByte(subject, '.')+1:] }

// clean buries the labels of a model that is not there. Several trainers may do that at
// once: each label is buried once, and counted by who removes it.
func (j *joiner) clean(ctx context.Context, subject string) error {
	name := modelOf(subject)
	stream, err := j.stream(ctx, "LABEL")
	if err != nil {
		return err
	}
	for next := uint64(1); ; {
		_, why := j.reg.Model(ctx, name)
		if why == nil {
			return nil // by now it is
		}
		if !errors.Is(why, registry.ErrNotFound) && !errors.Is(why, registry.ErrInvalid) {
			return why
		}
		msg, err := stream.GetMsg(ctx, next, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading labels: %w", err)
		}
		why = fmt.Errorf("looking for the model of a label: %w", why)
		if err := j.bury(ctx, letter{msg.Subject, msg.Header, msg.Data, msg.Sequence, msg.Time}, why); err != nil {
			return err
		}
		switch err := stream.DeleteMsg(ctx, msg.Sequence); {
		case err == nil:
			j.counts(name).note(0, why, 0)
		case !errors.Is(err, jetstream.ErrMsgNotFound) && !errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful):
			return fmt.Errorf("removing a label: %w", err)
		}
		next = msg.Sequence + 1
	}
}
