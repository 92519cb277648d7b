package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/modelbus/modelbus/model/feature"
)

// The parts of an artifact that a [Learner] goes on from, described in FORMAT.md.
const (
	keyOnline = "online" // metadata: JSON of onlineHeader

	onlinePrefix  = "online."
	runningPrefix = "online.running."
	classesName   = "online.classes"
	replayPrefix  = "online.replay."
	missingPrefix = "online.missing."
	weightName    = "online.weight"
	labelName     = ".label"
)

// online is the state of a learner as an artifact holds it: encoded, since serving has no
// use for it. It is immutable.
type online struct {
	header  onlineHeader
	tensors []tensor // sorted by name
}

// onlineHeader is the metadata of a learner's state.
type onlineHeader struct {
	Examples int64               `json:"examples"`
	Skipped  int64               `json:"skipped"`
	Replay   int                 `json:"replay"`          // rows remembered
	Words    map[string][]string `json:"words,omitempty"` // of the remembered rows, by feature, in order of appearance
}

// past is a decoded [online].
type past struct {
	running *feature.Running
	counts  learned
	replay  *feature.Frame
}

// metadata returns the header's JSON, which is the same for the same header.
func (o *online) metadata() (string, error) {
	text, err := json.Marshal(o.header)
	if err != nil {
		return "", fmt.Errorf("metadata %q: %w", keyOnline, err)
	}
	return string(text), nil
}

// decodeOnline takes the tensors of a learner's state from left.
func decodeOnline(text string, left tensorSet) (*online, error) {
	o := &online{}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&o.header); err != nil {
		return nil, fmt.Errorf("metadata %q: %w", keyOnline, err)
	}
	if canonical, err := o.metadata(); err != nil || canonical != text {
		return nil, fmt.Errorf("metadata %q is not in canonical form", keyOnline)
	}
	if h := o.header; h.Examples < 0 || h.Skipped < 0 || h.Replay < 0 || h.Replay > maxReplay || int64(h.Replay) > h.Examples {
		return nil, fmt.Errorf("metadata %q: %d examples, %d steps skipped, %d rows remembered cannot be", keyOnline, h.Examples, h.Skipped, h.Replay)
	}
	for name, t := range left {
		if strings.HasPrefix(name, onlinePrefix) {
			o.tensors = append(o.tensors, t)
			delete(left, name)
		}
	}
	slices.SortFunc(o.tensors, func(a, b tensor) int { return strings.Compare(a.name, b.name) })
	return o, nil
}

// clone returns a copy of o with memory of its own.
func (o *online) clone() *online {
	c := &online{header: o.header, tensors: slices.Clone(o.tensors)}
	for i := range c.tensors {
		c.tensors[i].data = bytes.Clone(c.tensors[i].data)
	}
	return c
}

// check verifies what o has in file, nil for memory.
func (o *online) check(file File) error {
	for i := range o.tensors {
		if file == nil {
			file = loose(nil)
		}
		if err := o.tensors[i].check(file); err != nil {
			return err
		}
	}
	return nil
}

// decode reads the state of a learner whose pipeline is p. It trusts nothing.
func (o *online) decode(file File, p *feature.Pipeline, opts feature.RunningOptions) (*past, error) {
	if err := o.check(file); err != nil {
		return nil, err
	}
	left := map[string]tensor{}
	state := map[string][]float64{}
	for _, t := range o.tensors {
		if name, ok := strings.CutPrefix(t.name, runningPrefix); ok {
			if t.dtype != dtypeF64 || len(t.shape) != 1 {
				return nil, fmt.Errorf("tensor %q must be %s with one dimension, got %s %v", shorten(t.name), dtypeF64, t.dtype, t.shape)
			}
			state[name] = t.float64s()
			continue
		}
		left[t.name] = t
	}
	running, err := feature.RestoreRunning(p, state, opts)
	if err != nil {
		return nil, err
	}
	out := &past{running: running, counts: learned{
		Examples: o.header.Examples, Skipped: o.header.Skipped, classes: make([]float64, len(p.Classes())),
	}}
	r := replayReader{online: o, left: left, words: maps.Clone(o.header.Words)}
	if len(out.counts.classes) > 0 {
		if out.counts.classes, err = r.counts(len(p.Classes())); err != nil {
			return nil, err
		}
	}
	if out.replay, err = r.read(p.Schema()); err != nil {
		return nil, err
	}
	for name := range r.left {
		return nil, fmt.Errorf("tensor %q does not belong to the model", shorten(name))
	}
	for name := range r.words {
		return nil, fmt.Errorf("metadata %q has words of %q, which has no use for them", keyOnline, shorten(name))
	}
	return out, o.same(running, out, p)
}

// same returns an error unless what was decoded encodes to o.
func (o *online) same(running *feature.Running, out *past, p *feature.Pipeline) error {
	again, err := encodeOnline(p.Schema(), running.State(), &out.counts, &memory{rows: out.replay.Len(), frame: out.replay})
	if err != nil {
		return err
	}
	equal := slices.EqualFunc(o.tensors, again.tensors, func(a, b tensor) bool {
		return a.name == b.name && bytes.Equal(a.data, b.data)
	})
	if !equal || !maps.EqualFunc(o.header.Words, again.header.Words, slices.Equal[[]string]) {
		return errors.New("the state of learning is not in canonical form")
	}
	return nil
}
