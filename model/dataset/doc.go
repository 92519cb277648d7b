// Package dataset reads rows from CSV, TSV, JSON Lines and NPZ, gzip-compressed
// or not, and infers a schema from them. It reads from an io.Reader and knows
// no files.
//
// A [Reader] yields rows by column name. [Bind] matches its columns to a schema.
// CSV follows RFC 4180 with spaces around cells trimmed; an empty cell and those
// in [Options.Missing] are missing values.
package dataset
