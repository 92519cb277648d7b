package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/modelbus/modelbus/model/dataset"
	"github.com/modelbus/modelbus/model/feature"
	"github.com/modelbus/modelbus/stream/wire"
)

// oneRow says how a row is written as arguments.
const oneRow = "a row is one argument of values with commas between them, or an argument for each value"

// parseRows turns arguments into instances. Numbers are read as those of a CSV are.
func parseRows(s *feature.Schema, words []string) (*feature.Frame, error) {
	for i, w := range words {
		words[i] = strings.TrimSpace(w)
	}
	frame := feature.NewFrame(s, false)
	if isOneRow(s, words) {
		return frame, appendCells(frame, words)
	}
	for i, word := range words {
		if err := appendRow(frame, word); err != nil {
			if len(words) > 1 {
				err = fmt.Errorf("row %d: %w", i+1, err)
			}
			return nil, err
		}
	}
	return frame, nil
}

// isOneRow reports whether arguments are one row, a value each.
func isOneRow(s *feature.Schema, words []string) bool {
	return len(words) > 1 && s.Width() > 1 &&
		!slices.ContainsFunc(words, func(w string) bool { return strings.ContainsAny(w, ",[{") })
}

func isNamed(cell string) bool { return strings.Contains(cell, "=") }

// appendRow adds the row that one argument is.
func appendRow(frame *feature.Frame, word string) error {
	if strings.HasPrefix(word, "[") || strings.HasPrefix(word, "{") {
		return appendJSON(frame, word)
	}
	r := csv.NewReader(strings.NewReader(word))
	r.TrimLeadingSpace = true
	cells, err := r.Read()
	if err != nil {
		return fmt.Errorf("%w: %q: %w", feature.ErrInvalid, word, err)
	}
	return appendCells(frame, cells)
}

func appendCells(frame *feature.Frame, cells []string) error {
	s := frame.Schema()
	if !slices.ContainsFunc(cells, func(c string) bool { return !isNamed(c) }) {
		row, err := namedCells(s, cells)
		if err != nil {
			return err
		}
		return frame.Append(row)
	}
	row, err := dataset.Cells(s, cells)
	if len(cells) != s.Width() {
		return fmt.Errorf("%q: %w; %s", strings.Join(cells, ","), err, oneRow)
	}
	if err == nil {
		err = frame.Append(row)
	}
	if err != nil && slices.ContainsFunc(cells, isNamed) {
		return fmt.Errorf("%w; a row names all of its values (name=value) or none", err)
	}
	return err
}

// namedCells reads name=value cells; features that are not named are missing.
func namedCells(s *feature.Schema, cells []string) (feature.Row, error) {
	row := feature.Row{Values: make([]feature.Value, len(s.Features))}
	given := make([]bool, len(s.Features))
	for _, cell := range cells {
		name, text, _ := strings.Cut(cell, "=")
		name = strings.TrimSpace(name)
		i, ok := s.Index(name)
		if !ok {
			return row, fmt.Errorf("%w: no feature %q: there are %s", feature.ErrInvalid, name, featureNames(s))
		}
		if given[i] {
			return row, fmt.Errorf("%w: feature %q is given twice", feature.ErrInvalid, name)
		}
		given[i] = true
		row.Values[i] = dataset.Cell(text)
	}
	return row, nil
}

// appendJSON adds a row written as a list or an object, by the rules for requests.
func appendJSON(frame *feature.Frame, word string) error {
	if !json.Valid([]byte(word)) {
		var v any
		return fmt.Errorf("%w: not JSON: %w", feature.ErrInvalid, json.Unmarshal([]byte(word), &v))
	}
	var req wire.Request
	return ofRow(wire.DecodeRequest(frame, &req, nil, []byte(`{"instances": [`+word+`]}`), 1))
}

// ofRow takes from an error about a request of one row the place of that row,
// which requests count from 0 and people from 1.
func ofRow(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if answer, ok := errors.AsType[*wire.Error](err); ok {
		text = answer.Message
	}
	for _, place := range []string{"instances[0]: ", "row 0: "} {
		text = strings.TrimPrefix(text, place)
	}
	return &placedError{text: text, err: err}
}

// A placedError is an error whose text says another place, or none.
type placedError struct {
	text string
	err  error
}

func (e *placedError) Error() string { return e.text }
func (e *placedError) Unwrap() error { return e.err }

func featureNames(s *feature.Schema) string {
	names := make([]string, len(s.Features))
	for i, f := range s.Features {
		names[i] = f.Name
	}
	return strings.Join(names, ", ")
}

// negative matches an argument that begins like a negative number.
var negative = regexp.MustCompile(`^-\.?[0-9]`)

// guardNegatives keeps the values of a row that are negative numbers from being
// taken for flags: with a space before it, which parseRows takes away, an argument
// is none.
func guardNegatives(root *cobra.Command, args []string) []string {
	if cmd, _, err := root.Find(args); err != nil || cmd.Name() != "predict" {
		return args
	}
	args = slices.Clone(args)
	for i, word := range args {
		if negative.MatchString(word) {
			args[i] = " " + word
		}
	}
	return args
}
