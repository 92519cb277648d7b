package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/dataset"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/bench"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/wire"
)

type benchOptions struct {
	bench.Options

	ref         registry.Ref
	form        string
	file        string
	connections int
	read        dataset.Options
}

// maxConnections bounds the connections of a bench.
const maxConnections = 256

func (a *app) benchCommand() *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   "bench MODEL[@REF]",
		Short: "Measure a model under load, against a bare NATS echo of the same bytes",
		Example: "  modelbus bench iris\n" +
			"  modelbus bench iris@2 --concurrency 64 --form binary --rows 32\n" +
			"  modelbus bench iris --rate 5000 --poisson --json",
		Long: "Measure a model as its callers see it. A closed loop (--concurrency) has callers that ask again\n" +
			"as soon as they are answered; an open loop (--rate) sends requests when they are due, and counts\n" +
			"latencies from then. Windows on the model alternate with windows on a bare echo in this process,\n" +
			"which gets the same requests and gives answers of the same size, until throughput and median\n" +
			"latency of both stay within ±10 % over three windows. Rows are drawn from the model's schema, or\n" +
			"read from --file. The times in the server are averages: until a worker took the request, while\n" +
			"the model ran, and the rest. Interrupted, it prints what was measured.",
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if o.ref, err = registry.ParseRef(args[0]); err != nil {
				return err
			}
			forms := map[string]wire.Form{"json": wire.FormRows, "oip": wire.FormOIP, "binary": wire.FormBinary}
			form, ok := forms[o.form]
			if !ok {
				return usagef("--form is %q: want json, oip or binary", o.form)
			}
			if o.connections < 1 || o.connections > maxConnections {
				return usagef("--connections is %d: want 1 to %d", o.connections, maxConnections)
			}
			o.Form, o.Subjects, o.Timeout = form, a.subjects(), a.conn.timeout
			if err := o.Check(); err != nil {
				return usagef("%v", err)
			}
			return a.bench(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.IntSliceVar(&o.Concurrency, "concurrency", nil, "closed loop: callers at once, a step each (default 1,16,64 without --rate)")
	f.Float64SliceVar(&o.Rates, "rate", nil, "open loop: requests a second, a step each")
	f.BoolVar(&o.Poisson, "poisson", false, "open loop: requests arrive at random (a Poisson process) instead of evenly")
	f.IntVar(&o.InFlight, "in-flight", 256, "open loop: requests that may wait for an answer")
	f.StringVar(&o.form, "form", "json", "how requests are written: json, oip or binary")
	f.IntVar(&o.Rows, "rows", 1, "rows of a request")
	f.StringVarP(&o.file, "file", "f", "", "ask about rows of this file (- for standard input)")
	f.IntVar(&o.connections, "connections", 1, "connections that the callers share")
	f.DurationVar(&o.Warmup, "warmup", 500*time.Millisecond, "warm-up of each step, for the model and for the echo")
	f.DurationVar(&o.Window, "window", time.Second, "length of a window")
	f.IntVar(&o.Requests, "requests", 0, "end a window after this many requests")
	f.DurationVar(&o.MaxTime, "max-time", 20*time.Second, "length of a step at most")
	f.BoolVar(&o.NoEcho, "no-echo", false, "leave the echo out")
	f.Uint64Var(&o.Seed, "seed", 0, "of the rows and of Poisson arrivals")
	bindDataset(cmd, &o.read)
	return cmd
}

func (a *app) bench(ctx context.Context, o benchOptions) error {
	return a.withClient(func(c *client.Client, b *bus) error {
		rows, err := a.benchRows(ctx, c, &o, b.nc.MaxPayload())
		if err != nil {
			return err
		}
		conns := make([]*nats.Conn, o.connections+1) // the echo's last
		for i := range conns {
			own, err := a.conn.connect()
			if err != nil {
				return err
			}
			conns[i] = own.nc
			defer own.nc.Close()
		}
		o.OnStep = func(s bench.Step) { a.notef("%s: %s", loadOf(&s), told(&s)) }
		m, err := bench.New(conns[:o.connections], conns[o.connections], o.ref, rows, o.Options)
		if err != nil {
			return err
		}
		report, err := m.Run(ctx)
		if report == nil || len(report.Steps) == 0 {
			return err
		}
		return errors.Join(err, a.printReport(report))
	})
}

// benchRows returns rows of the file, or drawn from the model's schema, of which
// --rows fit into a message of limit bytes.
func (a *app) benchRows(ctx context.Context, c *client.Client, o *benchOptions, limit int64) (*feature.Frame, error) {
	schema, err := c.Schema(ctx, o.ref.Model)
	if err != nil {
		return nil, err
	}
	n := o.Rows * bench.Payloads
	if o.file != "" {
		return a.firstRows(schema, o, n)
	}
	var vocabulary func(string) []string
	if slices.ContainsFunc(schema.Features, func(f feature.Feature) bool { return bench.Learned(&f) }) {
		_, artifact, err := c.Export(ctx, o.ref)
		if err != nil {
			return nil, fmt.Errorf("reading the categories that the model knows: %w", err)
		}
		m, err := model.Decode(artifact)
		if err != nil {
			return nil, err
		}
		vocabulary = m.Vocabulary
	}
	some, err := sample(schema, vocabulary, o.Seed, min(o.Rows, bench.Payloads))
	if err == nil {
		err = bench.CheckSize(some, o.Form, o.Rows, limit)
	}
	if err != nil {
		return nil, err
	}
	return sample(schema, vocabulary, o.Seed, n)
}

// sample draws the first n rows of a seed.
func sample(schema *feature.Schema, vocabulary func(string) []string, seed uint64, n int) (*feature.Frame, error) {
	s, err := bench.NewSampler(schema, vocabulary, seed)
	if err != nil {
		return nil, err
	}
	return s.Rows(n)
}

// firstRows returns the first n rows of the file that fit the schema.
func (a *app) firstRows(schema *feature.Schema, o *benchOptions, n int) (f *feature.Frame, err error) {
	in, err := a.open(o.file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	o.read.Name = o.file
	r, err := dataset.NewReader(in, o.read)
	if err != nil {
		return nil, err
	}
	bound, err := dataset.Bind(r, schema, "none")
	if err != nil {
		return nil, err
	}
	f = feature.NewFrame(schema, false)
	for f.Len() < n {
		row, err := bound.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = f.Append(row)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", bound.Line(), err)
		}
	}
	if f.Len() == 0 {
		return nil, fmt.Errorf("%w: the file has no rows", feature.ErrInvalid)
	}
	return f, nil
}
