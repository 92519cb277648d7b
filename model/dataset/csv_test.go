package dataset_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/modelbus/modelbus/model/dataset"
)

func TestCSV(t *testing.T) {
	tests := []struct {
		name    string
		text    string
		opts    dataset.Options
		columns string
		rows    []string
	}{
		{"header", "a,b\n1,x\n2,y\n", dataset.Options{}, "a b", []string{"1|x", "2|y"}},
		{"no header", "1,x\n2,y\n", dataset.Options{}, "c1 c2", []string{"1|x", "2|y"}},
		{"header of texts", "name,island\nann,Dream\nbob,Dream\n", dataset.Options{}, "name island", []string{"ann|Dream", "bob|Dream"}},
		{"no header of texts", "ann,Dream\nbob,Dream\n", dataset.Options{}, "c1 c2", []string{"ann|Dream", "bob|Dream"}},
		{"header of numbers", "2019,2020\n1,2\n", dataset.Options{Header: "yes"}, "2019 2020", []string{"1|2"}},
		{"header denied", "a,b\n1,2\n", dataset.Options{Header: "no"}, "c1 c2", []string{"a|b", "1|2"}},
		{"header alone", "a,b\n", dataset.Options{}, "a b", nil},
		{"header with a gap", ",b\n1,2\n", dataset.Options{}, "c1 b", []string{"1|2"}},
		{"spaces trimmed", "39, State-gov , <=50K\r\n50, Private, >50K\r\n", dataset.Options{}, "c1 c2 c3", []string{"39|State-gov|<=50K", "50|Private|>50K"}},
		{"quoted", "a,b\n\"x, \"\"y\"\"\",1\n\"two\nlines\",2\n", dataset.Options{}, "a b", []string{"x, \"y\"|1", "two\nlines|2"}},
		{"missing", "a,b,c\n1,?,NA\n2,,x\n", dataset.Options{}, "a b c", []string{"1|-|-", "2|-|x"}},
		{"missing as told", "a,b,c\n1,?,-999\n2,,x\n", dataset.Options{Missing: []string{"-999"}}, "a b c", []string{"1|?|-", "2|-|x"}},
		{"blank lines", "a,b\n\n1,x\n  \n2,y\n", dataset.Options{}, "a b", []string{"1|x", "2|y"}},
		{"missing values of one column", "a\n1\nNA\n2\n", dataset.Options{}, "a", []string{"1", "-", "2"}},
		{"byte order mark", "\ufeffa,b\n1,x\n", dataset.Options{}, "a b", []string{"1|x"}},
		{"semicolons", "a;b\n1,5;x\n", dataset.Options{}, "a b", []string{"1,5|x"}},
		{"tabs by first line", "a\tb\n1\t\n", dataset.Options{}, "a b", []string{"1|-"}},
		{"tabs by name", "a\tb, c\n\tx\n", dataset.Options{Name: "x.TSV.gz", Header: "yes"}, "a b, c", []string{"-|x"}},
		{
			"ragged", "a,b,c\n1,2,3\n4,5\n6,7,8,9\n1,2,3\n",
			dataset.Options{},
			"a b c",
			[]string{"1|2|3", "line 3: got 2 cells: 3 are due", "line 4: got 4 cells: 3 are due", "1|2|3"},
		},
		{
			"stray quote", "a,b\n1,x\n2,\"y\"z\n3,w\n",
			dataset.Options{},
			"a b",
			[]string{"1|x", `line 3: extraneous or missing " in quoted-field at column 5`, "3|w"},
		},
		{"error while guessing", "a,b\nx\ny,1\n", dataset.Options{}, "a b", []string{"line 2: got 1 cells: 2 are due", "y|1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := open(t, tt.text, tt.opts)
			if got := columns(r); got != tt.columns {
				t.Errorf("Columns() = %q, want %q", got, tt.columns)
			}
			checkRows(t, rows(t, r), tt.rows...)
		})
	}
}

func TestCSVRefuses(t *testing.T) {
	tests := []struct {
		name string
		text string
		opts dataset.Options
		want string
	}{
		{"empty", "", dataset.Options{Name: "iris.csv"}, "iris.csv: the file is empty"},
		{"blank", "\n\n", dataset.Options{}, "the file is empty"},
		{"doubled name", "a,b,a\n1,2,3\n", dataset.Options{}, `columns 1 and 3 are both named "a"`},
		{"header option", "a\n", dataset.Options{Header: "maybe"}, `header is "maybe": "yes", "no" or nothing is due`},
		{"format option", "a\n", dataset.Options{Format: "xlsx"}, `format is "xlsx": one of "csv", "tsv", "jsonl", "npz" is due`},
		{"UTF-16", "\xff\xfea\x00", dataset.Options{}, "the file is UTF-16 text: UTF-8 is due"},
		{"stray quote in the header", "a\"b,c\n", dataset.Options{}, `line 1: bare " in non-quoted-field at column 2`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := dataset.NewReader(strings.NewReader(tt.text), tt.opts)
			checkError(t, "NewReader()", err, tt.want)
		})
	}
}

func TestGzip(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, "a,b\n1,x\n2,y\n"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := dataset.NewReader(bytes.NewReader(b.Bytes()), dataset.Options{Name: "whatever"})
	if err != nil {
		t.Fatal(err)
	}
	checkRows(t, rows(t, r), "1|x", "2|y")

	r, err = dataset.NewReader(bytes.NewReader(b.Bytes()[:b.Len()-4]), dataset.Options{Header: "no"})
	for err == nil {
		_, err = r.Read()
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a gzip cut short ends with %v, want ErrUnexpectedEOF", err)
	}
}

func TestReadFails(t *testing.T) {
	broken := errors.New("broken pipe")
	for _, text := range []string{"a,b\n1,2\n", `{"a":1}` + "\n"} {
		_, err := dataset.NewReader(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), dataset.Options{})
		if !errors.Is(err, broken) {
			t.Errorf("NewReader() of %q and an error = %v, want the error", text, err)
		}
	}
	long := strings.Repeat("1,2\n", 100_000)
	r, err := dataset.NewReader(io.MultiReader(strings.NewReader(long), iotest.ErrReader(broken)), dataset.Options{})
	n := 0
	for ; err == nil; n++ {
		_, err = r.Read()
	}
	if !errors.Is(err, broken) || n != 100_001 {
		t.Errorf("reading ends after %d rows with %v, want 100001 with the error", n, err)
	}
}

func TestLine(t *testing.T) {
	for name, text := range map[string]string{"csv": "a,b\n1,\"x\ny\"\n\n2,z\n", "jsonl": "{\"a\":1}\n\n\n{\"a\":2}\n"} {
		r := open(t, text, dataset.Options{})
		var lines []int
		for {
			if _, err := r.Read(); err != nil {
				break
			}
			lines = append(lines, r.Line())
		}
		want := map[string]int{"csv": 5, "jsonl": 4}[name]
		if len(lines) != 2 || lines[1] != want {
			t.Errorf("%s: lines %v, want the second to be %d", name, lines, want)
		}
	}
}
