package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/dataset"
)

type initOptions struct {
	file, label, name string
	rows              int
	read              dataset.Options
}

func (a *app) initCommand() *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use:   "init FILE --label COLUMN",
		Short: "Print a spec inferred from a file of rows, ready to edit",
		Example: "  modelbus init iris.csv --label species > iris.yaml\n" +
			"  modelbus init digits.csv --label c65 --header no --name digits",
		Args: args(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			o.file = args[0]
			return a.init(o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.label, "label", "", "the column to predict")
	f.StringVar(&o.name, "name", "", "the model's name (default: the file's, or model for standard input)")
	f.IntVar(&o.rows, "rows", 0, "read only this many rows (default all)")
	bindDataset(cmd, &o.read)
	return cmd
}

func (a *app) init(o initOptions) (err error) {
	if o.label == "" {
		return usagef("--label is missing: name the column to predict")
	}
	if o.name == "" {
		o.name = nameOf(o.file)
		defer func() {
			if _, ok := errors.AsType[*model.SpecError](err); ok {
				err = fmt.Errorf("%w (the name comes from the file's; --name gives another)", err)
			}
		}()
	}
	in, err := a.open(o.file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	o.read.Name = o.file
	r, err := dataset.NewReader(in, o.read)
	if err != nil {
		return err
	}
	inferred, err := dataset.Infer(r, o.label, o.rows)
	if err != nil {
		return err
	}
	spec, err := model.Suggest(o.name, inferred.Schema, inferred.Rows)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(spec)
	}
	text, err := spec.YAML(inferred.Notes)
	if err != nil {
		return err
	}
	a.remarks(inferred)
	return a.printf("%s", text)
}

// remarks says what of the file is not in the spec, or perhaps should not be.
func (a *app) remarks(in *dataset.Inferred) {
	if in.Rejected > 0 {
		a.notef("%d of %d rows could not be read, the first one because of %v", in.Rejected, in.Rejected+in.Rows, in.Reason)
	}
	if in.Classes == 1 {
		a.notef("the label %q has one class alone in these rows: a model needs two or more to train on", in.Schema.Label.Name)
	}
	for _, column := range slices.Sorted(maps.Keys(in.Notes)) {
		note := in.Notes[column]
		if strings.HasPrefix(note, dataset.LeftOut) {
			a.notef("column %q is %s", column, note)
		}
		if at := strings.Index(note, dataset.Leak); at >= 0 {
			a.notef("column %q %s; remove it from the spec if it is not known when you ask", column, note[at:])
		}
	}
}
