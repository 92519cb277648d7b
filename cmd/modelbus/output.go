package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"
)

// printJSON writes v, indented, to standard output.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// printf writes to standard output.
func (a *app) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(a.out, format, args...)
	return err
}

// newTable returns a table that prints to standard output, in the nats command
// line's style.
func (a *app) newTable(title string, header ...any) *table.Table {
	t := &table.Table{}
	t.SetOutputMirror(a.out)
	style := table.StyleRounded
	style.Format = table.FormatOptions{}
	t.SetStyle(style)
	if title != "" {
		t.SetTitle("%s", title)
	}
	if len(header) > 0 {
		t.AppendHeader(header)
	}
	return t
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && (isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd()))
}

// bar returns a progress bar on standard error; total −1 means unknown: then it only
// turns, and its description is to say how far it is. On anything but a terminal it
// stays silent.
func (a *app) bar(total int64, what string) *progressbar.ProgressBar {
	opts := []progressbar.Option{
		progressbar.OptionSetWriter(a.err),
		progressbar.OptionSetDescription(what),
		progressbar.OptionSetWidth(24),
		progressbar.OptionThrottle(progressInterval),
		progressbar.OptionSetVisibility(isTerminal(a.err)),
		progressbar.OptionClearOnFinish(),
	}
	if total >= 0 {
		opts = append(opts, progressbar.OptionShowCount())
	}
	return progressbar.NewOptions64(total, opts...)
}
