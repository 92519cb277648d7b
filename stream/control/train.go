package control

import (
	"context"
	"fmt"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

var errNoTrainer = fmt.Errorf("%w: this server does not train: start one that does", wire.ErrUnavailable)

func (c *Controller) train(ctx context.Context, in *call) (any, error) {
	var req wire.TrainRequest
	if err := in.decode(&req); err != nil {
		return nil, err
	}
	if c.trainer == nil {
		return nil, errNoTrainer
	}
	return c.trainer.Train(ctx, in.model, req)
}

func (c *Controller) cancel(ctx context.Context, in *call) (any, error) {
	if err := in.decode(&struct{}{}); err != nil {
		return nil, err
	}
	if c.trainer == nil {
		return nil, errNoTrainer
	}
	if _, err := c.reg.Model(ctx, in.model); err != nil {
		return nil, err
	}
	if !c.trainer.Cancel(in.model) {
		return nil, fmt.Errorf("%w: no training of %s is under way", wire.ErrNotFound, in.model)
	}
	return struct{}{}, nil
}

func (c *Controller) promote(ctx context.Context, in *call) (any, error) {
	var req wire.PromoteRequest
	if err := in.decode(&req); err != nil {
		return nil, err
	}
	if req.Version == 0 {
		return nil, fmt.Errorf("%w: no version: want a number from 1 on in the field \"version\"", wire.ErrInvalid)
	}
	alias := champion(req.Alias)
	switch {
	case req.Share == nil && req.By == nil:
		return c.reg.Promote(ctx, in.model, alias, req.Version, req.Who, req.Why)
	case alias != registry.Canary:
		return nil, fmt.Errorf("%w: alias %s has no share of the predictions: only %s has", wire.ErrInvalid, alias, registry.Canary)
	}
	split := registry.Resplit{Share: req.Share, By: req.By}
	return c.reg.ResplitCanary(ctx, in.model, req.Version, split, req.Who, req.Why)
}

func (c *Controller) rollback(ctx context.Context, in *call) (any, error) {
	var req wire.RollbackRequest
	if err := in.decode(&req); err != nil {
		return nil, err
	}
	return c.reg.Rollback(ctx, in.model, champion(req.Alias), req.Who, req.Why)
}

func (c *Controller) unalias(ctx context.Context, in *call) (any, error) {
	var req wire.RollbackRequest
	if err := in.decode(&req); err != nil {
		return nil, err
	}
	if req.Alias == "" {
		return nil, fmt.Errorf("%w: no alias: want one other than %s in the field \"alias\"",
			wire.ErrInvalid, registry.Champion)
	}
	if err := c.reg.RemoveAlias(ctx, in.model, req.Alias, req.Who, req.Why); err != nil {
		return nil, err
	}
	return struct{}{}, nil
}

// champion is the alias that is meant where none is named.
func champion(alias string) string {
	if alias == "" {
		return registry.Champion
	}
	return alias
}
