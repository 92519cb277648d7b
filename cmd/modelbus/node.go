package main

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/control"
	"github.com/modelbus/modelbus/stream/learn"
	"github.com/modelbus/modelbus/stream/serve"
	"github.com/modelbus/modelbus/stream/service"
	"github.com/modelbus/modelbus/stream/wire"
)

// nodeOptions say what a node does.
type nodeOptions struct {
	subjects wire.Subjects
	registry registry.Options
	models   []string // nil: all
	noTrain  bool
	parallel int // trainings at once; 0: as learn.Options says
	logger   zerolog.Logger
}

// A node is a serving and training process on a connection.
type node struct {
	done chan struct{} // closed when run ended
	err  error         // after done
}

// startNode makes the streams, starts serving and training, and returns once
// requests are answered. The node drains when ctx ends.
func startNode(ctx context.Context, js jetstream.JetStream, opts nodeOptions) (*node, error) {
	nc := js.Conn()
	reg, err := registry.Create(ctx, js, opts.registry)
	if err != nil {
		return nil, err
	}
	if err := learn.Setup(ctx, js, opts.subjects, opts.registry.Replicas); err != nil {
		return nil, err
	}
	trainer, err := opts.trainer(nc, reg)
	if err != nil {
		return nil, err
	}
	serving := serve.Options{Subjects: opts.subjects, Models: opts.models, Logger: opts.logger}
	if trainer != nil {
		serving.Endpoints = trainer.Endpoints
	}
	server := serve.New(nc, reg, serving)
	controller := control.New(nc, reg, trainer, control.Options{Subjects: opts.subjects, Logger: opts.logger})
	directory := service.New(nc, serviceVersion(), server, controller)

	n := &node{done: make(chan struct{})}
	ctx, stop := context.WithCancel(ctx)
	parts := []func(context.Context) error{server.Run, controller.Run, directory.Run}
	if trainer != nil {
		parts = append(parts, trainer.Run)
	}
	go n.run(ctx, stop, parts)
	if err := n.started(ctx, server.Ready(), controller.Ready(), directory.Ready()); err != nil {
		return nil, err
	}
	return n, nil
}

// started waits until all parts are ready. It returns an error if the node ended
// before, and that of ctx if it ended because ctx did: then no part has one.
func (n *node) started(ctx context.Context, parts ...<-chan struct{}) error {
	for _, ready := range parts {
		select {
		case <-ready:
		case <-n.done:
			return cmp.Or(n.err, ctx.Err())
		}
	}
	return nil
}

func (o nodeOptions) trainer(nc *nats.Conn, reg *registry.Registry) (*learn.Trainer, error) {
	if o.noTrain {
		return nil, nil //nolint:nilnil // no trainer is what was asked for
	}
	return learn.New(nc, reg, learn.Options{
		Subjects: o.subjects, Parallel: o.parallel, Software: software(), Logger: o.logger,
	})
}

// run runs the parts until ctx ends or one fails, which ends the others.
func (n *node) run(ctx context.Context, stop context.CancelFunc, parts []func(context.Context) error) {
	defer close(n.done)
	defer stop()
	errs := make([]error, len(parts))
	var wg sync.WaitGroup
	for i, part := range parts {
		wg.Go(func() {
			if errs[i] = part(ctx); errs[i] != nil {
				stop()
			}
		})
	}
	wg.Wait()
	n.err = errors.Join(errs...)
}

// wait waits until the node has drained.
func (n *node) wait() error {
	<-n.done
	return n.err
}
