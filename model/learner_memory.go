package model

import "github.com/modelbus/modelbus/model/feature"

// A memory holds the newest rows that were learned, and those that are about to be.
type memory struct {
	rows  int // to be kept
	frame *feature.Frame
	spare *feature.Frame // its rows come from frame when that has grown to twice what is kept

	classes []float32 // of the rows of frame: those of a classification never change
}

// memorySlack is how many rows a memory takes before it drops old ones, besides as many as
// it keeps: less copying for little memory.
const memorySlack = 256

func newMemory(s *feature.Schema, rows int) memory {
	return memory{rows: rows, frame: feature.NewFrame(s, true), spare: feature.NewFrame(s, true)}
}

// add takes a copy of row i of src, whose target is given; the newest pending rows are
// kept, however many.
func (m *memory) add(src *feature.Frame, i int, target float32, pending int) error {
	if keep := m.rows + pending; m.frame.Len() >= 2*keep+memorySlack {
		m.spare.Reset()
		for k := m.frame.Len() - keep; k < m.frame.Len(); k++ {
			if err := m.spare.AppendFrom(m.frame, k); err != nil {
				return err
			}
		}
		m.frame, m.spare = m.spare, m.frame
		m.classes = append(m.classes[:0], m.classes[len(m.classes)-keep:]...)
	}
	m.classes = append(m.classes, target)
	return m.frame.AppendFrom(src, i)
}

// truncate drops the rows from n on.
func (m *memory) truncate(n int) {
	m.frame.Truncate(n)
	m.classes = m.classes[:n]
}

// newest returns the rows that are kept, oldest first.
func (m *memory) newest() *feature.Frame {
	n := m.frame.Len()
	return m.frame.Range(n-min(n, m.rows), n)
}
