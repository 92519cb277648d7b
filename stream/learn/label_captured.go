package learn

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/wire"
)

// A captured is a request that was captured, and its labels as they are stored now.
type captured struct {
	*wire.Capture
	*wire.Join

	model, id string
	schema    *feature.Schema
	seq       uint64 // of the labels; 0: there are none
	ttl       string
}

// pending reports whether rows are claimed that may not be joined yet.
func (c *captured) pending() bool {
	for _, t := range c.Labels {
		if !t.Joined {
			return true
		}
	}
	return false
}

// claim claims the rows that l labels and that have no label yet. What is wrong with
// single rows is a problem; err is about all of l.
func (c *captured) claim(l *wire.Label) (claimed int, problem, err error) {
	labels := map[int]json.RawMessage{}
	switch {
	case l.Labels == nil && l.Row >= len(c.Instances):
		return 0, nil, fmt.Errorf("%w: id %s: row %d of a request of %d rows", wire.ErrInvalid, c.id, l.Row, len(c.Instances))
	case l.Labels == nil:
		labels[l.Row] = l.Label
	case len(l.Labels) != len(c.Instances):
		return 0, nil, fmt.Errorf("%w: id %s: %d labels for a request of %d rows", wire.ErrInvalid, c.id, len(l.Labels), len(c.Instances))
	}
	for row, label := range l.Labels {
		if string(label) != "null" {
			labels[row] = label
		}
	}
	for _, row := range slices.Sorted(maps.Keys(labels)) {
		label := labels[row]
		text, wrong := c.truth(row, label)
		if known := c.Labels[row]; known != nil && wrong == nil {
			if before, err := c.truth(row, known.Label); !bytes.Equal(known.Label, label) && (err != nil || before != text) {
				wrong = fmt.Errorf("%w: its label is %s already, this one is %s", wire.ErrConflict, known.Label, label)
			}
		}
		switch {
		case wrong != nil:
			problem = cmp.Or(problem, fmt.Errorf("id %s, row %d: %w", c.id, row, wrong))
		case c.Labels[row] == nil:
			c.Labels[row] = &wire.Truth{Label: label}
			claimed++
		}
	}
	return claimed, problem, nil
}

// truth checks a row and its label against the schema, and against the classes of the
// version that answered if the schema lists none, and returns the label as text. That a
// misspelt class does not become one matters more here than that a new one can: whoever labels
// knows it from elsewhere, and nobody sees the label before it is learned.
func (c *captured) truth(row int, label json.RawMessage) (string, error) {
	frame := feature.NewFrame(c.schema, true)
	_, problems, err := wire.DecodeExamples(c.schema, nil, c.Example(row, label), func(_ int, r feature.Row) error { return frame.Append(r) })
	if err == nil && len(problems) > 0 {
		err = problems[0].Err
	}
	if err != nil {
		return "", err
	}
	v := frame.Label(0)
	text := v.Text
	if v.Kind != feature.KindText {
		text = strconv.FormatFloat(v.Num, 'g', -1, 64)
	}
	if c.schema.Label.Type == feature.Category && len(c.schema.Label.Classes) == 0 && len(c.Classes) > 0 {
		if err := feature.CheckClass(text, c.Classes); err != nil {
			return "", fmt.Errorf("label %q of version %d: %w; a new class comes with an example that is pushed, or with classes in the spec",
				c.schema.Label.Name, c.Version, err)
		}
	}
	return text, nil
}

// messageID is the id of the training message of a row. It is of this prediction alone,
// also if its id is used again once it is no longer kept.
func (c *captured) messageID(row int) string {
	return fmt.Sprintf("label-%s-%s-%d-%d", c.model, c.id, row, c.Capture.Time.UnixNano())
}

// example returns the training message of a labelled row.
func (c *captured) example(subject string, row int) *nats.Msg {
	p := c.Predictions[row]
	h := nats.Header{}
	h.Set(wire.HeaderID, c.id)
	h.Set(wire.HeaderVersion, strconv.FormatUint(c.Version, 10))
	h.Set(wire.HeaderPrediction, wire.HeaderText(p.Text()))
	if p.Class {
		h.Set(wire.HeaderScore, strconv.FormatFloat(float64(p.Score), 'g', -1, 32))
	}
	if len(c.Instances) > 1 {
		h.Set(wire.HeaderRow, strconv.Itoa(row))
	}
	h.Set(jetstream.MsgIDHeader, c.messageID(row))
	return &nats.Msg{Subject: subject, Header: h, Data: c.Example(row, c.Labels[row].Label)}
}

// searched returns behind which sequence the examples of claimed rows are to be looked for.
func (c *captured) searched() uint64 {
	var from uint64
	first := true
	for _, t := range c.Labels {
		if !t.Joined && (first || t.After < from) {
			from, first = t.After, false
		}
	}
	return from
}

// goOn has a search go on behind that sequence: at 0, or where one that began at searched ended.
func (c *captured) goOn(from uint64) {
	for _, t := range c.Labels {
		if !t.Joined {
			t.After = from
		}
	}
}
