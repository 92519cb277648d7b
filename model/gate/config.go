package gate

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/metric"
	"github.com/modelbus/modelbus/model/nn"
)

// The kinds of gates.
const (
	Holdout = "holdout" // scores on the same held-out rows
	Live    = "stream"  // scores of labelled examples as they come, see [Stream]
)

const (
	defaultAlpha       = 0.05
	defaultMinExamples = 500
	defaultMinSlice    = 100
)

// A Config is the section retrain.gate of a spec. Zero fields mean the default.
type Config struct {
	Kind        string  `json:"kind,omitempty" yaml:"kind,omitempty"`                 // default [Holdout]
	Alpha       float64 `json:"alpha,omitempty" yaml:"alpha,omitempty"`               // stream: see [StreamOptions]
	MinExamples int     `json:"min_examples,omitempty" yaml:"min_examples,omitempty"` // stream: default 500; holdout: the fewest held-out rows, default 1
	Test        string  `json:"test,omitempty" yaml:"test,omitempty"`                 // stream: default [Paired]
	Margin      float64 `json:"margin,omitempty" yaml:"margin,omitempty"`             // stream: see [StreamOptions]

	// Thresholds are the scores that must be reached, by the names of package
	// metric: at least the value, at most where lower is better.
	Thresholds map[string]float64 `json:"thresholds,omitempty" yaml:"thresholds,omitempty"`

	// Change is by how much a score may be worse than the champion's: 0 means not
	// at all, a negative number that it must be better by as much.
	Change map[string]float64 `json:"change,omitempty" yaml:"change,omitempty"`

	// Slices are features, none a vector. In no group of rows that have the same
	// value of one (numbers of many values: the same quarter of the reference) may a
	// score be worse by more than Change allows.
	Slices []string `json:"slices,omitempty" yaml:"slices,omitempty"`

	// MinSlice is how many rows a group needs to be judged; default 100.
	MinSlice int `json:"min_slice,omitempty" yaml:"min_slice,omitempty"`
}

// Stream returns the options of the stream gate that c describes.
func (c *Config) Stream() StreamOptions {
	return StreamOptions{Alpha: c.Alpha, MinExamples: c.MinExamples, Test: c.Test, Margin: c.Margin}
}

// Check returns what is wrong with c for models of the schema: [*FieldError],
// several joined.
func (c *Config) Check(s *feature.Schema) error {
	var errs []error
	wrong := func(path, format string, args ...any) {
		errs = append(errs, &FieldError{path, fmt.Sprintf(format, args...)})
	}
	if c.Kind != "" && c.Kind != Holdout && c.Kind != Live {
		wrong("kind", "%s", unknownWord("kind", c.Kind, []string{Holdout, Live}))
	}
	if c.Kind == Live {
		if c.Test != "" && c.Test != Paired && c.Test != Separate {
			wrong("test", "%s", unknownWord("test", c.Test, []string{Paired, Separate}))
		}
		if c.Alpha != 0 && !(c.Alpha > 0 && c.Alpha < 1) {
			wrong("alpha", "must be in (0, 1), got %v", c.Alpha)
		}
		if !(c.Margin >= 0 && c.Margin < 1) {
			wrong("margin", "must be in [0, 1), got %v", c.Margin)
		}
	} else if c.Alpha != 0 || c.Test != "" || c.Margin != 0 {
		wrong("kind", "alpha, test and margin are those of kind %q: set it, or leave them out", Live)
	}
	if c.MinExamples < 0 {
		wrong("min_examples", "must not be negative, got %d", c.MinExamples)
	}
	if c.MinSlice < 0 {
		wrong("min_slice", "must not be negative, got %d", c.MinSlice)
	}
	names := metric.RegressionNames()
	if s.Label.Type != feature.Number {
		names = metric.ClassificationNames()
	}
	c.checkScores(names, wrong)
	c.checkSlices(s, wrong)
	return errors.Join(errs...)
}

func (c *Config) checkScores(names []string, wrong func(path, format string, args ...any)) {
	for _, section := range []struct {
		name   string
		values map[string]float64
	}{{"thresholds", c.Thresholds}, {"change", c.Change}} {
		for _, name := range slices.Sorted(maps.Keys(section.values)) {
			path, v := section.name+"."+name, section.values[name]
			switch unit := name == metric.Accuracy || name == metric.F1Macro || name == metric.ROCAUC; {
			case !slices.Contains(names, name):
				wrong(path, "%s", unknownWord("metric", name, names))
			case c.Kind == Live && (name == metric.F1Macro || name == metric.ROCAUC):
				wrong(path, "the metric %s needs all predictions at once: a gate of kind %q knows accuracy and log_loss", name, Live)
			case math.IsNaN(v) || math.IsInf(v, 0):
				wrong(path, "must be a finite number, got %v", v)
			case unit && (v > 1 || v < 0 && section.name == "thresholds" || v < -1):
				wrong(path, "the metric %s is from 0 to 1, got %v", name, v)
			}
		}
	}
}

func (c *Config) checkSlices(s *feature.Schema, wrong func(path, format string, args ...any)) {
	if len(c.Slices) > 0 && len(c.Change) == 0 {
		wrong("slices", "groups are compared by the thresholds of change: set it, such as change: {accuracy: 0.02}")
	}
	names := make([]string, len(s.Features))
	for i := range s.Features {
		names[i] = s.Features[i].Name
	}
	for i, name := range c.Slices {
		path := fmt.Sprintf("slices.%d", i)
		switch at, known := s.Index(name); {
		case !known:
			wrong(path, "%s", unknownWord("feature", name, names))
		case s.Features[at].Type == feature.Vector:
			wrong(path, "the feature %q is a vector: a number, category or boolean is due", name)
		case slices.Contains(c.Slices[:i], name):
			wrong(path, "the feature %q is listed twice", name)
		}
	}
}

func unknownWord(kind, word string, known []string) string {
	msg := fmt.Sprintf("unknown %s %.60q", kind, word)
	if near := nn.Nearest(word, known); near != "" {
		msg += fmt.Sprintf(", did you mean %s?", near)
	}
	return msg + " (known: " + strings.Join(known, ", ") + ")"
}
