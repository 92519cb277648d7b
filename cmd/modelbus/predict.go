package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/modelbus/modelbus/model/dataset"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/client"
)

type predictOptions struct {
	ref  registry.Ref
	rows []string
	file string
	csv  bool
	id   string
	read dataset.Options
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
			"With --file, rows come from a CSV, TSV, JSON Lines or NPZ file, and where its label column is\n" +
			"there, the scores are printed (to standard error; in --json with the predictions). Each row of the\n" +
			"file gets one line: a row that cannot be predicted gets – and the reason, in --csv an empty prediction\n" +
			"and a last column \"error\", in --json {\"error\": …}; the exit code is 4 then.",
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := registry.ParseRef(args[0])
			if err != nil {
				return err
			}
			o.ref, o.rows = ref, args[1:]
			if (len(o.rows) == 0) == (o.file == "") {
				return usagef("predict wants rows as arguments or --file FILE, one of the two")
			}
			if o.id != "" && o.file != "" {
				return usagef("--id is of one prediction: it goes with rows as arguments")
			}
			return a.predict(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.file, "file", "f", "", "read rows from this file (- for standard input)")
	f.StringVar(&o.id, "id", "", "id of the prediction, for a label that comes later (with capture in the spec; default: the server makes one)")
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
		instances, err := parseRows(schema, o.rows)
		if err != nil {
			return err
		}
		p, err := c.Predict(client.WithID(ctx, o.id), o.ref.String(), instances...)
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

func (a *app) predictFile(ctx context.Context, c *client.Client, o predictOptions) (err error) {
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
	s := &scorer{app: a, client: c, ref: o.ref.String(), rows: rows, out: newPredicted(schema)}
	if err := s.all(ctx); err != nil {
		return err
	}
	if s.read == 0 {
		return fmt.Errorf("%w: the file has no rows", feature.ErrInvalid)
	}
	if err := a.printPredicted(s.out, o.csv); err != nil {
		return err
	}
	if n := len(s.out.refused); n > 0 {
		return fmt.Errorf("%d of %d rows could not be predicted: %w", n, s.read, feature.ErrInvalid)
	}
	return nil
}

// parseRows turns arguments into instances.
func parseRows(s *feature.Schema, words []string) ([]any, error) {
	if joined, ok := singleValues(s, words); ok {
		words = []string{joined}
	}
	instances := make([]any, len(words))
	for i, word := range words {
		row, err := parseRow(s, word)
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", i+1, err)
		}
		instances[i] = row
	}
	return instances, nil
}

// singleValues joins arguments that are one row, a value each.
func singleValues(s *feature.Schema, words []string) (string, bool) {
	if len(words) < 2 || slices.ContainsFunc(words, func(w string) bool { return strings.ContainsAny(w, ",[{") }) {
		return "", false
	}
	named := !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(w, "=") })
	return strings.Join(words, ","), named || len(words) == s.Width()
}

func parseRow(s *feature.Schema, word string) (any, error) {
	if strings.HasPrefix(word, "[") || strings.HasPrefix(word, "{") {
		var v any
		dec := json.NewDecoder(strings.NewReader(word))
		dec.UseNumber()
		if err := dec.Decode(&v); err != nil {
			return nil, fmt.Errorf("%w: not JSON: %w", feature.ErrInvalid, err)
		}
		return v, nil
	}
	r := csv.NewReader(strings.NewReader(word))
	r.TrimLeadingSpace = true
	cells, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%w: %q: %w", feature.ErrInvalid, word, err)
	}
	if !slices.ContainsFunc(cells, func(c string) bool { return !strings.Contains(c, "=") }) {
		return namedRow(s, cells)
	}
	if len(cells) != s.Width() {
		return nil, fmt.Errorf("%w: %d values, want %d: %s", feature.ErrInvalid, len(cells), s.Width(), featureNames(s))
	}
	return positionalRow(s, cells)
}

func namedRow(s *feature.Schema, cells []string) (any, error) {
	row := make(map[string]any, len(cells))
	for _, cell := range cells {
		name, text, _ := strings.Cut(cell, "=")
		name = strings.TrimSpace(name)
		i, ok := s.Index(name)
		if !ok {
			return nil, fmt.Errorf("%w: no feature %q: there are %s", feature.ErrInvalid, name, featureNames(s))
		}
		if _, twice := row[name]; twice {
			return nil, fmt.Errorf("%w: feature %q is given twice", feature.ErrInvalid, name)
		}
		v, err := jsonValue(&s.Features[i], strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		row[name] = v
	}
	return row, nil
}

func positionalRow(s *feature.Schema, cells []string) (any, error) {
	row := make([]any, 0, len(cells))
	for i := range s.Features {
		f := &s.Features[i]
		n := 1
		if f.Type == feature.Vector {
			n = f.Size
		}
		for range n {
			v, err := jsonValue(f, strings.TrimSpace(cells[len(row)]))
			if err != nil {
				return nil, err
			}
			row = append(row, v)
		}
	}
	return row, nil
}

// jsonValue turns a word into the JSON value that a feature wants.
func jsonValue(f *feature.Feature, text string) (any, error) {
	switch {
	case text == "":
		return nil, nil //nolint:nilnil // null is what an empty cell means
	case f.Type == feature.Category:
		return text, nil
	case f.Type == feature.Boolean && (text == "true" || text == "false"):
		return text == "true", nil
	}
	n := json.Number(text)
	if _, err := n.Float64(); err != nil || !json.Valid([]byte(text)) {
		return nil, fmt.Errorf("%w: feature %q wants a %s, received %q", feature.ErrInvalid, f.Name, f.Type, text)
	}
	return n, nil
}

func featureNames(s *feature.Schema) string {
	names := make([]string, len(s.Features))
	for i, f := range s.Features {
		names[i] = f.Name
	}
	return strings.Join(names, ", ")
}
