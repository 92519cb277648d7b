package dataset_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/sbinet/npyio/npz"

	"github.com/modelbus/modelbus/model/dataset"
	"github.com/modelbus/modelbus/model/feature"
)

// npy returns an array in NPY version 1 with the data given, little-endian
// unless descr says otherwise.
func npy(descr, order, shape string, data ...any) []byte {
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }\n", descr, order, shape)
	b := append([]byte("\x93NUMPY\x01\x00"), 0, 0)
	binary.LittleEndian.PutUint16(b[8:], uint16(len(header)))
	b = append(b, header...)
	for _, d := range data {
		if s, ok := d.(string); ok {
			b = append(b, s...)
			continue
		}
		var e binary.AppendByteOrder = binary.LittleEndian
		if descr[0] == '>' {
			e = binary.BigEndian
		}
		switch x := d.(type) {
		case float32:
			b = e.AppendUint32(b, math.Float32bits(x))
		case float64:
			b = e.AppendUint64(b, math.Float64bits(x))
		case int16:
			b = e.AppendUint16(b, uint16(x))
		case int32:
			b = e.AppendUint32(b, uint32(x))
		case int64:
			b = e.AppendUint64(b, uint64(x))
		case uint8:
			b = append(b, x)
		default:
			panic("no encoding")
		}
	}
	return b
}

type entry struct {
	name string
	data []byte
}

func zipped(tb testing.TB, entries ...entry) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		w, err := z.Create(e.name)
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Write(e.data); err != nil {
			tb.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func TestNPZ(t *testing.T) {
	images := entry{"x_train.npy", npy("|u1", "False", "(2, 2, 2)", uint8(0), uint8(1), uint8(2), uint8(3), uint8(4), uint8(5), uint8(6), uint8(255))}
	tests := []struct {
		name    string
		entries []entry
		part    string
		columns string
		rows    []string
	}{
		{
			"images",
			[]entry{images, {"y_train.npy", npy("<i8", "False", "(2,)", int64(7), int64(-9))}, {"x_test.npy", npy("|u1", "False", "(1,)", uint8(1))}},
			"",
			"x(4) y",
			[]string{"[0 1 2 3]|#7", "[4 5 6 255]|#-9"},
		},
		{"a part", []entry{images, {"x_test.npy", npy("|u1", "False", "(1,)", uint8(9))}}, "test", "x", []string{"#9"}},
		{"no parts", []entry{{"a.npy", npy("<f4", "False", "(2,)", float32(0.5), float32(-1))}, {"note.txt", []byte("hi")}}, "", "a", []string{"#0.5", "#-1"}},
		{"NaN is missing", []entry{{"a.npy", npy("<f8", "False", "(2,)", math.NaN(), 2.0)}}, "", "a", []string{"-", "#2"}},
		{"column vector", []entry{{"a.npy", npy("<f8", "False", "(2, 1)", 1.0, 2.0)}}, "", "a", []string{"#1", "#2"}},
		{"big-endian", []entry{{"a.npy", npy(">i2", "False", "(1, 2)", int16(-2), int16(300))}, {"b.npy", npy(">f8", "False", "(1,)", 0.1)}}, "", "a(2) b", []string{"[-2 300]|#0.1"}},
		{"floats", []entry{{"a.npy", npy("<f4", "False", "(1, 2)", float32(0.1), float32(2))}, {"b.npy", npy("<f8", "False", "(1, 2)", 0.1, 2.0)}}, "", "a(2) b(2)", []string{"[0.1 2]|[0.1 2]"}},
		{"booleans", []entry{{"a.npy", npy("|b1", "False", "(2,)", uint8(0), uint8(1))}}, "", "a", []string{"false", "true"}},
		{"unicode", []entry{{"a.npy", npy("<U2", "False", "(2,)", int32('ä'), int32(0), int32('b'), int32('c'))}}, "", "a", []string{`"ä"`, `"bc"`}},
		{"bytes", []entry{{"a.npy", npy("|S3", "False", "(2,)", "ab\x00", "xyz")}}, "", "a", []string{`"ab"`, `"xyz"`}},
		{"scalars ignored", []entry{{"s.npy", npy("<f8", "False", "()", 1.0)}, {"a.npy", npy("<f8", "False", "(1,)", 2.0)}}, "", "a", []string{"#2"}},
		{"one dimension in Fortran order", []entry{{"a.npy", npy("<f8", "True", "(1,)", 2.0)}}, "", "a", []string{"#2"}},
		{"no rows", []entry{{"a.npy", npy("<f8", "False", "(0, 2)")}}, "", "a(2)", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := zipped(t, tt.entries...)
			sources := map[string]io.Reader{"seekable": bytes.NewReader(b), "stream": io.MultiReader(bytes.NewReader(b))}
			for name, src := range sources {
				r, err := dataset.NewReader(src, dataset.Options{Part: tt.part})
				if err != nil {
					t.Fatalf("NewReader(%s) = %v", name, err)
				}
				if got := columns(r); got != tt.columns {
					t.Errorf("Columns() = %q, want %q", got, tt.columns)
				}
				checkRows(t, rows(t, r), tt.rows...)
			}
		})
	}
}

// TestNPZOfAnotherWriter reads what an independent implementation writes.
func TestNPZOfAnotherWriter(t *testing.T) {
	var b bytes.Buffer
	w := npz.NewWriter(&b)
	for name, data := range map[string]any{"x": []float32{1, 2, 3}, "n": []int32{-1, 0, 1}, "y": []bool{true, false, true}} {
		if err := w.Write(name+".npy", data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := dataset.NewReader(&b, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &feature.Schema{
		Features: []feature.Feature{{Name: "x", Type: feature.Number}, {Name: "n", Type: feature.Number}},
		Label:    feature.Label{Name: "y", Type: feature.Boolean},
	}
	bound, err := dataset.Bind(r, s, "required")
	if err != nil {
		t.Fatal(err)
	}
	checkRows(t, boundRows(t, bound), "#1|#-1 → true", "#2|#0 → false", "#3|#1 → true")
}

func TestNPZRefuses(t *testing.T) {
	one := func(b []byte) []entry { return []entry{{"a.npy", b}} }
	good := npy("<f8", "False", "(2,)", 1.0, 2.0)
	version := bytes.Clone(good)
	version[6] = 9
	tests := []struct {
		name    string
		entries []entry
		part    string
		want    string
	}{
		{"no arrays", []entry{{"a.txt", nil}}, "", "the file has no array of rows: it has "},
		{"no such part", []entry{{"x_train.npy", good}}, "dev", `the file has no array whose name ends in "_dev": it has "x_train"`},
		{"other lengths", []entry{{"x.npy", good}, {"y.npy", npy("<f8", "False", "(1,)", 1.0)}}, "", `array "y.npy": it has 1 rows: array "x" has 2`},
		{"same name", []entry{{"x.npy", good}, {"x.npy", good}}, "", `array "x.npy": the name is given twice`},
		{"no array", one([]byte("hello world")), "", `array "a.npy": not an array: it begins with "hello "`},
		{"cut in the magic", one([]byte("\x93NU")), "", `array "a.npy": not an array: unexpected EOF`},
		{"cut in the header", one(good[:20]), "", `array "a.npy": the header is cut short: unexpected EOF`},
		{"other version", one(version), "", `array "a.npy": format version 9: 1, 2 or 3 is due`},
		{"Fortran order", one(npy("<f8", "True", "(1, 2)", 1.0, 2.0)), "", `array "a.npy": it is in Fortran order: C order is due (numpy.ascontiguousarray)`},
		{"complex", one(npy("<c16", "False", "(1,)")), "", `array "a.npy": its type is "<c16": integers, f4, f8, booleans or strings are due`},
		{"pickled objects", one(npy("|O", "False", "(1,)")), "", `array "a.npy": its type is "|O": integers, f4, f8, booleans or strings are due`},
		{"structured", one([]byte("\x93NUMPY\x01\x00\x0e\x00{'descr': [()]")), "", `array "a.npy": header "{'descr': [()]": one with the keys descr (a plain type), fortran_order and shape is due`},
		{"overflowing shape", one(npy("<f8", "False", "(1, 1048576, 1048576)")), "", `array "a.npy": shape (1, 1048576, 1048576): a row has 1 to 1048576 numbers`},
		{"shape beyond integers", one(npy("<f8", "False", "(99999999999999999999,)")), "", `array "a.npy": shape (99999999999999999999,): strconv.Atoi: parsing "99999999999999999999": value out of range`},
		{"strings in rows", one(npy("<U1", "False", "(1, 2)")), "", `array "a.npy": shape (1, 2): strings are read one a row`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := dataset.NewReader(bytes.NewReader(zipped(t, tt.entries...)), dataset.Options{Part: tt.part})
			checkError(t, "NewReader()", err, tt.want)
		})
	}
	t.Run("no zip", func(t *testing.T) {
		_, err := dataset.NewReader(strings.NewReader("hello"), dataset.Options{Name: "x.npz"})
		checkError(t, "NewReader()", err, "x.npz: not an NPZ (a zip of .npy arrays): zip: not a valid zip file")
	})
	t.Run("rows cut short", func(t *testing.T) {
		r, err := dataset.NewReader(bytes.NewReader(zipped(t, one(good[:len(good)-1])...)), dataset.Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, first := r.Read()
		_, second := r.Read()
		if first != nil {
			t.Errorf("first Read() = %v, want nil", first)
		}
		checkError(t, "second Read()", second, `array "a", row 2: the array is cut short`)
		if _, err := r.Read(); err == nil {
			t.Error("Read() after the end = nil, want an error")
		}
	})
	t.Run("bytes after the rows", func(t *testing.T) {
		r, err := dataset.NewReader(bytes.NewReader(zipped(t, one(append(bytes.Clone(good), 1))...)), dataset.Options{})
		for range 3 {
			if err == nil {
				_, err = r.Read()
			}
		}
		checkError(t, "third Read()", err, `array "a": bytes follow the last row`)
	})
}
