package dataset

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/modelbus/modelbus/model/feature"
)

// An npzReader reads the arrays of an NPZ side by side, a row of each at a time.
type npzReader struct {
	arrays  []*npyReader
	columns []Column
	rows    int
	line    int
	row     []feature.Value
}

func newNPZReader(at io.ReaderAt, size int64, part string) (*npzReader, error) {
	z, err := zip.NewReader(at, size)
	if err != nil {
		return nil, invalidf("not an NPZ (a zip of .npy arrays): %v", err)
	}
	names := make([]string, 0, len(z.File))
	for _, f := range z.File {
		if name, ok := strings.CutSuffix(f.Name, ".npy"); ok {
			names = append(names, name)
		}
	}
	suffix, err := partSuffix(names, part)
	if err != nil {
		return nil, err
	}
	r := &npzReader{}
	for _, f := range z.File {
		name, isArray := strings.CutSuffix(f.Name, ".npy")
		name, selected := strings.CutSuffix(name, suffix)
		if !isArray || !selected {
			continue
		}
		if err := r.add(f, name); err != nil {
			return nil, fmt.Errorf("array %q: %w", f.Name, err)
		}
	}
	if len(r.arrays) == 0 {
		return nil, invalidf("the file has no array of rows: it has %s", list(names))
	}
	r.row = make([]feature.Value, len(r.columns))
	return r, nil
}

// partSuffix returns what the names of the arrays to read end in.
func partSuffix(names []string, part string) (string, error) {
	suffix := "_" + part
	if part == "" {
		suffix = "_train"
	}
	for _, n := range names {
		if strings.HasSuffix(n, suffix) {
			return suffix, nil
		}
	}
	if part == "" {
		return "", nil
	}
	return "", invalidf("the file has no array whose name ends in %q: it has %s", suffix, list(names))
}

// add opens an array and checks that it has as many rows as those before.
func (r *npzReader) add(f *zip.File, name string) error {
	rc, err := f.Open()
	if err != nil {
		return invalidf("unreadable: %v", err)
	}
	a, err := newNPYReader(rc)
	if err != nil {
		return err
	}
	if a.scalar {
		return nil
	}
	switch {
	case len(r.arrays) == 0:
		r.rows = a.rows
	case a.rows != r.rows:
		return invalidf("it has %d rows: array %q has %d", a.rows, r.columns[0].Name, r.rows)
	}
	for _, c := range r.columns {
		if c.Name == name {
			return invalidf("the name is given twice")
		}
	}
	r.arrays = append(r.arrays, a)
	r.columns = append(r.columns, Column{Name: name, Size: a.width})
	return nil
}

// Columns implements Reader.
func (r *npzReader) Columns() []Column { return r.columns }

// Line implements Reader.
func (r *npzReader) Line() int { return r.line }

// Read implements Reader.
func (r *npzReader) Read() ([]feature.Value, error) {
	if r.line == r.rows {
		return nil, r.end()
	}
	r.line++
	for i, a := range r.arrays {
		v, err := a.read()
		if err != nil {
			r.rows = r.line // nothing can be read after it
			r.arrays = nil
			return nil, fmt.Errorf("array %q, row %d: %w", r.columns[i].Name, r.line, err)
		}
		r.row[i] = v
	}
	return r.row, nil
}

// end checks that no bytes follow the rows, which also checks the zip's sums.
func (r *npzReader) end() error {
	for i, a := range r.arrays {
		var one [1]byte
		if n, err := io.ReadFull(a.src, one[:]); n > 0 || !errors.Is(err, io.EOF) {
			r.arrays = nil
			if n > 0 {
				err = errors.New("bytes follow the last row")
			}
			return invalidf("array %q: %v", r.columns[i].Name, err)
		}
	}
	return io.EOF
}

// value turns one element into a value: NaN is missing.
func value(x float64) feature.Value {
	if math.IsNaN(x) {
		return feature.Value{}
	}
	return feature.Value{Kind: feature.KindNumber, Num: x}
}
