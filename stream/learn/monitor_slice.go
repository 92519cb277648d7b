package learn

import (
	"encoding/json"
	"slices"

	"github.com/modelbus/modelbus/model/drift"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/model/gate"
)

// sliceRows is how many rows of a trial the groups of numbers are made from. Those rows
// are in no group.
const sliceRows = 200

// A slicing puts the rows of a trial into groups of some features.
type slicing struct {
	names  []string
	schema *feature.Schema // of those features alone
	sketch *drift.Sketch   // nil once there is a slicer
	seen   int

	reference *drift.Reference
	slicer    *gate.Slicer
}

func newSlicing(s *feature.Schema, names []string) (*slicing, error) {
	z := &slicing{names: names, schema: sliced(s, names)}
	var err error
	z.sketch, err = drift.NewSketch(z.schema, drift.Options{})
	return z, err
}

// sliced returns the schema of some features alone.
func sliced(s *feature.Schema, names []string) *feature.Schema {
	part := &feature.Schema{Label: s.Label}
	for _, name := range names {
		if i, ok := s.Index(name); ok {
			part.Features = append(part.Features, s.Features[i])
		}
	}
	return part
}

// of reports whether z has the groups of those features, as a schema has them.
func (z *slicing) of(s *feature.Schema, names []string) bool {
	if z == nil {
		return len(names) == 0
	}
	return slices.Equal(z.names, names) && same(z.schema, sliced(s, names))
}

// view returns the features of rows that are looked at.
func (z *slicing) view(rows *feature.Frame) (*feature.Frame, error) {
	if z == nil {
		return nil, nil //nolint:nilnil // nothing is looked at
	}
	return project(rows, z.schema)
}

// groups returns the groups of row i of a view, none before there are any.
func (z *slicing) groups(view *feature.Frame, i int) ([]string, error) {
	if z == nil {
		return nil, nil
	}
	if z.slicer != nil {
		return z.slicer.Groups(nil, view, i), nil
	}
	if err := z.sketch.Add(view, []int{i}); err != nil {
		return nil, err
	}
	if z.seen++; z.seen < sliceRows {
		return nil, nil
	}
	z.reference, z.sketch = z.sketch.Reference(), nil
	var err error
	z.slicer, err = gate.NewSlicer(z.schema, z.names, z.reference)
	return nil, err
}

// storedSlicing is a slicing as it is stored.
type storedSlicing struct {
	Names     []string        `json:"names"`
	Schema    *feature.Schema `json:"schema"`
	Seen      int             `json:"seen"`
	Sketch    json.RawMessage `json:"sketch,omitempty"`
	Reference json.RawMessage `json:"reference,omitempty"`
}

// MarshalJSON implements [json.Marshaler].
func (z *slicing) MarshalJSON() ([]byte, error) {
	s := storedSlicing{Names: z.names, Schema: z.schema, Seen: z.seen}
	var err error
	if z.sketch != nil {
		s.Sketch, err = z.sketch.MarshalJSON()
	} else {
		s.Reference, err = z.reference.MarshalJSON()
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (z *slicing) UnmarshalJSON(text []byte) error {
	var s storedSlicing
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	if s.Schema == nil {
		s.Schema = &feature.Schema{}
	}
	n := slicing{names: s.Names, schema: s.Schema, seen: s.Seen}
	var err error
	if len(s.Reference) > 0 {
		n.reference = &drift.Reference{}
		if err = n.reference.UnmarshalJSON(s.Reference); err == nil {
			n.slicer, err = gate.NewSlicer(n.schema, n.names, n.reference)
		}
	} else if n.sketch, err = drift.NewSketch(n.schema, drift.Options{}); err == nil {
		err = n.sketch.UnmarshalJSON(s.Sketch)
	}
	if err == nil {
		*z = n
	}
	return err
}
