package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/modelbus/modelbus/model/gate"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/wire"
)

type watchOptions struct {
	model string
	all   bool
	count int
}

func (a *app) watchCommand() *cobra.Command {
	var o watchOptions
	cmd := &cobra.Command{
		Use:   "watch [MODEL]",
		Short: "Follow announcements: versions, promotions, trainings, drift",
		Long: "Print each announcement as it comes, until interrupted or --count are printed; --timeout bounds how\n" +
			"long the servers may take to answer, not how long the next announcement may. A model that does not\n" +
			"exist ends with exit code 3; --all tells of one that was deleted, too.",
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.model = args[0]
				if err := registry.CheckModel(o.model); err != nil {
					return err
				}
			}
			return a.watch(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.all, "all", false, "begin with the announcements kept so far")
	cmd.Flags().IntVar(&o.count, "count", 0, "end after this many (default: when interrupted)")
	return cmd
}

// errWatched ends a watch that has seen enough.
var errWatched = errors.New("watched")

func (a *app) watch(ctx context.Context, o watchOptions) error {
	b, err := a.conn.connect()
	if err != nil {
		return err
	}
	defer b.nc.Close()
	reg, err := a.openWatched(ctx, b, o)
	if err != nil {
		return err
	}
	w := &watcher{app: a, left: o.count}
	sub, err := a.watchTrainings(b.nc, o.model)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sub.Unsubscribe()) }()
	from := uint64(0)
	if o.all {
		from = 1
	}
	err = reg.Events(ctx, o.model, from, func(_ uint64, e registry.Event) error { return w.event(e) })
	if errors.Is(err, errWatched) || ctx.Err() != nil {
		return nil
	}
	return err
}

// openWatched opens the registry, within the timeout, and checks that there is what is to
// be watched: the model or, with all, announcements of one that was deleted.
func (a *app) openWatched(ctx context.Context, b *bus, o watchOptions) (*registry.Registry, error) {
	ctx, cancel := context.WithTimeout(ctx, a.conn.timeout)
	defer cancel()
	reg, err := registry.Open(ctx, b.js, a.registryOptions(0))
	if err != nil || o.model == "" {
		return reg, err
	}
	_, err = reg.Model(ctx, o.model)
	if !errors.Is(err, registry.ErrNotFound) {
		return reg, err
	}
	_, deleted, failed := reg.LastEvent(ctx, o.model, registry.KindDeleted)
	switch {
	case failed != nil:
		return nil, failed
	case deleted && o.all:
		return reg, nil
	case deleted:
		return nil, fmt.Errorf("%w: it was deleted: --all prints what is kept of it", err)
	}
	return nil, reg.Instead(ctx, registry.Ref{Model: o.model}, err)
}

// watchTrainings notes the progress of trainings, which is not kept, on
// standard error.
func (a *app) watchTrainings(nc *nats.Conn, model string) (*nats.Subscription, error) {
	if model == "" {
		model = "*"
	}
	return nc.Subscribe(a.subjects().Event(model, "training", "*"), func(m *nats.Msg) {
		var e registry.Event
		var t wire.Training
		if json.Unmarshal(m.Data, &e) != nil || json.Unmarshal(e.Data, &t) != nil {
			return
		}
		if t.State == "epoch" {
			a.notef("%s %s training epoch %d/%d %s", e.Time.Local().Format(time.TimeOnly), e.Model, t.Epoch, t.Epochs, epochScores(t.Scores))
			return
		}
		a.notef("%s %s training %s%s", e.Time.Local().Format(time.TimeOnly), e.Model, t.State, amount(t))
	})
}

// A watcher prints announcements, left of them if it is not 0.
type watcher struct {
	app  *app
	left int
}

func (w *watcher) event(e registry.Event) error {
	var err error
	if w.app.json {
		var line []byte
		if line, err = json.Marshal(e); err == nil {
			err = w.app.printf("%s\n", line)
		}
	} else {
		err = w.app.printf("%s %s %s %s\n", e.Time.Local().Format(time.TimeOnly), e.Model, e.Kind, eventLine(e))
	}
	if err != nil {
		return err
	}
	if w.left--; w.left == 0 {
		return errWatched
	}
	return nil
}

// eventLine says in a few words what an announcement holds.
func eventLine(e registry.Event) string {
	var d struct {
		Version  uint64             `json:"version"`
		Size     uint64             `json:"size"`
		Metrics  map[string]float64 `json:"metrics"`
		Alias    string             `json:"alias"`
		From, To uint64
		Who, Why string
		Scores   map[string]float64 `json:"challenger_scores"`
		Error    *wire.Error        `json:"error"`
		Gate     *gate.Verdict      `json:"gate"`
		Verdict  *wire.Verdict      `json:"verdict"`
		Rollback bool               `json:"rollback"`
	}
	if line, ok := driftLine(e); ok {
		return line
	}
	if json.Unmarshal(e.Data, &d) != nil {
		return e.ID + " " + string(e.Data)
	}
	line := e.ID
	switch e.Kind {
	case registry.KindVersion:
		line += ": " + humanize.IBytes(d.Size) + scores(d.Metrics)
	case registry.KindPromoted, registry.KindRemoved:
		line = fmt.Sprintf("%s: version %d → %d", d.Alias, d.From, d.To)
		if d.Rollback {
			line += " (rollback)"
		}
		if d.Verdict != nil {
			d.Gate = d.Verdict.Gate
		}
	default:
		line += scores(d.Scores)
	}
	if d.Who != "" {
		line += "; by " + d.Who
	}
	if d.Why != "" {
		line += "; " + d.Why
	}
	if d.Gate != nil && d.Gate.Comparison != nil {
		line += " (" + comparisonLine(d.Gate.Comparison, "challenger", "champion") + ")"
	}
	if d.Error != nil {
		line += "; " + d.Error.Message
	}
	return line
}

func scores(m map[string]float64) string {
	if len(m) == 0 {
		return ""
	}
	return ", " + scoreLine(m)
}
