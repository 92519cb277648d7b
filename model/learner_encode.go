package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/modelbus/modelbus/model/feature"
)

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
	absent := make([]float64, w.rows.Len())
	if ft.Type == feature.Vector {
		w.vectors(column, ft, absent)
	} else {
		w.values(column, ft, absent)
	}
	if ft.Missing != "" && ft.Missing != feature.MissingError {
		w.tensors = append(w.tensors, tensorF64(missingPrefix+ft.Name, absent))
	}
}

// vectors writes a column of vectors, and sets absent to 1 where there is none.
func (w *replayWriter) vectors(column int, ft *feature.Feature, absent []float64) {
	n := w.rows.Len()
	values, row := make([]float32, n*ft.Size), make([]float64, ft.Size)
	for i := range n {
		if !w.rows.Vector(row, column, i) {
			absent[i] = 1
			continue
		}
		for j, x := range row {
			values[i*ft.Size+j] = float32(x) // it was one
		}
	}
	w.tensors = append(w.tensors, tensorF32(replayPrefix+ft.Name, []int{n, ft.Size}, values))
}

// values writes a column of numbers, truth values or categories likewise.
func (w *replayWriter) values(column int, ft *feature.Feature, absent []float64) {
	values := make([]float64, w.rows.Len())
	codes := codes{}
	for i := range values {
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
