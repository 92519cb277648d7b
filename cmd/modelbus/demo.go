package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/modelbus/modelbus/embedded"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/wire"
)

// demoSpec is the model of the demo: Friedman's first problem.
const demoSpec = `name: friedman
description: Friedman #1, ten uniform features of which five matter
features:
  - {name: x1, type: number}
  - {name: x2, type: number}
  - {name: x3, type: number}
  - {name: x4, type: number}
  - {name: x5, type: number}
  - {name: x6, type: number}
  - {name: x7, type: number}
  - {name: x8, type: number}
  - {name: x9, type: number}
  - {name: x10, type: number}
label: {name: y, type: number, scale: [standardize]}
network:
  - Dense: {units: 10, activation: relu}
  - Dense: {units: 1}
optimizer: {Adam: {learning_rate: 0.01}}
loss: mean_squared_error
training: {epochs: 10, batch_size: 32, validation_split: 0.1, seed: 1}
`

const (
	demoModel = "friedman"
	demoFirst = 1000 // examples for version 1
	demoMore  = 4000 // more for version 2
	demoRows  = 100  // rows predicted
)

type demoOptions struct {
	stay   bool
	listen string
	seed   uint64
}

func (a *app) demoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show all of it in one process: examples, two versions, a hot swap",
		Long: "Start an embedded NATS server, publish 1,000 examples of Friedman's first problem, train and\n" +
			"announce version 1, predict 100 new rows over NATS, publish more examples, and swap to version 2\n" +
			"while requests are answered. It leaves no files.",
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.json {
				return usagef("demo is to be looked at, it has no JSON: leave --json out")
			}
			return a.demo(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.stay, "stay", false, "keep serving on --listen and print nats commands to try")
	cmd.Flags().StringVar(&o.listen, "listen", "127.0.0.1:4222", "address to listen on with --stay")
	cmd.Flags().Uint64Var(&o.seed, "seed", 1, "seed of the generated rows")
	return cmd
}

func (a *app) demo(ctx context.Context, o demoOptions) (err error) {
	listen := ""
	if o.stay {
		listen = o.listen
	}
	log := zerolog.Nop()
	if a.verbose {
		log = a.logger()
	}
	srv, err := embedded.Start(embedded.Options{Listen: listen, Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.Close()) }()
	nc, err := srv.Connect(nats.Name("modelbus demo"))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("opening JetStream: %w", err)
	}
	work, stop := context.WithCancel(ctx)
	n, err := startNode(work, js, nodeOptions{subjects: a.subjects(), registry: a.registryOptions(1), logger: log})
	if err != nil {
		stop()
		return err
	}
	defer func() {
		stop()
		err = errors.Join(err, n.wait())
	}()
	c, err := client.New(nc, client.Options{Subjects: a.subjects(), Timeout: a.conn.timeout})
	if err != nil {
		return err
	}
	d := &demo{app: a, client: c, rng: rand.New(rand.NewPCG(o.seed, 0))}
	if err := d.run(ctx); err != nil {
		return err
	}
	if o.stay {
		return a.stay(ctx, srv.URL())
	}
	return nil
}

// A demo is one run of the demonstration.
type demo struct {
	app    *app
	client *client.Client
	schema *feature.Schema
	rng    *rand.Rand
}

func (d *demo) run(ctx context.Context) error {
	info, err := d.client.Create(ctx, wire.CreateRequest{Spec: demoSpec, Who: "demo"})
	if err != nil {
		return err
	}
	if d.schema, err = d.client.Schema(ctx, info.Model.Name); err != nil {
		return err
	}
	if err := d.learn(ctx, demoFirst); err != nil {
		return err
	}
	rows := d.rows(demoRows)
	before, err := d.compare(ctx, demoModel, rows)
	if err != nil {
		return err
	}
	if err := d.swap(ctx); err != nil {
		return err
	}
	after, err := d.compare(ctx, demoModel, rows)
	if err != nil {
		return err
	}
	old, err := d.compare(ctx, demoModel+"@1", rows)
	if err != nil {
		return err
	}
	return d.app.printf("\nthe same %d rows: version %d had a mean absolute error of %.3f, version %d has %.3f; %s@1 still answers (%.3f)\n",
		demoRows, before.version, before.mae, after.version, after.mae, demoModel, old.mae)
}

// learn publishes n examples and trains a version.
func (d *demo) learn(ctx context.Context, n int) error {
	if err := d.client.PublishExamples(ctx, demoModel, d.schema, d.rows(n)); err != nil {
		return err
	}
	if err := d.app.printf("\npublished %d examples to %s\n", n, d.app.subjects().Train(demoModel)); err != nil {
		return err
	}
	verdict, err := d.client.Train(ctx, demoModel, wire.TrainRequest{Who: "demo"}, func(t wire.Training) {
		if t.State == "epoch" {
			d.app.notef("epoch %2d/%d  %s", t.Epoch, t.Epochs, epochScores(t.Scores))
		}
	})
	if err != nil {
		return err
	}
	return d.app.printf("announced: %s\n", verdictLine(demoModel, verdict))
}

// compared is how a version did on rows whose truth is known.
type compared struct {
	version uint64
	mae     float64
}

// compare predicts rows over NATS; the first time, it prints them.
func (d *demo) compare(ctx context.Context, ref string, rows []feature.Row) (compared, error) {
	p, err := d.client.Predict(ctx, ref, instances(rows)...)
	if err != nil {
		return compared{}, err
	}
	if len(p.Values) != len(rows) {
		return compared{}, fmt.Errorf("%d predictions for %d rows: %w", len(p.Values), len(rows), wire.ErrInternal)
	}
	c := compared{version: p.Version}
	for i, row := range rows {
		c.mae += math.Abs(p.Values[i]-row.Label.Num) / float64(len(rows))
	}
	if ref == demoModel && p.Version == 1 {
		err = d.print(p, rows, c)
	}
	return c, err
}

func (d *demo) print(p *wire.Predictions, rows []feature.Row, c compared) error {
	if err := d.app.printf("\n%d new rows over NATS, answered by version %d\n", len(rows), p.Version); err != nil {
		return err
	}
	t := d.app.newTable("", "Row", "Prediction", "Actual", "Error")
	for i := range rows {
		t.AppendRow([]any{i + 1, fmt.Sprintf("%.2f", p.Values[i]), fmt.Sprintf("%.2f", rows[i].Label.Num), fmt.Sprintf("%+.2f", p.Values[i]-rows[i].Label.Num)})
	}
	t.AppendFooter([]any{"all", "", "", fmt.Sprintf("%.2f mean", c.mae)})
	t.Render()
	return nil
}

// swap trains version 2 while a caller keeps asking, and says what it saw.
func (d *demo) swap(ctx context.Context) error {
	asking, stop := context.WithCancel(ctx)
	defer stop()
	answered := make(chan map[uint64]int, 1)
	failed := make(chan error, 1)
	row := instances(d.rows(1))
	go func() {
		counts := map[uint64]int{}
		defer func() { answered <- counts }()
		for asking.Err() == nil {
			p, err := d.client.Predict(ctx, demoModel, row...)
			if err != nil {
				failed <- err
				return
			}
			counts[p.Version]++
			if p.Version > 1 && counts[p.Version] == demoRows {
				return
			}
		}
	}()
	err := d.learn(ctx, demoMore)
	if err != nil {
		stop()
	}
	counts := <-answered
	select {
	case askErr := <-failed:
		return errors.Join(err, fmt.Errorf("asking during the swap: %w", askErr))
	default:
	}
	if err != nil {
		return err
	}
	return d.app.printf("hot swap: %d requests in flight meanwhile were answered by version 1, then %d by version 2, none was lost\n", counts[1], counts[2])
}

// rows generates rows of Friedman #1 (Friedman 1991, "Multivariate Adaptive
// Regression Splines", section 4.3) with noise of standard deviation 1.
func (d *demo) rows(n int) []feature.Row {
	rows := make([]feature.Row, n)
	for i := range rows {
		var x [10]float64
		values := make([]feature.Value, len(x))
		for j := range x {
			x[j] = d.rng.Float64()
			values[j] = feature.Value{Kind: feature.KindNumber, Num: x[j]}
		}
		y := 10*math.Sin(math.Pi*x[0]*x[1]) + 20*(x[2]-0.5)*(x[2]-0.5) + 10*x[3] + 5*x[4] + d.rng.NormFloat64()
		rows[i] = feature.Row{Values: values, Label: feature.Value{Kind: feature.KindNumber, Num: y}, Weight: 1}
	}
	return rows
}

// instances returns the features of rows as a caller would give them.
func instances(rows []feature.Row) []any {
	out := make([]any, len(rows))
	for i, row := range rows {
		x := make([]float64, len(row.Values))
		for j, v := range row.Values {
			x[j] = v.Num
		}
		out[i] = x
	}
	return out
}

// stay serves until interrupted.
func (a *app) stay(ctx context.Context, url string) error {
	s := a.subjects()
	if err := a.printf(`
serving on %[1]s until interrupted; try with the stock nats command line:

  nats -s %[1]s req %[2]s '{"instances": [[0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5]]}'
  nats -s %[1]s req %[3]s '{"instances": [[0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5]]}'
  nats -s %[1]s service ls
  nats -s %[1]s service stats %[4]s
  nats -s %[1]s sub '%[5]s'
`, url, s.Predict(demoModel, ""), s.Predict(demoModel, "1"), demoModel, s.Event("*", "*", "*")); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
