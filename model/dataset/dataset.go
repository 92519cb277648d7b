package dataset

import (
	"fmt"

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
	// with some or over 64 rows that never repeat one of its cells). Without a
	// header columns are "c1", "c2", …
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

// Role says what a column is where the file itself tells.
type Role uint8

// The roles of columns. Only JSON Lines of the training form
// ({"features": …, "label": …, "weight": …}) have others than RoleValue.
const (
	RoleValue Role = iota
	RoleLabel
	RoleWeight
)

// A Column is one named column of a file.
type Column struct {
	Name string
	Size int // 1, or more for a vector
	Role Role
}

// A Reader yields the rows of a file in order. It is not safe for concurrent use.
type Reader interface {
	// Columns returns the columns known so far, in order. Those of JSON Lines
	// are the keys of the rows read; later rows may add some.
	Columns() []Column

	// Read returns the next row, values in the order of Columns, valid until
	// the next call. It returns io.EOF at the end and a *RowError for a row
	// that cannot be read, after which reading can go on.
	Read() ([]feature.Value, error)

	// Line returns the 1-based line where the row last read begins (its number
	// for NPZ), 0 before the first.
	Line() int
}

// A RowError is a row that could not be read.
type RowError struct {
	Line int // 1-based line (row for NPZ)
	Err  error
}

// Error implements error.
func (e *RowError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns Err.
func (e *RowError) Unwrap() error { return e.Err }

// An invalidError has a message of its own and wraps feature.ErrInvalid.
type invalidError string

func (e invalidError) Error() string { return string(e) }

func (e invalidError) Unwrap() error { return feature.ErrInvalid }

func invalidf(format string, args ...any) error {
	return invalidError(fmt.Sprintf(format, args...))
}
