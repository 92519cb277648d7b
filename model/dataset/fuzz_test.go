package dataset_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/modelbus/modelbus/model/dataset"
	"github.com/modelbus/modelbus/model/feature"
)

// readAll reads b in every way and checks that rows fit the columns and that
// errors are of the kinds promised.
func readAll(t *testing.T, b []byte, opts dataset.Options) {
	t.Helper()
	r, err := dataset.NewReader(bytes.NewReader(b), opts)
	if err != nil {
		return
	}
	for range 1000 {
		values, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if _, ok := errors.AsType[*dataset.RowError](err); ok {
			continue
		}
		if err != nil {
			break
		}
		if len(values) != len(r.Columns()) {
			t.Fatalf("%d values of %d columns", len(values), len(r.Columns()))
		}
	}
	r, err = dataset.NewReader(bytes.NewReader(b), opts)
	if err != nil {
		t.Fatalf("NewReader() again = %v", err)
	}
	if len(r.Columns()) == 0 {
		return
	}
	in, err := dataset.Infer(r, r.Columns()[0].Name, 1000)
	if err != nil {
		return
	}
	if r, err = dataset.NewReader(bytes.NewReader(b), opts); err != nil {
		t.Fatalf("NewReader() again = %v", err)
	}
	bound, err := dataset.Bind(r, &in.Schema, "optional")
	if err != nil {
		return
	}
	frame := feature.NewFrame(&in.Schema, true)
	for range 1000 {
		row, err := bound.Read()
		if err != nil {
			if _, ok := errors.AsType[*dataset.RowError](err); ok {
				continue
			}
			return
		}
		if err := frame.Append(row); err != nil && !errors.Is(err, feature.ErrInvalid) {
			t.Fatalf("Append() = %v, want ErrInvalid", err)
		}
	}
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("a,b\n1,x\n2,\"y\n\"\n"))
	f.Add([]byte("1; 2;?\n\n3;4\n"))
	f.Add([]byte("x,c1,c2\nyes,2011-01-01,-1e9\n"))
	f.Fuzz(func(t *testing.T, b []byte) { readAll(t, b, dataset.Options{Format: dataset.CSV}) })
}

func FuzzJSONLines(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":[1,[2]],"c":"x"}` + "\n" + `{"a":null}`))
	f.Add([]byte(`{"features":[1,true],"label":"x","weight":2}`))
	f.Add([]byte("[1,2]\n[3]\n{"))
	f.Fuzz(func(t *testing.T, b []byte) { readAll(t, b, dataset.Options{Format: dataset.JSONLines}) })
}

func FuzzNPZ(f *testing.F) {
	f.Add(npy("|u1", "False", "(2, 2)", uint8(0), uint8(255), uint8(3), uint8(4)))
	f.Add(npy(">f8", "False", "(1,)", 0.5))
	f.Add(npy("<U2", "True", "(1, )", int32('a'), int32('b')))
	f.Fuzz(func(t *testing.T, b []byte) {
		y := npy("|u1", "False", "(2,)", uint8(0), uint8(1))
		readAll(t, zipped(t, entry{"y.npy", y}, entry{"x.npy", b}), dataset.Options{})
		readAll(t, b, dataset.Options{Format: dataset.NPZ})
	})
}
