// Package dataset reads rows from CSV, TSV, JSON Lines and NPZ, gzip-compressed
// or not, and infers a schema from them. It reads from an io.Reader and knows
// no files.
//
// A [Reader] yields rows by column name. [Bind] matches its columns to a schema.
//
// # CSV and TSV
//
// As RFC 4180, with spaces around cells trimmed; an empty cell and those in
// [Options.Missing] are missing values. A CSV whose first line has semicolons
// and no comma is separated by semicolons. Blank lines are skipped; a row with
// more or fewer cells than the first is a [*RowError].
//
// # JSON Lines
//
// Each line is an object of values by column, a list of values, or the training
// form {"features": {…} or […], "label": …, "weight": …}. Values are numbers,
// texts, booleans, null, and (nested) lists of numbers for vectors. The columns
// of lists are "c1", "c2", …
//
// # NPZ
//
// Arrays of integers, floats (4 or 8 bytes), booleans or strings, in C order
// and any byte order; the first dimension is rows, arrays without dimension are
// ignored. A NaN in an array of one number a row is a missing value. Rows are
// decompressed as they are read.
//
// # Errors
//
// What is wrong with a file wraps [feature.ErrInvalid]; a failure of the
// underlying io.Reader is wrapped as it is.
package dataset
