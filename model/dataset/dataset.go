package dataset

import (
	"io"

	"github.com/modelbus/modelbus/model/feature"
)

// Format names a file format.
type Format string

// The formats. Auto looks at the name's extension (".gz" stripped), then at the
// first bytes.
const (
	Auto      Format = ""
	CSV       Format = "csv"
	TSV       Format = "tsv"
	JSONLines Format = "jsonl"
	NPZ       Format = "npz"
)

// Options tell how to read. The zero value is ready for use.
type Options struct {
	// Name is the file's name, used for Auto and in errors.
	Name string

	// Format is the file's format.
	Format Format

	// Header says whether the first line of CSV or TSV names the columns:
	// "yes", "no", or "" to guess (a first line without any number, over rows
	// with some). Without a header columns are "c1", "c2", …
	Header string

	// Missing lists cell texts that mean a missing value besides the empty
	// one. If nil, it is "NA", "N/A", "NaN", "nan", "null", "?".
	Missing []string

	// Part selects arrays of an NPZ by suffix: with "train", x_train and
	// y_train are read as x and y. If empty and the file has _train arrays,
	// "train" is used. An array's first dimension is rows, the rest is
	// flattened to a vector.
	Part string
}

// A Column is one named column of a file.
type Column struct {
	Name string
	Size int // more than 1 for a vector
}

// A Reader yields the rows of a file in order. It is not safe for concurrent use.
type Reader interface {
	// Columns returns the columns known so far, in order; for JSON Lines those
	// of the first row.
	Columns() []Column

	// Read returns the next row, values in the order of Columns, valid until
	// the next call. It returns io.EOF at the end and a *RowError for a row
	// that cannot be read, after which reading can go on.
	Read() ([]feature.Value, error)
}

// A RowError is a row that could not be read.
type RowError struct {
	Line int // 1-based line (row for NPZ)
	Err  error
}

// Error implements error.
func (e *RowError) Error() string { panic("unbuilt") }

// Unwrap returns Err.
func (e *RowError) Unwrap() error { return e.Err }

// NewReader returns a reader of r. It reads no more than it needs to find the
// columns; NPZ, whose directory is at the end, is read whole.
func NewReader(r io.Reader, opts Options) (Reader, error) { panic("unbuilt") }

// Bound yields rows that fit a schema, from a reader's columns by name.
type Bound struct{}

// Bind matches columns to features and label by name. Columns that the schema
// does not name are ignored; a feature without column is an error that lists
// the columns there are. The label's column is required with label "required",
// used where there with "optional", and ignored with "none". A file without
// header whose width fits the schema is matched by position, the label first
// or last as the schema's label name says ("c1" style), else last.
func Bind(r Reader, s *feature.Schema, label string) (*Bound, error) { panic("unbuilt") }

// HasLabel reports whether rows carry a label.
func (b *Bound) HasLabel() bool { panic("unbuilt") }

// Read returns the next row like [Reader.Read]; it is valid until the next call.
func (b *Bound) Read() (feature.Row, error) { panic("unbuilt") }

// Inferred is a schema with what led to it.
type Inferred struct {
	Schema feature.Schema
	Notes  map[string]string // by feature (and label) name: a short remark, such as "3 values" or "12 missing"
	Rows   int
}

// Infer reads up to limit rows (all if limit is 0) and returns the schema they
// suggest: numbers, booleans, categories (text, one_hot up to 32 values, else
// embedding), vectors; a policy where values are missing. label names the
// column to predict.
func Infer(r Reader, label string, limit int) (*Inferred, error) { panic("unbuilt") }
