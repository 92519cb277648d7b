package dataset

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// NewReader returns a reader of r. It reads no more than it needs to find the
// columns; NPZ, whose directory is at the end, is read whole unless r is an
// io.ReaderAt and io.Seeker (as an *os.File is), which must then stay open.
func NewReader(r io.Reader, opts Options) (Reader, error) {
	rd, err := open(r, opts)
	if err != nil && opts.Name != "" {
		return nil, fmt.Errorf("%s: %w", opts.Name, err)
	}
	return rd, err
}

func open(r io.Reader, opts Options) (Reader, error) {
	at, size, err := seekable(r)
	if err != nil {
		return nil, err
	}
	buf := bufio.NewReaderSize(r, 64<<10)
	if head, err := buf.Peek(2); err == nil && head[0] == 0x1f && head[1] == 0x8b {
		zr, err := gzip.NewReader(buf)
		if err != nil {
			return nil, fmt.Errorf("reading gzip: %w", err)
		}
		buf, at = bufio.NewReaderSize(zr, 64<<10), nil
	}
	head, err := buf.Peek(4 << 10)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading: %w", err)
	}
	if len(head) == 0 {
		return nil, invalidf("the file is empty")
	}
	format := opts.Format
	if format == Auto {
		format = guessFormat(opts.Name, head)
	}
	if format == NPZ {
		if at == nil {
			b, err := io.ReadAll(buf)
			if err != nil {
				return nil, fmt.Errorf("reading: %w", err)
			}
			at, size = bytes.NewReader(b), int64(len(b))
		}
		return newNPZReader(at, size, opts.Part)
	}
	if err := skipMark(buf, head); err != nil {
		return nil, err
	}
	switch format {
	case CSV:
		return newCSVReader(buf, separator(head), opts)
	case TSV:
		return newCSVReader(buf, '\t', opts)
	case JSONLines:
		return newJSONReader(buf)
	case Auto, NPZ:
	}
	return nil, invalidf("format is %q: one of %q, %q, %q, %q is due", opts.Format, CSV, TSV, JSONLines, NPZ)
}

// seekable returns what of r is still to be read with random access, or nil if
// r has none.
func seekable(r io.Reader) (io.ReaderAt, int64, error) {
	f, ok := r.(interface {
		io.ReaderAt
		io.Seeker
	})
	if !ok {
		return nil, 0, nil
	}
	from, err := f.Seek(0, io.SeekCurrent)
	if err != nil { // a pipe
		return nil, 0, nil //nolint:nilerr // it is then read as a stream
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, 0, nil //nolint:nilerr // it is then read as a stream
	}
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return nil, 0, fmt.Errorf("seeking: %w", err)
	}
	return io.NewSectionReader(f, from, end-from), end - from, nil
}

func guessFormat(name string, head []byte) Format {
	switch path.Ext(strings.TrimSuffix(strings.ToLower(name), ".gz")) {
	case ".csv":
		return CSV
	case ".tsv", ".tab":
		return TSV
	case ".jsonl", ".ndjson", ".json":
		return JSONLines
	case ".npz":
		return NPZ
	}
	text := bytes.TrimLeft(head, "\ufeff \t\r\n")
	line, _, _ := bytes.Cut(text, []byte("\n"))
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return NPZ
	case len(text) > 0 && (text[0] == '{' || text[0] == '['):
		return JSONLines
	case bytes.ContainsRune(line, '\t') && !bytes.ContainsRune(line, ','):
		return TSV
	}
	return CSV
}

// separator returns the separator of a CSV that begins with head.
func separator(head []byte) rune {
	line, _, _ := bytes.Cut(bytes.TrimLeft(head, "\r\n"), []byte("\n"))
	if bytes.ContainsRune(line, ';') && !bytes.ContainsRune(line, ',') {
		return ';'
	}
	return ','
}

// skipMark skips a byte order mark, or refuses one that is not UTF-8's.
func skipMark(buf *bufio.Reader, head []byte) error {
	switch {
	case bytes.HasPrefix(head, []byte("\ufeff")):
		if _, err := buf.Discard(len("\ufeff")); err != nil {
			return fmt.Errorf("reading: %w", err)
		}
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}), bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return invalidf("the file is UTF-16 text: UTF-8 is due")
	}
	return nil
}
