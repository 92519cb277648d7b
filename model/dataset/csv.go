package dataset

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/modelbus/modelbus/model/feature"
)

// headerRows bounds how many rows are looked at to guess a header.
const headerRows = 64

// A csvReader reads CSV and TSV.
type csvReader struct {
	csv     *csv.Reader
	missing []string
	columns []Column
	ahead   []record // read to guess the header
	line    int
	row     []feature.Value
}

// A record is a line of cells, or why it cannot be read.
type record struct {
	cells []string
	line  int
	err   error
}

func newCSVReader(r *bufio.Reader, comma rune, opts Options) (*csvReader, error) {
	c := csv.NewReader(r)
	c.Comma = comma
	c.FieldsPerRecord = -1
	c.ReuseRecord = true
	c.TrimLeadingSpace = comma != '\t' // it would take an empty cell's tab for space
	missing := opts.Missing
	if missing == nil {
		missing = []string{"NA", "N/A", "NaN", "nan", "null", "?"}
	}
	rd := &csvReader{csv: c, missing: missing}
	first := rd.next()
	if errors.Is(first.err, io.EOF) {
		return nil, invalidf("the file is empty")
	}
	if first.err != nil {
		return nil, first.err
	}
	first.cells = slices.Clone(first.cells)
	header, err := rd.hasHeader(first.cells, opts.Header)
	if err != nil {
		return nil, err
	}
	if !header {
		rd.ahead = slices.Insert(rd.ahead, 0, first)
	}
	return rd, rd.name(first.cells, header)
}

// name sets the columns.
func (r *csvReader) name(cells []string, header bool) error {
	seen := make(map[string]int, len(cells))
	for i, name := range cells {
		if !header || name == "" {
			name = "c" + strconv.Itoa(i+1)
		}
		if before, ok := seen[name]; ok {
			return invalidf("columns %d and %d are both named %q", before+1, i+1, name)
		}
		seen[name] = i
		r.columns = append(r.columns, Column{Name: name, Size: 1})
	}
	r.row = make([]feature.Value, len(cells))
	return nil
}

// hasHeader decides whether the first line names the columns, reading as few
// rows ahead as tell.
func (r *csvReader) hasHeader(first []string, option string) (bool, error) {
	switch option {
	case "yes":
		return true, nil
	case "no":
		return false, nil
	case "":
	default:
		return false, invalidf("header is %q: %q, %q or nothing is due", option, "yes", "no")
	}
	if slices.ContainsFunc(first, isNumber) {
		return false, nil
	}
	for range headerRows {
		rec := r.next()
		if errors.Is(rec.err, io.EOF) {
			break
		}
		rec.cells = slices.Clone(rec.cells)
		r.ahead = append(r.ahead, rec)
		if slices.ContainsFunc(rec.cells, isNumber) {
			return true, nil
		}
		for i, cell := range rec.cells {
			if i < len(first) && cell != "" && cell == first[i] {
				return false, nil
			}
		}
	}
	return true, nil
}

func isNumber(cell string) bool {
	_, err := strconv.ParseFloat(cell, 64)
	return err == nil
}

// next returns the next line that is not blank, its cells trimmed.
func (r *csvReader) next() record {
	for {
		cells, err := r.csv.Read()
		if err != nil {
			return record{err: readError(err)}
		}
		line, _ := r.csv.FieldPos(0)
		for i, cell := range cells {
			cells[i] = strings.TrimSpace(cell)
		}
		if len(cells) == 1 && cells[0] == "" && len(r.columns) != 1 {
			continue
		}
		return record{cells: cells, line: line}
	}
}

func readError(err error) error {
	if e, ok := errors.AsType[*csv.ParseError](err); ok {
		return &RowError{Line: e.StartLine, Err: invalidf("%v at column %d", e.Err, e.Column)}
	}
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	return fmt.Errorf("reading: %w", err)
}

// Columns implements Reader.
func (r *csvReader) Columns() []Column { return r.columns }

// Line implements Reader.
func (r *csvReader) Line() int { return r.line }

// Read implements Reader.
func (r *csvReader) Read() ([]feature.Value, error) {
	var rec record
	if len(r.ahead) > 0 {
		rec, r.ahead = r.ahead[0], r.ahead[1:]
	} else {
		rec = r.next()
	}
	if rec.err != nil {
		if e, ok := errors.AsType[*RowError](rec.err); ok {
			r.line = e.Line
		}
		return nil, rec.err
	}
	r.line = rec.line
	if len(rec.cells) != len(r.columns) {
		return nil, &RowError{Line: rec.line, Err: invalidf("got %d cells: %d are due", len(rec.cells), len(r.columns))}
	}
	for i, cell := range rec.cells {
		if cell == "" || slices.Contains(r.missing, cell) {
			r.row[i] = feature.Value{}
			continue
		}
		r.row[i] = feature.Value{Kind: feature.KindCell, Text: cell}
	}
	return r.row, nil
}
