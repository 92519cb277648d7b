package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/modelbus/modelbus/model/dataset"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/metric"
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
	values  []float64
	labels  []wire.Classification
	truth   []feature.Value // empty, or one a row
}

func newPredicted(s *feature.Schema) *predicted { return &predicted{schema: s} }

func (p *predicted) len() int { return max(len(p.values), len(p.labels)) }

func (p *predicted) add(r *wire.Predictions) {
	p.model, p.version = r.Model, r.Version
	p.values = append(p.values, r.Values...)
	p.labels = append(p.labels, r.Labels...)
}

// An origin is where a row comes from, and its label if there is one.
type origin struct {
	line  int
	label feature.Value
}

// A scorer predicts the rows of a file, chunk by chunk.
type scorer struct {
	app      *app
	client   *client.Client
	ref      string
	rows     *dataset.Bound
	out      *predicted
	rejected int
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
			s.reject(atLine(s.rows.Line(), err))
			continue
		case err != nil:
			return err
		}
		from = append(from, origin{line: s.rows.Line(), label: row.Label})
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
// about each alone, so that only the bad ones are left out.
func (s *scorer) chunk(ctx context.Context, frame *feature.Frame, from []origin) error {
	if frame.Len() == 0 {
		return nil
	}
	p, err := s.client.PredictFrame(ctx, s.ref, frame)
	if err == nil {
		s.out.add(p)
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
		s.reject(atLine(from[0].line, err))
		return nil
	}
	for i := range frame.Len() {
		if err := s.chunk(ctx, frame.Range(i, i+1), from[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (s *scorer) reject(err error) {
	if s.rejected++; s.rejected <= rejectsShown {
		s.app.notef("not predicted: %v", err)
	}
	if s.rejected == rejectsShown {
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

// scores returns the scores of the rows whose truth is known, nil if there are none.
func (p *predicted) scores() (*metric.Scores, error) {
	if len(p.truth) == 0 {
		return nil, nil //nolint:nilnil // no truth, no scores
	}
	if len(p.values) > 0 {
		return p.regression()
	}
	return p.classification()
}

func (p *predicted) regression() (*metric.Scores, error) {
	pred, truth := make([]float32, 0, p.len()), make([]float32, 0, p.len())
	for i, t := range p.truth {
		if t.Kind == feature.KindMissing {
			continue
		}
		v, err := strconv.ParseFloat(textOf(t), 32)
		if err != nil {
			return nil, fmt.Errorf("%w: label %q is no number: %q", feature.ErrInvalid, p.schema.Label.Name, textOf(t))
		}
		pred, truth = append(pred, float32(p.values[i])), append(truth, float32(v))
	}
	s := metric.Regression(pred, truth, nil)
	return &s, nil
}

func (p *predicted) classification() (*metric.Scores, error) {
	classes := slices.Sorted(maps.Keys(p.labels[0].Scores))
	known := len(classes)
	for _, t := range p.truth {
		if c := p.class(t); t.Kind != feature.KindMissing && !slices.Contains(classes, c) {
			classes = append(classes, c) // one the model never saw: every such row is wrong
		}
	}
	var prob, truth []float32
	for i, t := range p.truth {
		if t.Kind == feature.KindMissing {
			continue
		}
		for _, c := range classes[:known] {
			prob = append(prob, float32(p.labels[i].Scores[c]))
		}
		prob = append(prob, make([]float32, len(classes)-known)...)
		truth = append(truth, float32(slices.Index(classes, p.class(t))))
	}
	s := metric.Classification(prob, truth, nil, classes)
	return &s, nil
}

// class returns the class that a label names, as the model writes it.
func (p *predicted) class(t feature.Value) string {
	text := textOf(t)
	if p.schema.Label.Type != feature.Boolean {
		return text
	}
	switch text = strings.ToLower(text); text {
	case "1", "t", "yes":
		return "true"
	case "0", "f", "no":
		return "false"
	}
	return text
}

func textOf(v feature.Value) string {
	switch v.Kind {
	case feature.KindNumber:
		return strconv.FormatFloat(v.Num, 'g', -1, 64)
	case feature.KindBool:
		return strconv.FormatBool(v.Num != 0)
	default:
		return v.Text
	}
}

// printPredicted prints predictions to standard output and scores to standard
// error, or all of it as JSON.
func (a *app) printPredicted(p *predicted, asCSV bool) error {
	scores, err := p.scores()
	if err != nil {
		return err
	}
	switch {
	case a.json:
		return a.printJSON(struct {
			Model       string         `json:"model_name"`
			Version     string         `json:"model_version"`
			Predictions any            `json:"predictions"`
			Scores      *metric.Scores `json:"scores,omitempty"`
		}{p.model, strconv.FormatUint(p.version, 10), p.json(), scores})
	case asCSV:
		err = a.printCSV(p)
	default:
		err = a.printPlain(p)
	}
	if err == nil && scores != nil {
		a.printScores(p, scores)
	}
	return err
}

func (p *predicted) json() any {
	if len(p.labels) > 0 {
		return p.labels
	}
	return p.values
}

func (a *app) printPlain(p *predicted) error {
	for _, v := range p.values {
		if err := a.printf("%s\n", strconv.FormatFloat(v, 'g', -1, 32)); err != nil {
			return err
		}
	}
	for _, l := range p.labels {
		if err := a.printf("%s %s\n", l.Label, number(l.Score)); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printCSV(p *predicted) error {
	w := csv.NewWriter(a.out)
	header := []string{p.schema.Label.Name}
	var classes []string
	if len(p.labels) > 0 {
		classes = slices.Sorted(maps.Keys(p.labels[0].Scores))
		header = append(header, "score")
		header = append(header, classes...)
	}
	records := [][]string{header}
	for _, v := range p.values {
		records = append(records, []string{strconv.FormatFloat(v, 'g', -1, 32)})
	}
	for _, l := range p.labels {
		record := []string{l.Label, strconv.FormatFloat(l.Score, 'g', -1, 32)}
		for _, c := range classes {
			record = append(record, strconv.FormatFloat(l.Scores[c], 'g', -1, 32))
		}
		records = append(records, record)
	}
	return w.WriteAll(records)
}

// printScores prints the scores with the baseline beside them.
func (a *app) printScores(p *predicted, s *metric.Scores) {
	a.notef("%s version %d, %d rows with labels:", p.model, p.version, s.Rows)
	for _, name := range slices.Sorted(maps.Keys(s.Values)) {
		a.notef("  %-10s %s", name, number64(s.Values[name]))
	}
	if v, ok := s.Baseline["majority"]; ok {
		a.notef("for comparison, always the most frequent class: accuracy %s", number64(v))
	}
	if v, ok := s.Baseline["mean"]; ok {
		a.notef("for comparison, always the mean of these labels: mse %s", number64(v))
	}
}
