package model

import (
	"fmt"
	"slices"

	"github.com/modelbus/modelbus/model/feature"
)

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
