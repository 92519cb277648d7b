package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/modelbus/modelbus/model/dataset"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/wire"
)

type predictOptions struct {
	ref  registry.Ref
	rows []string
	file string
	csv  bool
	id   string
	read dataset.Options

	observe bool
}

func (a *app) predictCommand() *cobra.Command {
	var o predictOptions
	cmd := &cobra.Command{
		Use:   "predict MODEL[@REF] [ROW...]",
		Short: "Ask a model about rows given by value, by name=value, or in a file",
		Example: "  modelbus predict iris 5.1,3.5,1.4,0.2\n" +
			"  modelbus predict iris@2 5.1 3.5 1.4 0.2\n" +
			"  modelbus predict iris sepal_length=5.1,sepal_width=3.5,petal_length=1.4,petal_width=0.2\n" +
			"  modelbus predict iris --file held_out.csv",
		Long: "Ask a model about rows. A ROW is a comma-separated list of values in feature order or of\n" +
			"name=value pairs, or JSON; single values in as many arguments as there are features are one row.\n" +
			"Numbers are written as in a CSV file; an empty value is a missing one.\n" +
			"With --file, rows come from a CSV, TSV, JSON Lines or NPZ file, and where its label column is\n" +
			"there, the scores are printed (to standard error; in --json with the predictions). Each row of the\n" +
			"file gets one line: a row that cannot be predicted gets – and the reason, in --csv an empty prediction\n" +
			"and a last column \"error\", in --json {\"error\": …}; the exit code is 4 then, and where no label is one\n" +
			"that the model knows.\n" +
			"Rows of a file are no traffic: unless --observe is given they do not count for drift, and are neither\n" +
			"captured nor copied to a shadow.",
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := registry.ParseRef(args[0])
			if err != nil {
				return err
			}
			o.ref, o.rows = ref, args[1:]
			if o.csv && a.json {
				return usagef("--csv and --json are two forms of output: give one of them")
			}
			if (len(o.rows) == 0) == (o.file == "") {
				return usagef("predict wants rows as arguments or --file FILE, one of the two")
			}
			if o.id != "" && o.file != "" {
				return usagef("--id is of one prediction: it goes with rows as arguments")
			}
			if o.observe && o.file == "" {
				return usagef("--observe goes with --file: rows given as arguments are observed anyway")
			}
			return a.predict(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.file, "file", "f", "", "read rows from this file (- for standard input)")
	f.StringVar(&o.id, "id", "", "id of the prediction, for a label that comes later (with capture in the spec; default: the server makes one)")
	f.BoolVar(&o.observe, "observe", false, "with --file: have the rows count for drift, be captured and copied to a shadow, as those of other callers")
	f.BoolVar(&o.csv, "csv", false, "print CSV")
	bindDataset(cmd, &o.read)
	return cmd
}

func (a *app) predict(ctx context.Context, o predictOptions) error {
	return a.withClient(func(c *client.Client, _ *bus) error {
		if o.file != "" {
			return a.predictFile(ctx, c, o)
		}
		schema, err := c.Schema(ctx, o.ref.Model)
		if err != nil {
			return err
		}
		rows, err := parseRows(schema, o.rows)
		if err != nil {
			return err
		}
		p, err := predictRows(client.WithID(ctx, o.id), c, o.ref.String(), rows)
		if err != nil {
			return err
		}
		a.noted(p, o.id)
		out := newPredicted(schema)
		out.id = p.ID
		out.add(p)
		return a.printPredicted(out, o.csv)
	})
}

// predictRows asks about rows; if one of them is refused, the error tells which.
func predictRows(ctx context.Context, c *client.Client, ref string, rows *feature.Frame) (*wire.Predictions, error) {
	p, err := c.PredictFrame(ctx, ref, rows)
	if !errors.Is(err, wire.ErrInvalid) {
		return p, err
	}
	if rows.Len() == 1 {
		return nil, ofRow(err)
	}
	anonymous := client.WithID(ctx, "") // the id is still to be used, once all rows are right
	for i := range rows.Len() {
		if _, bad := c.PredictFrame(anonymous, ref, rows.Range(i, i+1)); errors.Is(bad, wire.ErrInvalid) {
			return nil, fmt.Errorf("row %d: %w", i+1, ofRow(bad))
		}
	}
	return nil, err
}

func (a *app) predictFile(ctx context.Context, c *client.Client, o predictOptions) (err error) {
	if !o.observe {
		ctx = client.Unobserved(ctx)
	}
	in, err := a.open(o.file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	schema, err := c.Schema(ctx, o.ref.Model)
	if err != nil {
		return err
	}
	o.read.Name = o.file
	r, err := dataset.NewReader(in, o.read)
	if err != nil {
		return err
	}
	rows, err := dataset.Bind(r, schema, "optional")
	if err != nil {
		return err
	}
	ignored := ignoredColumns{app: a, model: o.ref.Model}
	ignored.tell(rows)
	s := &scorer{app: a, client: c, ref: o.ref.String(), rows: rows, out: newPredicted(schema)}
	if err := s.all(ctx); err != nil {
		return err
	}
	ignored.tell(rows)
	if s.read == 0 {
		return fmt.Errorf("%w: the file has no rows", feature.ErrInvalid)
	}
	if err := a.printPredicted(s.out, o.csv); err != nil {
		return err
	}
	if n := len(s.out.refused); n > 0 {
		return fmt.Errorf("%d of %d rows could not be predicted: %w", n, s.read, feature.ErrInvalid)
	}
	if scores := s.out.score(); scores != nil && scores.scores == nil && len(scores.unknown) > 0 {
		return fmt.Errorf("none of %d rows could be scored, as the model knows no label of them: %w", scores.predicted, feature.ErrInvalid)
	}
	return nil
}
