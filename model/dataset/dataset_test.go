package dataset_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/modelbus/modelbus/model/dataset"
	"github.com/modelbus/modelbus/model/feature"
)

// show writes a value as tests state it: cells bare, texts quoted, - for missing.
func show(v feature.Value) string {
	switch v.Kind {
	case feature.KindNumber:
		return fmt.Sprintf("#%v", v.Num)
	case feature.KindText:
		return fmt.Sprintf("%q", v.Text)
	case feature.KindBool:
		return fmt.Sprint(v.Num != 0)
	case feature.KindVector:
		return fmt.Sprint(v.Vector)
	case feature.KindCell:
		return v.Text
	case feature.KindMissing:
	}
	return "-"
}

func showAll(values []feature.Value) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = show(v)
	}
	return strings.Join(words, "|")
}

// rows reads all rows, a line each; one that cannot be read is its error.
func rows(tb testing.TB, r dataset.Reader) []string {
	tb.Helper()
	var all []string
	for {
		values, err := r.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			if _, ok := errors.AsType[*dataset.RowError](err); !ok {
				tb.Fatalf("Read() = %v, want a RowError", err)
			}
			all = append(all, err.Error())
			continue
		}
		all = append(all, showAll(values))
	}
}

func columns(r dataset.Reader) string {
	var words []string
	for _, c := range r.Columns() {
		word := c.Name
		if c.Size > 1 {
			word += fmt.Sprintf("(%d)", c.Size)
		}
		words = append(words, word+[]string{"", ":label", ":weight"}[c.Role])
	}
	return strings.Join(words, " ")
}

func open(tb testing.TB, text string, opts dataset.Options) dataset.Reader {
	tb.Helper()
	r, err := dataset.NewReader(strings.NewReader(text), opts)
	if err != nil {
		tb.Fatalf("NewReader() = %v", err)
	}
	return r
}

func checkRows(t *testing.T, got []string, want ...string) {
	t.Helper()
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("rows are\n%s\nwant\n%s", g, w)
	}
}

func checkError(t *testing.T, what string, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("%s = nil, want %q", what, want)
	}
	if !errors.Is(err, feature.ErrInvalid) {
		t.Errorf("%s does not wrap ErrInvalid: %v", what, err)
	}
	if err.Error() != want {
		t.Errorf("%s\n got %s\nwant %s", what, err, want)
	}
}
