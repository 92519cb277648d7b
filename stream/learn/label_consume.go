package learn

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/registry"
)

const (
	// labelConsumer is the durable consumer that all trainers share; that of a model has
	// its name behind.
	labelConsumer = "trainers"

	labelsAtOnce  = 16               // joined by one trainer
	labelsOfModel = 8                // of them, of one model
	labelsPulled  = 32               // in memory of one trainer, of one model
	labelAckWait  = 15 * time.Second // after which a label whose trainer died is given to another

	// labelsPending is how many labels may be with trainers, or wait for what was captured:
	// more than their stream has room for, so that those that wait never hold up others.
	labelsPending = 1 << 20

	// lookTries is how often a look for labels is tried before the next one that is due.
	lookTries = 5

	// labelIdle is for how long the consumer of a model stays that no trainer follows.
	labelIdle = 10 * time.Minute
)

// joinLabels joins labels with what was captured until ctx is done.
func (t *Trainer) joinLabels(ctx context.Context) {
	c := &clerk{joiner: newJoiner(t), running: map[string]context.CancelFunc{}}
	if err := c.adopt(ctx); err != nil && ctx.Err() == nil {
		t.opts.Logger.Warn().Err(err).Msg("removing the consumer of a release before")
	}
	err := t.reg.Watch(ctx, func(change registry.Change) { c.look(ctx, change.Model) })
	if err != nil && ctx.Err() == nil {
		t.opts.Logger.Error().Err(err).Msg("labels are not joined any more")
	}
	for name := range c.running {
		c.stop(name)
	}
	c.all.Wait()
}

// adopt removes the consumer of all labels that there was before each model had its own.
func (j *joiner) adopt(ctx context.Context) error {
	return registry.Retry(ctx, func(ctx context.Context) error {
		err := j.js.DeleteConsumer(ctx, j.opts.Subjects.Stream("LABEL"), labelConsumer)
		if errors.Is(err, jetstream.ErrConsumerNotFound) {
			return nil
		}
		return err
	})
}

// A clerk has the labels of each model joined apart, so that many of one do not hold up
// those of others. It belongs to the goroutine that watches the registry.
type clerk struct {
	*joiner

	running  map[string]context.CancelFunc // by model
	sweeping chan struct{}                 // closed when the last sweep is over; nil if there was none
	all      sync.WaitGroup
}

// look sees to the labels of a model, or of all if name is empty, which is so at least
// once a minute.
func (c *clerk) look(ctx context.Context, name string) {
	pause := firstLabelPause
	for range lookTries {
		err := c.see(ctx, name)
		if err == nil || ctx.Err() != nil {
			return
		}
		c.opts.Logger.Warn().Err(err).Str("model", name).Stringer("retry", pause).Msg("looking for labels to join")
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause *= 2
	}
}

func (c *clerk) see(ctx context.Context, name string) error {
	if name != "" {
		m, err := c.reg.Model(ctx, name)
		switch {
		case errors.Is(err, registry.ErrNotFound):
			c.stop(name)
			return nil
		case err != nil:
			return err
		}
		return c.settle(ctx, m, 0)
	}
	models, err := c.reg.Models(ctx)
	if err != nil && !errors.Is(err, registry.ErrCorrupt) {
		return err
	}
	now, err := c.count(ctx)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	var errs []error
	for _, m := range models {
		there[m.Name] = true
		errs = append(errs, c.settle(ctx, m, now.of(c.opts.Subjects.Label(m.Name))))
	}
	for name := range c.running {
		if !there[name] {
			c.stop(name)
		}
	}
	var astray []string
	for subject := range now.models {
		if !there[modelOf(subject)] {
			astray = append(astray, subject)
		}
	}
	c.sweep(ctx, astray)
	return errors.Join(errs...)
}

// settle starts to join the labels of m, if there may be any: it captures, or has, or
// so many labels are stored.
func (c *clerk) settle(ctx context.Context, m registry.Model, stored uint64) error {
	if c.running[m.Name] != nil {
		return nil
	}
	spec, err := model.ParseSpec(m.Spec)
	if (err != nil || spec.Capture == 0) && stored == 0 {
		msg, err := c.last(ctx, "CAPTURE", c.opts.Subjects.Capture(m.Name, "*"))
		if err != nil || msg == nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	c.running[m.Name] = cancel
	c.all.Go(func() { c.follow(ctx, m.Name) })
	return nil
}

func (c *clerk) stop(name string) {
	if cancel := c.running[name]; cancel != nil {
		cancel()
		delete(c.running, name)
	}
}

// sweep buries labels of models that are not there, one sweep at a time.
func (c *clerk) sweep(ctx context.Context, subjects []string) {
	if c.sweeping != nil {
		select {
		case <-c.sweeping:
		default:
			return
		}
	}
	if len(subjects) == 0 {
		return
	}
	over := make(chan struct{})
	c.sweeping = over
	c.all.Go(func() {
		defer close(over)
		for _, subject := range subjects {
			if err := c.clean(ctx, subject); err != nil && ctx.Err() == nil {
				c.log.Warn().Err(err).Str("subject", subject).Msg("burying labels of a model that is not there")
			}
		}
	})
}

// follow joins the labels of a model until ctx is done.
func (j *joiner) follow(ctx context.Context, name string) {
	pause := firstLabelPause
	for ctx.Err() == nil {
		began := time.Now()
		err := j.consume(ctx, name)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > lastLabelPause {
			pause = firstLabelPause
		}
		j.opts.Logger.Warn().Err(err).Str("model", name).Stringer("retry", pause).Msg("labels are not joined")
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, lastLabelPause)
	}
}

// consume joins the labels of a model until ctx is done or the consumer is lost.
func (j *joiner) consume(ctx context.Context, name string) error {
	var cons jetstream.Consumer
	err := registry.Retry(ctx, func(ctx context.Context) (err error) {
		cons, err = j.js.CreateOrUpdateConsumer(ctx, j.opts.Subjects.Stream("LABEL"), jetstream.ConsumerConfig{
			Durable:           labelConsumer + "-" + name,
			Description:       "joins labels with what was captured",
			FilterSubject:     j.opts.Subjects.Label(name),
			AckPolicy:         jetstream.AckExplicitPolicy,
			AckWait:           labelAckWait,
			MaxAckPending:     labelsPending,
			InactiveThreshold: labelIdle,
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("preparing to join labels of %s: %w", name, err)
	}
	it, err := cons.Messages(jetstream.PullMaxMessages(labelsPulled))
	if err != nil {
		return fmt.Errorf("reading labels of %s: %w", name, err)
	}
	defer it.Stop()
	var busy sync.WaitGroup
	defer busy.Wait()
	places := make(chan struct{}, labelsOfModel)
	for {
		msg, err := it.Next(jetstream.NextContext(ctx))
		if err != nil {
			j.handBack(it)
			return err
		}
		places <- struct{}{}
		j.places <- struct{}{}
		busy.Go(func() {
			j.take(ctx, msg)
			<-j.places
			<-places
		})
	}
}

// handBack gives labels that were fetched and not looked at to other trainers at once.
func (j *joiner) handBack(it jetstream.MessagesContext) {
	it.Drain()
	ctx, cancel := context.WithTimeout(context.Background(), firstLabelPause)
	defer cancel()
	for {
		msg, err := it.Next(jetstream.NextContext(ctx))
		if err != nil {
			return
		}
		j.later(msg, firstLabelPause)
	}
}
