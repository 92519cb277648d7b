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

// encodeOnline writes a learner's state; it shares no memory with it.
func encodeOnline(s *feature.Schema, running map[string][]float64, counts *learned, mem *memory) (*online, error) {
	rows := mem.newest()
	o := &online{header: onlineHeader{Examples: counts.Examples, Skipped: counts.Skipped, Replay: rows.Len()}}
	for name, values := range running {
		o.tensors = append(o.tensors, tensorF64(runningPrefix+name, values))
	}
	if len(counts.classes) > 0 {
		o.tensors = append(o.tensors, tensorF64(classesName, slices.Clone(counts.classes)))
	}
	if rows.Len() > 0 {
		w := replayWriter{online: o, rows: rows}
		for i := range s.Features {
			w.feature(i, &s.Features[i])
		}
		w.label(&s.Label)
	}
	slices.SortFunc(o.tensors, func(a, b tensor) int { return strings.Compare(a.name, b.name) })
	for i := range o.tensors {
		if at := o.tensors[i].notFinite(); at >= 0 {
			return nil, fmt.Errorf("%w: %s has become infinite", feature.ErrInvalid, o.tensors[i].name)
		}
	}
	return o, nil
}

// A replayWriter writes the remembered rows, a column a tensor.
type replayWriter struct {
	*online

	rows *feature.Frame
}

func (w *replayWriter) feature(column int, ft *feature.Feature) {
	n := w.rows.Len()
	absent := make([]float64, n)
	if ft.Type == feature.Vector {
		values := make([]float32, n*ft.Size)
		for i := range n {
			row := make([]float32, ft.Size)
			if w.vector(row, column, i) {
				copy(values[i*ft.Size:], row)
			} else {
				absent[i] = 1
			}
		}
		w.tensors = append(w.tensors, tensorF32(replayPrefix+ft.Name, []int{n, ft.Size}, values))
	} else {
		values := make([]float64, n)
		codes := codes{}
		for i := range n {
			x, ok := w.rows.Number(column, i)
			if ft.Type == feature.Category {
				var word string
				if word, ok = w.rows.Category(column, i); ok {
					x = codes.of(word)
				}
			}
			if ok {
				values[i] = x
			} else {
				absent[i] = 1
			}
		}
		w.words(ft.Name, codes)
		w.tensors = append(w.tensors, tensorF64(replayPrefix+ft.Name, values))
	}
	if ft.Missing != "" && ft.Missing != feature.MissingError {
		w.tensors = append(w.tensors, tensorF64(missingPrefix+ft.Name, absent))
	}
}

func (w *replayWriter) vector(dst []float32, column, i int) bool {
	value := w.rows.Row(i).Values[column]
	copy(dst, value.Vector)
	return value.Kind == feature.KindVector
}

func (w *replayWriter) label(l *feature.Label) {
	n := w.rows.Len()
	values, weights := make([]float64, n), make([]float64, n)
	codes := codes{}
	for i := range n {
		v := w.rows.Label(i)
		values[i], weights[i] = v.Num, w.rows.Weight(i)
		if l.Type == feature.Category {
			values[i] = codes.of(v.Text)
		}
	}
	w.words(labelName, codes)
	w.tensors = append(w.tensors, tensorF64(replayPrefix+labelName, values), tensorF64(weightName, weights))
}

func (w *replayWriter) words(name string, c codes) {
	if len(c.words) == 0 {
		return
	}
	if w.header.Words == nil {
		w.header.Words = map[string][]string{}
	}
	w.header.Words[name] = c.words
}

// codes number words in order of appearance.
type codes struct {
	index map[string]int
	words []string
}

func (c *codes) of(word string) float64 {
	if c.index == nil {
		c.index = map[string]int{}
	}
	i, ok := c.index[word]
	if !ok {
		i = len(c.words)
		c.index[word] = i
		c.words = append(c.words, strings.Clone(word))
	}
	return float64(i)
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
func (o *online) decode(file File, p *feature.Pipeline) (*past, error) {
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
	running, err := feature.RestoreRunning(p, state, feature.RunningOptions{})
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

// A replayReader reads the remembered rows.
type replayReader struct {
	*online

	left  map[string]tensor
	words map[string][]string // not used yet
}

// take removes the tensor name, which must be of that type and shape.
func (r *replayReader) take(name, dtype string, shape ...int) (tensor, error) {
	t, ok := r.left[name]
	if !ok {
		return t, fmt.Errorf("there is no tensor %q", shorten(name))
	}
	if t.dtype != dtype || !slices.Equal(t.shape, shape) {
		return t, fmt.Errorf("tensor %q must be %s %v, got %s %v", shorten(name), dtype, shape, t.dtype, t.shape)
	}
	delete(r.left, name)
	return t, nil
}

// counts reads how often each class was seen.
func (r *replayReader) counts(classes int) ([]float64, error) {
	t, err := r.take(classesName, dtypeF64, classes)
	if err != nil {
		return nil, err
	}
	values := t.float64s()
	for _, v := range values {
		if _, err := whole(v, 1<<53); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", classesName, err)
		}
	}
	return values, nil
}

// whole returns x if it is a whole number in [0, end).
func whole(x float64, end int64) (int, error) {
	if n := int64(x); x >= 0 && x < float64(end) && float64(n) == x {
		return int(n), nil
	}
	return 0, fmt.Errorf("%v is no whole number below %d", x, end)
}

func (r *replayReader) read(s *feature.Schema) (*feature.Frame, error) {
	frame := feature.NewFrame(s, true)
	n := r.header.Replay
	if n == 0 {
		return frame, nil
	}
	columns := make([][]feature.Value, len(s.Features))
	for i := range s.Features {
		var err error
		if columns[i], err = r.column(&s.Features[i]); err != nil {
			return nil, err
		}
	}
	labels, err := r.values(labelName, s.Label.Type)
	if err != nil {
		return nil, err
	}
	weights, err := r.take(weightName, dtypeF64, n)
	if err != nil {
		return nil, err
	}
	weight := weights.float64s()
	row := feature.Row{Values: make([]feature.Value, len(columns))}
	for i := range n {
		for k := range columns {
			row.Values[k] = columns[k][i]
		}
		row.Label, row.Weight = labels[i], weight[i]
		if err := frame.Append(row); err != nil {
			return nil, fmt.Errorf("remembered row %d: %w", i, err)
		}
	}
	return frame, nil
}

// column reads the values of a feature.
func (r *replayReader) column(ft *feature.Feature) ([]feature.Value, error) {
	n := r.header.Replay
	var absent []float64
	if ft.Missing != "" && ft.Missing != feature.MissingError {
		t, err := r.take(missingPrefix+ft.Name, dtypeF64, n)
		if err != nil {
			return nil, err
		}
		absent = t.float64s()
	}
	var values []feature.Value
	var err error
	if ft.Type == feature.Vector {
		values, err = r.vectors(ft)
	} else {
		values, err = r.values(ft.Name, ft.Type, absent...)
	}
	if err != nil {
		return nil, err
	}
	for i, x := range absent {
		if x != 0 {
			values[i] = feature.Value{}
		}
	}
	return values, nil
}

func (r *replayReader) vectors(ft *feature.Feature) ([]feature.Value, error) {
	n := r.header.Replay
	t, err := r.take(replayPrefix+ft.Name, dtypeF32, n, ft.Size)
	if err != nil {
		return nil, err
	}
	flat, _ := t.float32s()
	values := make([]feature.Value, n)
	for i := range values {
		values[i] = feature.Value{Kind: feature.KindVector, Vector: flat[i*ft.Size : (i+1)*ft.Size]}
	}
	return values, nil
}

// values reads a column of numbers, truth values or categories. Where absent is not 0 a
// category has no word.
func (r *replayReader) values(name string, kind feature.Type, absent ...float64) ([]feature.Value, error) {
	t, err := r.take(replayPrefix+name, dtypeF64, r.header.Replay)
	if err != nil {
		return nil, err
	}
	words := r.header.Words[name]
	if kind == feature.Category {
		delete(r.words, name)
	}
	numbers := t.float64s()
	values := make([]feature.Value, len(numbers))
	for i, x := range numbers {
		switch {
		case kind == feature.Number:
			values[i] = feature.Value{Kind: feature.KindNumber, Num: x}
		case kind == feature.Boolean:
			values[i] = feature.Value{Kind: feature.KindBool, Num: x}
		case absent != nil && absent[i] != 0:
		default:
			code, err := whole(x, int64(len(words)))
			if err != nil {
				return nil, fmt.Errorf("tensor %q: %w", shorten(t.name), err)
			}
			values[i] = feature.Value{Kind: feature.KindText, Text: words[code]}
		}
	}
	return values, nil
}
