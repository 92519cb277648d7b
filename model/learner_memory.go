package model

import (
	"unicode/utf8"

	"github.com/modelbus/modelbus/model/feature"
)

// A memory holds the newest rows that were learned, and those that are about to be.
type memory struct {
	rows  int // to be kept
	frame *feature.Frame
	spare *feature.Frame // its rows come from frame when that has grown to twice what is kept

	classes []float32 // of the rows of frame: those of a classification never change

	texts []int // the columns of categories
	room  int   // of an artifact's header for those of a row, in bytes
}

// memorySlack is how many rows a memory takes before it drops old ones, besides as many as
// it keeps: less copying for little memory.
const memorySlack = 256

// maxWords bounds what the categories of the rows that are kept take of an artifact's
// header, in bytes. Each row has its share of it.
const maxWords = 5 << 20

func newMemory(s *feature.Schema, rows int) memory {
	m := memory{rows: rows, frame: feature.NewFrame(s, true), spare: feature.NewFrame(s, true), room: maxWords / max(rows, 1)}
	for i := range s.Features {
		if s.Features[i].Type == feature.Category {
			m.texts = append(m.texts, i)
		}
	}
	return m
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

// tooLong reports whether the categories of a row from first on take more than its share.
func (m *memory) tooLong(first int) bool {
	for i := first; i < m.frame.Len(); i++ {
		left := m.room
		for _, column := range m.texts {
			if word, ok := m.frame.Category(column, i); ok {
				left -= headerBytes(word)
			}
		}
		if left < 0 {
			return true
		}
	}
	return false
}

// headerBytes returns how many bytes word takes at most in an artifact's header, where it
// is quoted twice: as JSON in JSON.
func headerBytes(word string) int {
	const quotes, escaped = 5, 7 // \"\", and \\u0000
	n := quotes
	for _, c := range word {
		switch {
		case c == '"' || c == '\\':
			n += 4
		case c < ' ', c == '<', c == '>', c == '&', c == 0x7f, c == '\u2028', c == '\u2029', c == utf8.RuneError:
			n += escaped
		default:
			n += utf8.RuneLen(c)
		}
	}
	return n
}

// newest returns the rows that are kept, oldest first.
func (m *memory) newest() *feature.Frame {
	n := m.frame.Len()
	return m.frame.Range(n-min(n, m.rows), n)
}
