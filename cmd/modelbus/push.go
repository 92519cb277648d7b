package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/modelbus/modelbus/model/dataset"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/wire"
)

// progressInterval is how often progress is shown on a terminal; elsewhere a
// line every reportInterval.
const (
	progressInterval = 100 * time.Millisecond
	reportInterval   = 5 * time.Second
)

// rejectsShown bounds how many rejected rows are named.
const rejectsShown = 10

type pushOptions struct {
	model, file, id string
	batch           int
	read            dataset.Options
}

// pushResult is what a push came to.
type pushResult struct {
	Model    string  `json:"model"`
	Rows     int     `json:"rows"`               // stored
	Repeated int     `json:"repeated,omitempty"` // in the stream before: with --id
	Rejected int     `json:"rejected"`
	Seconds  float64 `json:"seconds"`
}

func (a *app) pushCommand() *cobra.Command {
	var o pushOptions
	cmd := &cobra.Command{
		Use:   "push MODEL FILE",
		Short: "Publish the rows of a file as training examples",
		Long: "Publish the rows of a CSV, TSV, JSON Lines or NPZ file (gzip too, - for standard input) as\n" +
			"training examples. Rows that do not fit the model's features are named and left out, and the exit\n" +
			"code is 4 then; columns that are no features are ignored, and named.",
		Args: args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.model, o.file = args[0], args[1]
			return a.push(cmd.Context(), o)
		},
	}
	cmd.Flags().IntVar(&o.batch, "batch", 0, "rows in a message (default 512)")
	cmd.Flags().StringVar(&o.id, "id", "", "name of this push: pushing the same again within the stream's window stores nothing twice")
	bindDataset(cmd, &o.read)
	return cmd
}

func (a *app) push(ctx context.Context, o pushOptions) (err error) {
	if err := registry.CheckModel(o.model); err != nil {
		return err
	}
	in, err := a.open(o.file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	return a.withClient(func(c *client.Client, _ *bus) error {
		schema, err := c.Schema(ctx, o.model)
		if err != nil {
			return err
		}
		o.read.Name = o.file
		r, err := dataset.NewReader(in, o.read)
		if err != nil {
			return err
		}
		rows, err := dataset.Bind(r, schema, "required")
		if err != nil {
			return err
		}
		ignored := ignoredColumns{app: a, model: o.model}
		ignored.tell(rows)
		p := &pusher{app: a, to: c.Examples(o.model, schema, client.PublisherOptions{BatchRows: o.batch, ID: o.id})}
		start := time.Now()
		err = p.all(ctx, rows)
		p.settle(ctx, err)
		ignored.tell(rows)
		return a.pushed(pushResult{
			Model: o.model, Rows: p.stored(), Repeated: p.to.Repeated(), Rejected: p.rejected, Seconds: time.Since(start).Seconds(),
		}, err)
	})
}

// pushed prints what a push came to.
func (a *app) pushed(r pushResult, err error) error {
	if err != nil {
		return fmt.Errorf("after %d rows were stored: %w", r.Rows, err)
	}
	if a.json {
		if err := a.printJSON(r); err != nil {
			return err
		}
	} else if err := a.printPushed(&r); err != nil {
		return err
	}
	switch there := r.Rows + r.Repeated; {
	case there == 0 && r.Rejected == 0:
		return fmt.Errorf("%w: the file has no rows", wire.ErrInvalid)
	case there == 0:
		return fmt.Errorf("no row was stored, %d rejected: %w", r.Rejected, wire.ErrInvalid)
	case r.Rejected > 0:
		return fmt.Errorf("%d of %d rows were rejected: %w", r.Rejected, there+r.Rejected, wire.ErrInvalid)
	}
	return nil
}

func (a *app) printPushed(r *pushResult) error {
	repeated := ""
	if r.Repeated > 0 {
		repeated = fmt.Sprintf("; %s rows were there already", humanize.Comma(int64(r.Repeated)))
	}
	return a.printf("%s rows stored in %s (%s rows/s), %d rejected%s\n", humanize.Comma(int64(r.Rows)),
		time.Duration(r.Seconds*float64(time.Second)).Round(time.Millisecond), humanize.Comma(int64(float64(r.Rows)/max(r.Seconds, 1e-9))), r.Rejected, repeated)
}

// A pusher publishes rows and counts those it cannot.
type pusher struct {
	app      *app
	to       *client.ExamplePublisher
	rejected int
}

// stored returns how many rows are new in the stream.
func (p *pusher) stored() int { return p.to.Published() - p.to.Repeated() }

// settleTime bounds the wait for what is on its way when a push is interrupted.
const settleTime = 2 * time.Second

// settle waits after an interruption until what was sent is acknowledged, so
// that the count printed is that of the rows stored.
func (p *pusher) settle(ctx context.Context, err error) {
	if ctx.Err() == nil || err == nil {
		return
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer stop()
	if err := p.to.Flush(ctx); err != nil {
		p.app.notef("more rows may be stored: %v", err)
	}
}

func (p *pusher) all(ctx context.Context, rows *dataset.Bound) error {
	bar := p.app.bar(-1, "pushing")
	defer func() { _ = bar.Finish() }() //nolint:errcheck // the bar is decoration
	begin := time.Now()
	next := begin.Add(reportInterval)
	for n := 0; ; n++ {
		err := p.one(ctx, rows)
		if errors.Is(err, io.EOF) {
			return p.to.Flush(ctx)
		}
		if err != nil {
			return err
		}
		if n%256 == 255 {
			bar.Describe(pushing(n+1, time.Since(begin)))
		}
		_ = bar.Add(1) //nolint:errcheck // the bar is decoration
		if !isTerminal(p.app.err) && n%1024 == 0 && time.Now().After(next) {
			next = time.Now().Add(reportInterval)
			p.app.notef("%s rows stored, %d rejected", humanize.Comma(int64(p.stored())), p.rejected)
		}
	}
}

// pushing says how many rows were read, and how fast.
func pushing(rows int, took time.Duration) string {
	return fmt.Sprintf("pushing: %s rows, %s rows/s", humanize.Comma(int64(rows)),
		humanize.Comma(int64(float64(rows)/max(took.Seconds(), 1e-9))))
}

// one publishes the next row; a bad one is counted.
func (p *pusher) one(ctx context.Context, rows *dataset.Bound) error {
	row, err := rows.Read()
	if err == nil {
		err = p.to.Add(ctx, row)
	}
	_, unreadable := errors.AsType[*dataset.RowError](err)
	if err == nil || !unreadable && !errors.Is(err, feature.ErrInvalid) {
		return err
	}
	if !unreadable {
		err = &dataset.RowError{Line: rows.Line(), Err: err}
	}
	if p.rejected++; p.rejected <= rejectsShown {
		p.app.notef("rejected: %v", atLine(rows.Line(), err))
	}
	if p.rejected == rejectsShown {
		p.app.notef("further rejected rows are only counted")
	}
	return nil
}
