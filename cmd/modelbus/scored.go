package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/metric"
)

// A scored is what the rows of a file whose truth is known are scored by.
type scored struct {
	scores    *metric.Scores // nil if no row could be scored
	predicted int            // rows with a prediction
	unlabeled int            // of these, without a label
	unknown   map[string]int // of these, with a label that the model cannot predict: how many of each
}

// score compares predictions with the truth; it returns nil for a file without
// labels. A row whose label the model does not know (a class it was not trained
// on, or a text where a number is due) is counted and not scored: it rather tells
// of another spelling than of a wrong prediction.
func (p *predicted) score() *scored {
	if len(p.truth) == 0 {
		return nil
	}
	s := &scored{predicted: len(p.truth), unknown: map[string]int{}}
	if len(p.values) > 0 {
		p.regression(s)
	} else {
		p.classification(s)
	}
	return s
}

func (p *predicted) regression(s *scored) {
	pred, truth := make([]float32, 0, p.len()), make([]float32, 0, p.len())
	for i, t := range p.truth {
		if t.Kind == feature.KindMissing {
			s.unlabeled++
			continue
		}
		v, err := strconv.ParseFloat(textOf(t), 32)
		if err != nil {
			s.unknown[textOf(t)]++
			continue
		}
		pred, truth = append(pred, float32(p.values[i])), append(truth, float32(v))
	}
	if len(truth) > 0 {
		scores := metric.Regression(pred, truth, nil)
		s.scores = &scores
	}
}

func (p *predicted) classification(s *scored) {
	classes := p.classes()
	var prob, truth []float32
	for i, t := range p.truth {
		if t.Kind == feature.KindMissing {
			s.unlabeled++
			continue
		}
		class := slices.Index(classes, p.class(t))
		if class < 0 {
			s.unknown[textOf(t)]++
			continue
		}
		for _, c := range classes {
			prob = append(prob, float32(p.labels[i].Scores[c]))
		}
		truth = append(truth, float32(class))
	}
	if len(truth) > 0 {
		scores := metric.Classification(prob, truth, nil, classes)
		s.scores = &scores
	}
}

// classes returns the classes that the model knows.
func (p *predicted) classes() []string { return slices.Sorted(maps.Keys(p.labels[0].Scores)) }

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

// unscored says in a line which labels are unknown, and how many rows have each; it is
// empty if none is.
func (s *scored) unscored(p *predicted) string {
	if len(s.unknown) == 0 {
		return ""
	}
	words := slices.Sorted(maps.Keys(s.unknown))
	slices.SortStableFunc(words, func(a, b string) int { return s.unknown[b] - s.unknown[a] })
	rows, named := 0, make([]string, 0, classesShown)
	for i, w := range words {
		rows += s.unknown[w]
		if i < classesShown {
			named = append(named, fmt.Sprintf("%.60q (%d)", w, s.unknown[w]))
		}
	}
	text := strings.Join(named, ", ")
	if more := len(words) - classesShown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	what := "without a number for a label"
	if len(p.values) == 0 {
		what = "of classes that the model does not know"
		text += "; it knows " + quoted(p.classes())
	}
	return fmt.Sprintf("not scored, as they are %s: %d of %d rows: %s", what, rows, s.predicted, text)
}

// classesShown bounds how many classes are named.
const classesShown = 10

// quoted names up to classesShown words.
func quoted(words []string) string {
	named := make([]string, 0, classesShown)
	for _, w := range words[:min(len(words), classesShown)] {
		named = append(named, fmt.Sprintf("%.60q", w))
	}
	text := strings.Join(named, ", ")
	if more := len(words) - classesShown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// printScores prints the scores with the baseline beside them to standard error.
func (a *app) printScores(p *predicted, s *scored) {
	if text := s.unscored(p); text != "" {
		a.notef("%s", text)
	}
	switch {
	case s.scores == nil:
		a.notef("%s version %d: none of %d rows could be scored", p.model, p.version, s.predicted)
		return
	case s.scores.Rows < s.predicted:
		a.notef("%s version %d, %d of %d rows scored:", p.model, p.version, s.scores.Rows, s.predicted)
	default:
		a.notef("%s version %d, %d rows with labels:", p.model, p.version, s.scores.Rows)
	}
	for _, name := range slices.Sorted(maps.Keys(s.scores.Values)) {
		a.notef("  %-10s %s", name, number64(s.scores.Values[name]))
	}
	if v, ok := s.scores.Baseline["majority"]; ok {
		a.notef("for comparison, always the most frequent class: accuracy %s", number64(v))
	}
	if v, ok := s.scores.Baseline["mean"]; ok {
		a.notef("for comparison, always the mean of these labels: mse %s", number64(v))
	}
}
