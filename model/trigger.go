package model

import (
	"encoding/json"
	"maps"
	"reflect"

	"github.com/modelbus/modelbus/model/drift"
)

// Triggers are what makes a training due besides examples and time.
type Triggers struct {
	Drift bool // a change was signalled since the newest version

	// ScoreBelow are scores of the served version on recent labelled examples, by the
	// names of package metric: one that is worse than its value.
	ScoreBelow map[string]float64
}

// Any reports whether there is a trigger.
func (t Triggers) Any() bool { return t.Drift || len(t.ScoreBelow) > 0 }

// IsZero reports whether there is none.
func (t Triggers) IsZero() bool { return !t.Any() }

// MarshalJSON implements json.Marshaler.
func (t Triggers) MarshalJSON() ([]byte, error) {
	list := []any{}
	if t.Drift {
		list = append(list, triggerDrift)
	}
	if len(t.ScoreBelow) > 0 {
		list = append(list, map[string]any{triggerScore: t.ScoreBelow})
	}
	return json.Marshal(list)
}

const (
	triggerDrift = "drift"
	triggerScore = "score_below"
)

// decodeTriggers reads a list of drift and {score_below: {metric: value}}.
func decodeTriggers(n *node, t *Triggers) *SpecError {
	items := n.list
	if items == nil {
		items = []*node{n}
	}
	for _, item := range items {
		score := item.get(triggerScore)
		switch {
		case item.value == triggerDrift:
			t.Drift = true
		case !score.isNull() && len(item.fields) == 1:
			if err := decodeScores(score, t); err != nil {
				return err
			}
		default:
			return item.errorf("on is a list of drift and {score_below: {accuracy: 0.8}}, got %s", item)
		}
	}
	return nil
}

// decodeScores adds a mapping of scores, each of which is named once.
func decodeScores(n *node, t *Triggers) *SpecError {
	var scores map[string]float64
	if err := decodeInto(n, reflect.ValueOf(&scores).Elem(), triggerScore); err != nil {
		return err
	}
	if len(scores) == 0 {
		return n.errorf("%s names no score, such as accuracy: 0.8", triggerScore)
	}
	for _, f := range n.fields {
		if _, twice := t.ScoreBelow[f.key]; twice {
			return f.errorf("%s.%s is there twice", triggerScore, shorten(f.key))
		}
	}
	if t.ScoreBelow == nil {
		t.ScoreBelow = map[string]float64{}
	}
	maps.Copy(t.ScoreBelow, scores)
	return nil
}

// A Detector is a method of package drift in a spec; without one, the default.
type Detector struct{ drift.Method }

// IsZero reports whether there is no method.
func (d Detector) IsZero() bool { return d.Method == nil }

// New returns a detector that has seen nothing.
func (d Detector) New() (drift.Detector, error) {
	if d.Method == nil {
		return drift.ADWIN{Delta: 0.01, Mode: drift.Up}.New()
	}
	return d.Method.New()
}

// MarshalJSON implements json.Marshaler.
func (d Detector) MarshalJSON() ([]byte, error) { return json.Marshal(objectForm(d.Config())) }
