package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/modelbus/modelbus"

// doors says which folders may import what: each prefix of an import path is
// allowed only below the folders listed. Tests may import anything.
func doors() map[string][]string {
	return map[string][]string{
		"gonum.org/":                      {"model"},
		"golang.org/x/sys/":               {"model/kernel", "registry/cache"},
		"github.com/nats-io/nats-server/": {"embedded"},
		"github.com/gofrs/flock":          {"embedded", "registry/cache"},
		"github.com/nats-io/nats.go":      {"stream", "registry", "embedded", "cmd"},
		"github.com/rs/zerolog":           {"stream", "embedded", "cmd"},

		module + "/cmd":      {},
		module + "/stream":   {"stream", "cmd"},
		module + "/registry": {"registry", "stream", "cmd"},
		module + "/model":    {"model", "stream", "cmd"},
		module + "/embedded": {"embedded", "cmd"},

		module + "/model/kernel": {"model", "cmd"}, // cmd: which one runs
		"net":                    {"stream", "registry", "embedded", "cmd"},
		"os":                     {"embedded", "cmd", "registry/cache", "model/kernel"}, // kernel: the switch in the environment
		"time":                   {"stream", "registry", "embedded", "cmd", "model"},
	}
}

// TestImports holds the design: imports point down, every third party has one door.
func TestImports(t *testing.T) {
	root := filepath.Join("..", "..")
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin" || name == "gen") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files++
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		return checkImports(t, path, filepath.ToSlash(rel))
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Errorf("only %d files were read: the test looks in the wrong place", files)
	}
}

func checkImports(t *testing.T, path, rel string) error {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		return err
	}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		for door, folders := range doors() {
			if under(imported, door) && !allowed(rel, folders) {
				t.Errorf("%s imports %s, which only %v may", rel, imported, folders)
			}
		}
	}
	return nil
}

// under reports whether an import path is door or below it.
func under(imported, door string) bool {
	door = strings.TrimSuffix(door, "/")
	return imported == door || strings.HasPrefix(imported, door+"/")
}

func allowed(rel string, folders []string) bool {
	for _, folder := range folders {
		if strings.HasPrefix(rel, folder+"/") {
			return true
		}
	}
	return false
}

func TestUnder(t *testing.T) {
	tests := []struct {
		imported, door string
		want           bool
	}{
		{"os", "os", true},
		{"os/signal", "os", true},
		{"ostrich", "os", false},
		{module + "/modelling", module + "/model", false},
		{"gonum.org/v1/gonum/blas", "gonum.org/", true},
	}
	for _, tt := range tests {
		if got := under(tt.imported, tt.door); got != tt.want {
			t.Errorf("under(%q, %q) = %v, want %v", tt.imported, tt.door, got, tt.want)
		}
	}
}
