package client

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

// Control sends a control request and decodes its answer into reply (nil: ignored).
// The typed calls below are made of it. model is empty for verbs without one.
func (c *Client) Control(ctx context.Context, verb, model string, request, reply any) error {
	if model != "" {
		if err := registry.CheckModel(model); err != nil {
			return err
		}
	}
	ctx, cancel := c.bound(ctx)
	defer cancel()
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("encoding a %s request: %w", verb, err)
	}
	msg, err := c.request(ctx, c.opts.Subjects.Control(verb, model), body)
	if err != nil {
		return err
	}
	if reply == nil {
		return nil
	}
	if err := json.Unmarshal(msg.Data, reply); err != nil {
		return fmt.Errorf("%w: reading the answer to %s: %w", wire.ErrInternal, verb, err)
	}
	return nil
}

// Create stores a new model from its spec (YAML or JSON).
func (c *Client) Create(ctx context.Context, req wire.CreateRequest) (*wire.ModelInfo, error) {
	var info wire.ModelInfo
	if err := c.Control(ctx, wire.VerbCreate, "", req, &info); err != nil {
		return nil, err
	}
	return &info, nil
}

// Models lists all models.
func (c *Client) Models(ctx context.Context) ([]wire.ModelInfo, error) {
	var list wire.ListReply
	if err := c.Control(ctx, wire.VerbList, "", struct{}{}, &list); err != nil {
		return nil, err
	}
	return list.Models, nil
}

// Model returns what is known of a model.
func (c *Client) Model(ctx context.Context, model string, history bool) (*wire.ModelInfo, error) {
	if err := registry.CheckModel(model); err != nil {
		return nil, err
	}
	var info wire.ModelInfo
	if err := c.Control(ctx, wire.VerbShow, model, wire.ShowRequest{History: history}, &info); err != nil {
		return nil, err
	}
	return &info, nil
}
