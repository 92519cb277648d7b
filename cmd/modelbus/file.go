package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/modelbus/modelbus/model/dataset"
)

// errNoFile is returned for a file that is not there.
var errNoFile = errors.New("no such file")

// open opens a file, "-" for standard input.
func (a *app) open(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(a.in), nil
	}
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", errNoFile, name)
	}
	return f, err
}

// bindDataset adds the flags that say how to read a file of rows.
func bindDataset(cmd *cobra.Command, o *dataset.Options) {
	f := cmd.Flags()
	f.StringVar((*string)(&o.Format), "format", "", "csv, tsv, jsonl or npz (default: by name, then by content)")
	f.StringVar(&o.Header, "header", "", "whether the first line names the columns: yes or no (default: guess)")
	f.StringSliceVar(&o.Missing, "missing", nil, "cells that mean a missing value, besides empty ones (default NA,N/A,NaN,nan,null,?)")
	f.StringVar(&o.Part, "part", "", "NPZ: read the arrays with this suffix, such as test for x_test and y_test")
}

// nameOf returns the model name that a file's name suggests, "model" if it
// suggests none, as that of standard input.
func nameOf(file string) string {
	base := filepath.Base(file)
	base = strings.TrimSuffix(base, ".gz")
	base = strings.TrimSuffix(base, filepath.Ext(base))
	name := strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, base)
	if strings.Trim(name, "-_") == "" {
		return "model"
	}
	return name[:min(len(name), 64)]
}
