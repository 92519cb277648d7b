package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/wire"
)

type labelOptions struct {
	model, file string
	row         int
}

func (a *app) labelCommand() *cobra.Command {
	var o labelOptions
	cmd := &cobra.Command{
		Use:   "label MODEL [ID LABEL]",
		Short: "Say what was true of a prediction, by its id",
		Long: "Say what was true of a prediction, by its id: the model scores it and learns from it. Its spec\n" +
			"must have said `capture` when the prediction was made, which is kept for as long as that says. With --file, ids and labels are the columns id\n" +
			"and label, and perhaps row, of a CSV file.",
		Example: "  modelbus predict iris 5.1,3.5,1.4,0.2 --id flower-17\n" +
			"  modelbus label iris flower-17 setosa\n" +
			"  modelbus label iris --file truth.csv",
		Args: args(cobra.RangeArgs(1, 3)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.model = args[0]
			if len(args) == 2 || (len(args) == 1) == (o.file == "") {
				return usagef("label wants ID and LABEL, or --file FILE")
			}
			if o.file != "" && cmd.Flags().Changed("row") {
				return usagef("--row goes with ID and LABEL: a file has a column row")
			}
			return a.label(cmd.Context(), o, args[1:])
		},
	}
	cmd.Flags().IntVar(&o.row, "row", 0, "row, from 0, of a prediction of several")
	cmd.Flags().StringVarP(&o.file, "file", "f", "", "read ids and labels from this CSV file (- for standard input)")
	return cmd
}

func (a *app) label(ctx context.Context, o labelOptions, words []string) error {
	return a.withClient(func(c *client.Client, _ *bus) error {
		info, err := c.Model(ctx, o.model, false)
		if err != nil {
			return err
		}
		spec, err := model.ParseSpec(info.Model.Spec)
		if err != nil {
			return fmt.Errorf("reading the spec of %s: %w", o.model, err)
		}
		if spec.Capture == 0 {
			switch kept, err := c.Captured(ctx, o.model, ""); {
			case err != nil:
				return err
			case !kept:
				return fmt.Errorf("%w: %s keeps no predictions that a label could be of: set capture in its spec, such as `capture: 24h`", wire.ErrInvalid, o.model)
			}
			a.notef("%s keeps no more predictions: labels can be of those that it has kept", o.model)
		}
		l := &labeller{client: c, model: o.model, label: spec.Schema.Label}
		if o.file == "" {
			err = l.add(ctx, words[0], strconv.Itoa(o.row), words[1])
		} else {
			err = a.labelFile(ctx, l, o.file)
		}
		if err != nil {
			return err
		}
		if o.file == "" {
			a.noteUnknown(ctx, c, o.model, words[0])
		}
		if a.json {
			return a.printJSON(map[string]any{"model": o.model, "labels": l.stored})
		}
		return a.printf("%s: %d stored\n", o.model, l.stored)
	})
}

// noteUnknown says if nothing that a label is of is kept, so far.
func (a *app) noteUnknown(ctx context.Context, c *client.Client, name, id string) {
	kept, err := c.Captured(ctx, name, id)
	if err == nil && !kept {
		a.notef("no prediction %s of %s is kept so far: if none is within a minute, the label goes to %s",
			id, name, a.subjects().Dead(name))
	}
}

// A labeller publishes labels of one model.
type labeller struct {
	client *client.Client
	model  string
	label  feature.Label
	stored int
}

func (l *labeller) add(ctx context.Context, id, row, text string) error {
	n, err := strconv.Atoi(row)
	if err != nil || n < 0 {
		return fmt.Errorf("%w: row %q: want a number from 0", wire.ErrInvalid, row)
	}
	value, err := labelValue(&l.label, text)
	if err != nil {
		return err
	}
	if err := l.client.LabelRow(ctx, l.model, id, n, value); err != nil {
		return err
	}
	l.stored++
	return nil
}

// labelValue returns a label as JSON holds it.
func labelValue(l *feature.Label, text string) (any, error) {
	if text == "" {
		return nil, fmt.Errorf("%w: label %q is empty: want what was true", feature.ErrInvalid, l.Name)
	}
	if l.Type == feature.Category {
		if len(l.Classes) > 0 {
			if err := feature.CheckClass(text, l.Classes); err != nil {
				return nil, fmt.Errorf("label %q: %w", l.Name, err)
			}
		}
		return text, nil
	}
	frame := feature.NewFrame(&feature.Schema{Features: []feature.Feature{{Name: l.Name, Type: l.Type}}}, false)
	if frame.Append(feature.Row{Values: []feature.Value{{Kind: feature.KindCell, Text: text}}}) != nil {
		return nil, fmt.Errorf("%w: label %q wants a %s, received %q", feature.ErrInvalid, l.Name, l.Type, text)
	}
	value := frame.Row(0).Values[0]
	if value.Kind == feature.KindBool {
		return value.Num != 0, nil
	}
	return value.Num, nil
}

// labelFile publishes the labels of a CSV file.
func (a *app) labelFile(ctx context.Context, l *labeller, file string) (err error) {
	in, err := a.open(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	r := csv.NewReader(in)
	header, err := r.Read()
	switch {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%s: %w: it is empty, want the columns id and label, and perhaps row", file, wire.ErrInvalid)
	case err != nil:
		return fmt.Errorf("%s: %w", file, unreadable(err))
	}
	header[0] = strings.TrimPrefix(header[0], "\ufeff") // as spreadsheets write it
	id, label, row := slices.Index(header, "id"), slices.Index(header, "label"), slices.Index(header, "row")
	if id < 0 || label < 0 {
		return fmt.Errorf("%s: %w: its columns are %s, want id and label, and perhaps row", file, wire.ErrInvalid, strings.Join(header, ", "))
	}
	for {
		cells, err := r.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil: // which names the line
			return fmt.Errorf("%s, after %d labels were stored: %w", file, l.stored, unreadable(err))
		}
		which := "0"
		if row >= 0 {
			which = cells[row]
		}
		if err := l.add(ctx, cells[id], which, cells[label]); err != nil {
			line, _ := r.FieldPos(0)
			return fmt.Errorf("%s, line %d, after %d labels were stored: %w", file, line, l.stored, err)
		}
	}
}

// unreadable says that a CSV file is wrong, unless it could not be read at all.
func unreadable(err error) error {
	if _, ok := errors.AsType[*csv.ParseError](err); ok {
		return fmt.Errorf("%w: %w", wire.ErrInvalid, err)
	}
	return err
}

// noted tells the id of a prediction that the server gave it.
func (a *app) noted(p *wire.Predictions, given string) {
	if p.ID != "" && given == "" && !a.json {
		a.notef("id: %s", p.ID)
	}
}
