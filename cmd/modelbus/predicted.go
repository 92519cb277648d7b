package main

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/modelbus/modelbus/model/dataset"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/metric"
	"github.com/modelbus/modelbus/registry"
	"github.com/modelbus/modelbus/stream/client"
	"github.com/modelbus/modelbus/stream/wire"
)

// chunkRows is how many rows of a file are asked about at once.
const chunkRows = 1024

// predicted collects predictions with the truth where it is known.
type predicted struct {
	schema  *feature.Schema
	model   string
	version uint64
	id      string // of a prediction of rows given as arguments
	values  []float64
	labels  []wire.Classification
	truth   []feature.Value // empty, or one a prediction
	refused map[int]string  // rows without a prediction, by their place, and why
}

func newPredicted(s *feature.Schema) *predicted {
	return &predicted{schema: s, refused: map[int]string{}}
}

func (p *predicted) len() int { return max(len(p.values), len(p.labels)) }

func (p *predicted) add(r *wire.Predictions) {
	p.model, p.version = r.Model, r.Version
	p.values = append(p.values, r.Values...)
	p.labels = append(p.labels, r.Labels...)
}

// each calls fn for each row in order, with the place of its prediction, or with
// why it has none.
func (p *predicted) each(fn func(i int, why string) error) error {
	i := 0
	for row := range p.len() + len(p.refused) {
		why, refused := p.refused[row]
		if err := fn(i, why); err != nil {
			return err
		}
		if !refused {
			i++
		}
	}
	return nil
}

// An origin is where a row comes from, and its label if there is one.
type origin struct {
	row   int // from 0, among all of the file
	line  int
	label feature.Value
}

// A scorer predicts the rows of a file, chunk by chunk.
type scorer struct {
	app    *app
	client *client.Client
	ref    string
	rows   *dataset.Bound
	out    *predicted
	read   int // rows so far
}

func (s *scorer) all(ctx context.Context) error {
	frame := feature.NewFrame(s.out.schema, false)
	var from []origin
	for {
		row, err := s.rows.Read()
		if err == nil {
			row.Values = slices.Clone(row.Values)
			err = frame.Append(row)
		}
		switch _, unreadable := errors.AsType[*dataset.RowError](err); {
		case errors.Is(err, io.EOF):
			return s.chunk(ctx, frame, from)
		case unreadable || errors.Is(err, feature.ErrInvalid):
			s.reject(s.read, atLine(s.rows.Line(), err))
			s.read++
			continue
		case err != nil:
			return err
		}
		from = append(from, origin{row: s.read, line: s.rows.Line(), label: row.Label})
		s.read++
		if frame.Len() == chunkRows {
			if err := s.chunk(ctx, frame, from); err != nil {
				return err
			}
			frame.Reset()
			from = from[:0]
		}
	}
}

// chunk asks about all rows of frame at once and, if one of them is refused,
// about each alone, so that only the bad ones get no prediction.
func (s *scorer) chunk(ctx context.Context, frame *feature.Frame, from []origin) error {
	if frame.Len() == 0 {
		return nil
	}
	p, err := s.client.PredictFrame(ctx, s.ref, frame)
	if err == nil {
		s.out.add(p)
		s.ref = registry.Ref{Model: p.Model, Version: p.Version}.String() // one version for all of the file
		if s.rows.HasLabel() {
			for _, o := range from {
				s.out.truth = append(s.out.truth, o.label)
			}
		}
		return nil
	}
	if !errors.Is(err, wire.ErrInvalid) {
		return err
	}
	if frame.Len() == 1 {
		s.reject(from[0].row, atLine(from[0].line, ofRow(err)))
		return nil
	}
	for i := range frame.Len() {
		if err := s.chunk(ctx, frame.Range(i, i+1), from[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (s *scorer) reject(row int, err error) {
	s.out.refused[row] = strings.ReplaceAll(err.Error(), "\n", " ")
	n := len(s.out.refused)
	if n <= rejectsShown {
		s.app.notef("not predicted: %v", err)
	}
	if n == rejectsShown {
		s.app.notef("further rows that are not predicted are only counted")
	}
}

// atLine names the line of a row, unless err does so itself.
func atLine(line int, err error) error {
	if _, named := errors.AsType[*dataset.RowError](err); named {
		return err
	}
	return &dataset.RowError{Line: line, Err: err}
}

// printPredicted prints predictions to standard output and scores to standard
// error, or all of it as JSON.
func (a *app) printPredicted(p *predicted, asCSV bool) error {
	s := p.score()
	var err error
	switch {
	case a.json:
		return a.printPredictedJSON(p, s)
	case asCSV:
		err = a.printCSV(p)
	default:
		err = a.printPlain(p)
	}
	if err == nil && s != nil {
		a.printScores(p, s)
	}
	return err
}

func (a *app) printPredictedJSON(p *predicted, s *scored) error {
	predictions, err := p.json()
	if err != nil {
		return err
	}
	out := struct {
		Model       string         `json:"model_name"`
		Version     string         `json:"model_version"`
		ID          string         `json:"id,omitempty"`
		Predictions any            `json:"predictions"`
		Scores      *metric.Scores `json:"scores,omitempty"`
		Unscored    map[string]int `json:"unscored,omitempty"` // rows by a label that the model does not know
	}{Model: p.model, Version: strconv.FormatUint(p.version, 10), ID: p.id, Predictions: predictions}
	if s != nil {
		out.Scores, out.Unscored = s.scores, s.unknown
		if text := s.unscored(p); text != "" {
			a.notef("%s", text)
		}
	}
	return a.printJSON(out)
}

// json returns a prediction, or an error, for each row.
func (p *predicted) json() ([]any, error) {
	all := make([]any, 0, p.len()+len(p.refused))
	err := p.each(func(i int, why string) error {
		switch {
		case why != "":
			all = append(all, map[string]string{"error": why})
		case len(p.labels) > 0:
			all = append(all, p.labels[i])
		default:
			all = append(all, p.values[i])
		}
		return nil
	})
	return all, err
}

func (a *app) printPlain(p *predicted) error {
	return p.each(func(i int, why string) error {
		switch {
		case why != "":
			return a.printf("– %s\n", why)
		case len(p.labels) > 0:
			return a.printf("%s %s\n", p.labels[i].Label, number(p.labels[i].Score))
		default:
			return a.printf("%s\n", strconv.FormatFloat(p.values[i], 'g', -1, 32))
		}
	})
}

func (a *app) printCSV(p *predicted) error {
	w := csv.NewWriter(a.out)
	header := []string{p.schema.Label.Name}
	var classes []string
	if len(p.labels) > 0 {
		classes = p.classes()
		header = append(header, "score")
		header = append(header, classes...)
	}
	if len(p.refused) > 0 {
		header = append(header, "error")
	}
	records := [][]string{header}
	err := p.each(func(i int, why string) error {
		record := make([]string, len(header)) // where nothing is set, empty
		switch {
		case why != "":
			record[len(record)-1] = why
		case len(p.labels) > 0:
			l := p.labels[i]
			record[0], record[1] = l.Label, strconv.FormatFloat(l.Score, 'g', -1, 32)
			for j, c := range classes {
				record[2+j] = strconv.FormatFloat(l.Scores[c], 'g', -1, 32)
			}
		default:
			record[0] = strconv.FormatFloat(p.values[i], 'g', -1, 32)
		}
		records = append(records, record)
		return nil
	})
	if err != nil {
		return err
	}
	return w.WriteAll(records)
}
