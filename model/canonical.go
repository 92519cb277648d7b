package model

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/nn"
)

// The canonical form lists the sections in the order of the struct; empty ones
// are left out.
type canonicalSpec struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Features    []feature.Feature `json:"features"`
	Label       feature.Label     `json:"label"`
	Network     []any             `json:"network,omitempty"`
	Optimizer   any               `json:"optimizer,omitempty"`
	Loss        any               `json:"loss,omitempty"`
	Training    *Training         `json:"training,omitempty"`
	Serving     *Serving          `json:"serving,omitempty"`
	Retrain     *Retrain          `json:"retrain,omitempty"`
	Capture     Duration          `json:"capture,omitzero"`
}

func (s *Spec) canonical() canonicalSpec {
	c := canonicalSpec{
		Name: s.Name, Description: s.Description,
		Features: s.Schema.Features, Label: s.Schema.Label,
	}
	for _, l := range s.Network {
		c.Network = append(c.Network, objectForm(l.Config()))
	}
	if s.Optimizer != nil {
		c.Optimizer = objectForm(s.Optimizer.Config())
	}
	if s.Loss != nil {
		c.Loss = objectForm(s.Loss.Config())
	}
	if !reflect.ValueOf(s.Training).IsZero() {
		c.Training = &s.Training
	}
	if s.Serving != (Serving{}) {
		c.Serving = &s.Serving
	}
	c.Retrain, c.Capture = s.Retrain, s.Capture
	return c
}

// MarshalJSON returns the canonical JSON form: the same spec, the same bytes.
// Keys stand in a fixed order, those of arguments and maps sorted; what is left
// to its default is left out. A spec with a nil layer has none.
func (s *Spec) MarshalJSON() ([]byte, error) {
	for i, l := range s.Network {
		if l == nil {
			return nil, fmt.Errorf("encoding spec %q: layer %d of the network is nil", s.Name, i+1)
		}
	}
	text, err := json.Marshal(s.canonical())
	if err != nil {
		return nil, fmt.Errorf("encoding spec %q: %w", s.Name, err)
	}
	return text, nil
}

// UnmarshalJSON is ParseSpec.
func (s *Spec) UnmarshalJSON(text []byte) error {
	parsed, err := ParseSpec(text)
	if err != nil {
		return err
	}
	*s = *parsed
	return nil
}

// clone returns a copy that shares no memory with s, as its canonical form reads.
func (s *Spec) clone() (*Spec, error) {
	text, err := s.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return ParseSpec(text)
}

// objectForm returns c as a spec writes it: its bare name, or {Name: arguments}.
func objectForm(c nn.Config) any {
	if len(c.Args) == 0 {
		return c.Name
	}
	return map[string]any{c.Name: argumentForm(c.Args)}
}

// argumentForm replaces nested objects by the form in which a spec writes them.
func argumentForm(v any) any {
	switch v := v.(type) {
	case nn.Config:
		return objectForm(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = argumentForm(v[i])
		}
		return out
	case map[string]any:
		name, ok := v["class_name"].(string)
		if args, isMap := v["config"].(map[string]any); ok && isMap {
			return objectForm(nn.Config{Name: name, Args: args})
		}
		out := make(map[string]any, len(v))
		for key := range v {
			out[key] = argumentForm(v[key])
		}
		return out
	}
	return v
}
