package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/dataset"
	"github.com/modelbus/modelbus/model/drift"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/wire"
)

// errDrifted ends `drift` when a column has.
var errDrifted = errors.New("the rows are not as those that the model was trained on")

// errNoReference is returned for a version that nothing can be compared with.
var errNoReference = fmt.Errorf("%w: the version does not know the rows that it was trained on: train it again", wire.ErrInvalid)

type driftOptions struct {
	ref  registry.Ref
	file string
	read dataset.Options
}

func (a *app) driftCommand() *cobra.Command {
	var o driftOptions
	cmd := &cobra.Command{
		Use:   "drift MODEL[@REF] FILE",
		Short: "Compare the rows of a file with those that a version was trained on",
		Long: "Compare how the features of a file's rows, and the version's predictions for them, are distributed with how\n" +
			"they were when it was trained, with the thresholds of its spec's serving.drift. The rows are compared here,\n" +
			"all at once; servers do the same with live rows (`modelbus show MODEL`). Exit code 7 if a column has drifted.",
		Args: args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := registry.ParseRef(args[0])
			if err != nil {
				return err
			}
			o.ref, o.file = ref, args[1]
			return a.drift(cmd.Context(), o)
		},
	}
	bindDataset(cmd, &o.read)
	return cmd
}

func (a *app) drift(ctx context.Context, o driftOptions) (err error) {
	in, err := a.open(o.file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	return a.withClient(func(c *client.Client, _ *bus) error {
		v, artifact, err := c.Export(ctx, o.ref)
		if err != nil {
			return err
		}
		m, err := model.Decode(artifact)
		if err != nil {
			return err
		}
		o.read.Name = o.file
		r, err := dataset.NewReader(in, o.read)
		if err != nil {
			return err
		}
		rows, err := dataset.Bind(r, m.Schema(), "none")
		if err != nil {
			return err
		}
		report, err := a.compare(ctx, m, rows)
		if err != nil {
			return err
		}
		return a.printReportOf(v, report)
	})
}

// compareRows is how many rows are predicted at once.
const compareRows = 512

// compare counts all rows. Those that cannot be read are passed over; those that the
// model cannot predict count with their features alone.
func (a *app) compare(ctx context.Context, m *model.Model, rows *dataset.Bound) (*drift.Report, error) {
	w, err := m.NewWindow()
	if err != nil {
		return nil, err
	}
	if w == nil {
		return nil, errNoReference
	}
	f := feature.NewFrame(m.Schema(), false)
	p := m.NewPredictor()
	left := 0
	for more := true; more; f.Reset() {
		if more, err = a.fill(f, rows, &left); err != nil {
			return nil, err
		}
		if err := errors.Join(ctx.Err(), w.AddRange(f, 0, f.Len()), addPredictions(w, p, f)); err != nil {
			return nil, err
		}
	}
	if left > 1 {
		a.notef("%s rows were left out", humanize.Comma(int64(left)))
	}
	if w.Rows() == 0 {
		return nil, fmt.Errorf("%w: the file has no rows", feature.ErrInvalid)
	}
	report := w.Report(m.Spec().Serving.Drift.Thresholds())
	return &report, nil
}

// fill reads some rows into f and reports whether there may be more. It says the first
// that cannot be read, and counts them in left.
func (a *app) fill(f *feature.Frame, rows *dataset.Bound, left *int) (more bool, err error) {
	for f.Len() < compareRows {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err == nil {
			err = f.Append(row)
		}
		if _, bad := errors.AsType[*dataset.RowError](err); !bad && err != nil && !errors.Is(err, feature.ErrInvalid) {
			return false, err
		}
		if err == nil {
			continue
		}
		if *left++; *left == 1 {
			a.notef("left out: line %d: %v", rows.Line(), err)
		}
	}
	return true, nil
}

// addPredictions has w count what p says of the rows of f, one by one if one of them
// cannot be predicted.
func addPredictions(w *drift.Window, p *model.Predictor, f *feature.Frame) error {
	var said drift.Predictions
	out, err := p.Predict(f)
	if err == nil {
		for i := range out.Rows {
			out.AppendPrediction(&said, i)
		}
		return w.AddPredictions(said)
	}
	for i := range f.Len() {
		if out, err := p.Predict(f.Range(i, i+1)); err == nil {
			out.AppendPrediction(&said, 0)
		} else if !errors.Is(err, feature.ErrInvalid) {
			return err
		}
	}
	return w.AddPredictions(said)
}

func (a *app) printReportOf(v registry.Version, r *drift.Report) error {
	if a.json {
		if err := a.printJSON(struct {
			*drift.Report

			Model   string `json:"model"`
			Version uint64 `json:"version"`
		}{r, v.Model, v.Number}); err != nil {
			return err
		}
	} else {
		columns := make([]wire.DriftColumn, len(r.Columns))
		for i := range r.Columns {
			columns[i] = wire.NewDriftColumn(&r.Columns[i])
		}
		a.driftTable(fmt.Sprintf("%s version %d: %s rows compared", v.Model, v.Number, humanize.Comma(r.Rows)), columns)
	}
	switch {
	case !r.Enough:
		a.notef("fewer than 100 rows are too few to tell")
	case r.Drifted:
		return errDrifted
	}
	return nil
}
