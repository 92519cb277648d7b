package model_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/modelbus/modelbus/model"
	"github.com/modelbus/modelbus/model/dataset"
	"github.com/modelbus/modelbus/model/feature"
)

func TestSuggestFits(t *testing.T) {
	number := feature.Schema{
		Features: []feature.Feature{{Name: "x", Type: feature.Number}, {Name: "k", Type: feature.Category}},
		Label:    feature.Label{Name: "y", Type: feature.Number},
	}
	classes := number
	classes.Label.Type = feature.Category
	image := feature.Schema{
		Features: []feature.Feature{{Name: "x", Type: feature.Vector, Size: 784}},
		Label:    feature.Label{Name: "y", Type: feature.Category},
	}
	boolean := image
	boolean.Label.Type = feature.Boolean
	tests := []struct {
		name     string
		schema   feature.Schema
		smoothed bool // from 1,000 rows to 20,000
	}{
		{name: "number", schema: number},
		{name: "classes", schema: classes},
		{name: "image", schema: image, smoothed: true},
		{name: "boolean image", schema: boolean},
	}
	for _, tt := range tests {
		for _, rows := range []int{0, 999, 1_000, 19_999, 20_000, 1_000_000} {
			t.Run(fmt.Sprintf("%s %d", tt.name, rows), func(t *testing.T) {
				s, err := model.Suggest("m", tt.schema, rows)
				if err != nil {
					t.Fatal(err)
				}
				text, err := s.YAML(nil)
				if err != nil {
					t.Fatal(err)
				}
				back, err := model.ParseSpec(text)
				if err != nil {
					t.Fatalf("the suggestion does not read back: %v\n%s", err, text)
				}
				if !reflect.DeepEqual(back.Training, s.Training) || len(back.Network) != len(s.Network) {
					t.Errorf("got back %+v, want %+v", back, s)
				}
				if got, want := s.Loss != nil, tt.smoothed && rows >= 1_000 && rows < 20_000; got != want {
					t.Errorf("a loss is suggested: got %v, want %v", got, want)
				}
				if stops := s.Training.EarlyStopping != nil; stops != (s.Training.ValidationSplit > 0) {
					t.Errorf("got early stopping %v with validation_split %g, want both or none", stops, s.Training.ValidationSplit)
				}
			})
		}
	}
}

// TestSuggestLearns trains the suggestion for a real file on four fifths of it.
func TestSuggestLearns(t *testing.T) {
	path := filepath.Join("..", "testdata", "iris.csv")
	inferred, err := dataset.Infer(irisReader(t, path), "species", 0)
	if err != nil {
		t.Fatal(err)
	}
	train, test := feature.NewFrame(&inferred.Schema, true), feature.NewFrame(&inferred.Schema, true)
	rows, err := dataset.Bind(irisReader(t, path), &inferred.Schema, "required")
	if err != nil {
		t.Fatal(err)
	}
	for i := range inferred.Rows {
		row, err := rows.Read()
		if err != nil {
			t.Fatal(err)
		}
		part := train
		if i%5 == 0 {
			part = test
		}
		if err := part.Append(row); err != nil {
			t.Fatal(err)
		}
	}
	for seed := range uint64(3) {
		spec, err := model.Suggest("iris", inferred.Schema, train.Len())
		if err != nil {
			t.Fatal(err)
		}
		spec.Training.Seed = seed
		m, _, err := model.Fit(t.Context(), spec, train, model.FitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		scores, err := m.Evaluate(test)
		if err != nil {
			t.Fatal(err)
		}
		// Two of 30 rows wrong is what good models reach; a third is an accident of the seed.
		if got := scores.Values["accuracy"]; got < 0.9 {
			t.Errorf("seed %d: got accuracy %g, want at least 0.9", seed, got)
		}
	}
}

func irisReader(t *testing.T, path string) dataset.Reader {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	r, err := dataset.NewReader(f, dataset.Options{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
