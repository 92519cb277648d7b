package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/wire"
)

// headRoom is what an answer leaves of a message for its headers, in bytes.
const headRoom = 4 << 10

// maxMoves bounds how many moves an answer has, the newest, so that it fits into a message.
const maxMoves = 1000

func (c *Controller) show(ctx context.Context, in *call) (any, error) {
	var req wire.ShowRequest
	if err := in.decode(&req); err != nil {
		return nil, err
	}
	m, err := c.reg.Model(ctx, in.model)
	if err != nil {
		return nil, err
	}
	info, err := c.info(ctx, m)
	if err != nil || !req.History {
		return info, err
	}
	if info.History, err = c.reg.Moves(ctx, in.model); err != nil {
		return nil, err
	}
	info.History = info.History[max(len(info.History)-maxMoves, 0):]
	return info, nil
}

// info collects what is known of a model, without the history.
func (c *Controller) info(ctx context.Context, m registry.Model) (*wire.ModelInfo, error) {
	info, err := c.stored(ctx, m)
	if err != nil {
		return nil, err
	}
	counts, err := c.examples(ctx, m.Name)
	if err != nil {
		return nil, err
	}
	info.Examples = counts[c.opts.Subjects.Train(m.Name)]
	if info.Live, err = learn.ReadLive(ctx, c.reg, m); err != nil && !errors.Is(err, registry.ErrCorrupt) {
		return nil, err
	}
	return info, nil
}

// stored is info without the count of examples.
func (c *Controller) stored(ctx context.Context, m registry.Model) (*wire.ModelInfo, error) {
	versions, err := c.reg.Versions(ctx, m.Name)
	if err != nil {
		return nil, err
	}
	aliases, err := c.reg.Aliases(ctx, m.Name)
	if err != nil {
		return nil, err
	}
	info := &wire.ModelInfo{Model: m, Revision: m.Revision, Versions: versions, Aliases: aliases}
	if c.trainer != nil {
		info.Training = c.trainer.Running(m.Name)
	}
	return info, nil
}

// examples returns how many training messages are kept, by subject; model may be "*".
func (c *Controller) examples(ctx context.Context, model string) (map[string]uint64, error) {
	name := c.opts.Subjects.Stream("TRAIN")
	stream, err := c.reg.JetStream().Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return map[string]uint64{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("counting examples in stream %s: %w", name, err)
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(c.opts.Subjects.Train(model)))
	if err != nil {
		return nil, fmt.Errorf("counting examples in stream %s: %w", name, err)
	}
	return info.State.Subjects, nil
}

// list describes all models. The sources of the specs are left to show; so are,
// if the answer would not fit into a message, the specs and the versions that no
// alias names.
func (c *Controller) list(ctx context.Context, in *call) (any, error) {
	if err := in.decode(&struct{}{}); err != nil {
		return nil, err
	}
	models, err := c.reg.Models(ctx)
	if err != nil && !errors.Is(err, registry.ErrCorrupt) {
		return nil, err
	}
	counts, err := c.examples(ctx, "*")
	if err != nil {
		return nil, err
	}
	reply := wire.ListReply{Models: []wire.ModelInfo{}}
	for _, m := range models {
		m.Source = ""
		info, err := c.stored(ctx, m)
		if errors.Is(err, registry.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		info.Examples = counts[c.opts.Subjects.Train(m.Name)]
		reply.Models = append(reply.Models, *info)
	}
	data, err := json.Marshal(reply)
	if err != nil || int64(len(data)) <= c.nc.MaxPayload()-headRoom {
		return json.RawMessage(data), err
	}
	for i := range reply.Models {
		info := &reply.Models[i]
		info.Model.Spec = nil
		info.Versions = slices.DeleteFunc(info.Versions, func(v registry.Version) bool {
			for _, move := range info.Aliases {
				if move.To == v.Number {
					return false
				}
			}
			return true
		})
	}
	return reply, nil
}
